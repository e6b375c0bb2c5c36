"""A cluster file: what runs ask for, and where everything is there. See configs/clusters/example.yaml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from ademamix.errors import UserError, did_you_mean
from ademamix.models import ModelConfig
from ademamix.paper.runs import setups
from ademamix.paper.setups import PAPER_HORIZON, Setup
from ademamix.scale import Scale
from ademamix.values import Frozen, NonNegative, Number, Positive, Steps, user_error

SECONDS = 60


class Resources(Frozen):
    """What a job asks for; its tasks train one run together.

    Attributes:
        nodes: machines.
        gpus: for each node.
        tasks: processes for each node. None: one for each GPU, or one.
        cpus: cores for each process.
        threads: of a process that trains on a CPU; more of them change its last bits.
        shard: of several processes each keeps a part of the run's weights and moments alone (FSDP2).
        memory_gb: for each node. None: what the partition gives.
        minutes: the time limit.
        partition, account, qos, constraint: as the cluster calls them.
        options: any other option of sbatch, such as {mail-type: END}.
    """

    nodes: Steps = 1
    gpus: Number = 0
    tasks: Steps | None = None
    cpus: Steps = 1
    threads: Steps = 1
    shard: bool = False
    memory_gb: Positive | None = None
    minutes: Steps = 60
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    options: dict[str, str | int | bool] = Field(default_factory=dict)

    @property
    def tasks_per_node(self) -> int:
        return self.tasks or max(1, self.gpus)

    @property
    def ranks(self) -> int:
        """The processes that train one run together."""
        return self.nodes * self.tasks_per_node

    @property
    def brief(self) -> str:
        """For tables: '8 GPU · 24 h · gpu'."""
        size = f"{self.nodes * self.gpus} GPU" if self.gpus else f"{self.ranks * self.cpus} CPU"
        nodes = f"{self.nodes} nodes" if self.nodes > 1 else ""
        hours, minutes = divmod(self.minutes, 60)
        time = f"{hours} h" if not minutes else f"{hours}:{minutes:02} h" if hours else f"{minutes} min"
        return " · ".join(filter(None, (nodes, size, time, self.partition)))


class Places(Frozen):
    """Where compute nodes find what this machine knows by another path. None: by the same one."""

    store: Path | None = None
    data: Path | None = None
    checkout: Path | None = None
    python: str | None = None


class Cluster(Resources):
    """A cluster.

    Attributes:
        store, data: where runs and prepared data are, on file systems that the compute nodes see, too.
        on_nodes: their paths there, where they differ.
        setup: shell lines before a job's own command, such as loading modules.
        pack_minutes: short runs share a task up to so many estimated minutes; 0: one run, one task.
        max_queued: tasks in the queue at a time; the others are sent as it empties, or by the next call.
        array: tasks of one array at most.
        running: tasks of one array that run at a time. None: as many as the cluster lets.
        signal_seconds: warning before a job ends, in which it writes a checkpoint.
        requeue: jobs go back to the queue by themselves when warned, preempted, or when their node fails.
        poll_seconds: between looks at the queue, with --wait.
        sizes: set-up → what a run of that size asks for instead.
    """

    name: str
    store: Path | None = None
    data: Path | None = None
    on_nodes: Places = Places()
    setup: tuple[str, ...] = ()
    pack_minutes: NonNegative = 30
    max_queued: Steps = 100
    array: Steps = 1000
    running: Steps | None = None
    signal_seconds: Steps = 120
    requeue: bool = True
    poll_seconds: Positive = 30
    sizes: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def resources(self, model: ModelConfig, at: Scale) -> Resources:
        """What a run of `model` asks for at a scale."""
        plain = {name: getattr(self, name) for name in Resources.model_fields}
        found = Resources(**{**plain, **self.sizes.get(size_of(model, at), {})})
        return found.model_copy(update={"gpus": 0}) if at.device == "cpu" else found


def size_of(model: ModelConfig, at: Scale) -> str:
    """The set-up whose model this is at a scale; empty where it is nobody's."""
    for name, setup in setups().items():
        if (at.models[name] if name in at.models else _paper_model(setup)) == model:
            return name
    return ""


def _paper_model(setup: Setup) -> ModelConfig:
    return setup.run(next(iter(setup.lr)), PAPER_HORIZON).model


def read_cluster(path: Path) -> Cluster:
    """A cluster from its YAML file, or a UserError of one line that says what is wrong with it."""
    try:
        data = yaml.load(path.read_text(), Loader=yaml.CSafeLoader) or {}
    except FileNotFoundError:
        there = sorted(str(p) for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        near = did_you_mean(str(path), there) if there else "; copy configs/clusters/example.yaml"
        raise UserError(f"no cluster file {path}{near}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the cluster file {path}: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, Mapping):
        raise UserError(f"{path} holds no fields; copy configs/clusters/example.yaml")
    return _validated({"name": path.stem, **data}, path)


def _validated(data: dict[str, Any], path: Path) -> Cluster:
    try:
        found = Cluster.model_validate(data)
    except ValidationError as error:
        raise user_error(error, Cluster, data, str(path)) from None
    for size, changes in found.sizes.items():
        if size not in setups():
            raise UserError(f"{path}: sizes: unknown set-up '{size}'{did_you_mean(size, setups())}")
        try:
            Resources.model_validate(changes)
        except ValidationError as error:
            raise user_error(error, Resources, changes, f"{path}: sizes: {size}") from None
    longest = min([found.minutes, *(c.get("minutes", found.minutes) for c in found.sizes.values())])
    if found.signal_seconds >= longest * SECONDS:
        raise UserError(f"{path}: signal_seconds: must be shorter than the time limit of {longest} minutes")
    return found
