"""Where runs are launched: the options for it, and what they stand for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console

from ademamix.cli.options import device_option, jobs_option, pack_option, ranks_option, shard_option
from ademamix.errors import UserError
from ademamix.launch.packs import Pack
from ademamix.launch.protocol import Launcher
from ademamix.scale import Scale
from ademamix.store import Store
from ademamix.training.job import HELD

if TYPE_CHECKING:
    from ademamix.launch.cluster import Cluster

Command = Callable[..., Any]


@dataclass(frozen=True)
class Launching:
    """How the user wants runs to be launched; what `launcher_options` hands to a verb as `launching`.

    Attributes:
        cluster: its file; None: this machine.
        wait: stay until all is done.
        dry_run: say what would be done, and do nothing.
        retry: send again what has failed twice in the same way.
        jobs: runs at a time. None: one for each core or GPU of this machine, the cluster file's `max_queued`.
        device: to train on, on this machine. None: what the scale is for.
        gpus_per_run: GPUs that train one run together, on this machine. None: one.
        shard: each of those keeps a part of the run's state alone.
        pack: runs that a worker of this machine trains as one program. None: what the scale says.
    """

    cluster: Path | None = None
    wait: bool = False
    dry_run: bool = False
    retry: bool = False
    jobs: int | None = None
    device: str | None = None
    gpus_per_run: int | None = None
    shard: bool = False
    pack: Pack | None = None

    @property
    def sends(self) -> bool:
        """Whether runs become jobs of a cluster, and the command returns before they are done."""
        return self.to_cluster and not self.wait

    def exit_code(self, code: int) -> int:
        """That of the command where training came to `code`: what was to be sent, and is, has succeeded."""
        return 0 if code == HELD and self.sends else code

    @cached_property
    def to_cluster(self) -> bool:
        """Whether runs become jobs of a cluster; where there is no queue, this machine trains them."""
        if self.cluster is None:
            return False
        from ademamix.launch.sbatch import here

        self._cluster()  # what is wrong with the file is said wherever it is
        if not (here() or self.dry_run):
            Console(stderr=True).print("no sbatch here: training on this machine", highlight=False)
            return False
        return True

    def launcher(self, at: Scale) -> Launcher:
        """What launches runs at a scale."""
        from ademamix.cli.pipeline import local

        if not self.to_cluster:
            return local(at, self.jobs, self.device, self.gpus_per_run, self.shard, self.pack)
        if self.gpus_per_run is not None:
            raise UserError("--gpus-per-run is for this machine; a cluster file says it with gpus and nodes")
        if self.shard:
            raise UserError("--shard is for this machine; a cluster file says 'shard: true'")
        if self.pack is not None:
            raise UserError("--pack is for this machine; a task of a cluster's job trains its runs in turn")
        from ademamix.launch.sbatch import Slurm
        from ademamix.launch.slurm import OnCluster

        cluster = self._cluster()
        if self.jobs:
            cluster = cluster.model_copy(update={"max_queued": min(self.jobs, cluster.max_queued)})
        return OnCluster(Slurm(cluster), cluster, at, self.wait, self.retry)

    def places(self, runs: Path, data: Path) -> tuple[Store, Path]:
        """The store and the data root.

        `runs`, `data`: what the options of these names say. Where the user has not given one, the cluster
        file's is taken, if it has one.
        """
        if not self.to_cluster:
            return Store(runs), data
        cluster = self._cluster()
        return Store(_unless_given("runs", runs, cluster.store)), _unless_given("data", data, cluster.data)

    def _cluster(self) -> "Cluster":
        from ademamix.launch.cluster import read_cluster

        assert self.cluster is not None
        return read_cluster(self.cluster)


def _unless_given(option: str, value: Path, instead: Path | None) -> Path:
    source = click.get_current_context().get_parameter_source(option)
    return instead if instead and source is ParameterSource.DEFAULT else value


def launcher_options(command: Command) -> Command:
    """--launcher, --cluster and what goes with it, --jobs and what goes with it here, as one `launching`.

    The verb needs options `runs` and `data`, too (`runs_option`, `data_option`).
    """

    @wraps(command)
    def launched(
        *args: Any,
        launcher: str | None,
        cluster: Path | None,
        wait: bool,
        dry_run: bool,
        retry: bool,
        jobs: int | None,
        device: str | None,
        gpus_per_run: int | None,
        shard: bool,
        pack: Pack | None,
        **others: Any,
    ) -> Any:
        if launcher == "slurm" and cluster is None:
            raise UserError("--launcher slurm needs --cluster FILE; configs/clusters/example.yaml is a start")
        chosen = None if launcher == "local" else cluster
        asked = Launching(chosen, wait, dry_run, retry, jobs, device, gpus_per_run, shard, pack)
        return command(*args, launching=asked, **others)

    found: Command = launched
    for option in reversed(_OPTIONS):
        found = option(found)
    return found


_OPTIONS = (
    jobs_option,
    device_option,
    ranks_option,
    shard_option,
    pack_option,
    click.option("--launcher", type=click.Choice(["local", "slurm"]), help="[default: slurm with --cluster]"),
    click.option("--cluster", type=click.Path(path_type=Path), metavar="FILE", help="A cluster file."),
    click.option("--wait", is_flag=True, help="Stay until the cluster's jobs are done, then go on."),
    click.option("--dry-run", is_flag=True, help="Print what would be trained or submitted; do nothing."),
    click.option("--retry", is_flag=True, help="Send again what has failed twice in the same way."),
)
