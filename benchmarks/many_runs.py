"""What 10,000 runs cost the command line: their plan, the texts for sbatch, their status on a cluster.

    python benchmarks/many_runs.py [RUNS]

Half of the runs are branches of ten trunks; the store has a tenth of them. Prints processor seconds.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from ademamix.launch.batches import task_ids
from ademamix.launch.cluster import Cluster
from ademamix.launch.sbatch import executor
from ademamix.launch.scheduler import Order
from ademamix.launch.slurm import OnCluster
from ademamix.launch.standing import standings
from ademamix.launch.states import State
from ademamix.paper.runs import run
from ademamix.plan import Entry, entries, unite
from ademamix.scale import scale
from ademamix.spec import Need
from ademamix.store import Outcome, Store
from ademamix.training.job import job_of

T = TypeVar("T")


class Nowhere:
    """A queue that takes everything and runs nothing."""

    def __init__(self) -> None:
        self.tasks: dict[str, State] = {}
        self.jobs = 0

    def submit(self, order: Order) -> str:
        self.jobs += 1
        self.tasks |= dict.fromkeys(task_ids(str(self.jobs), len(order.batch.tasks)), State.PENDING)
        return str(self.jobs)

    def states(self, jobs: Collection[str]) -> dict[str, State]:
        return self.tasks

    def cancel(self, tasks: Collection[str]) -> None: ...

    def find(self, name: str) -> str | None:
        return None


def timed(what: str, function: Callable[[], T]) -> T:
    wall, start = time.perf_counter(), time.process_time()
    found = function()
    print(f"{what}: {time.process_time() - start:.2f} s ({time.perf_counter() - wall:.2f} s on the clock)")
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    at = scale("cpu")
    spec = at.map(run("110M", "ademamix", 256_000))
    trunks = [spec.reseeded(10_000 + n) for n in range(10)]
    branches = [trunks[n % 10].branch(100 + n % 1000, inject=n // 1000) for n in range(count // 2)]
    specs = [*(spec.reseeded(n) for n in range(count - count // 2)), *branches]
    cluster = Cluster(name="large", max_queued=count, pack_minutes=0)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for done in specs[::10]:
            store.run(done.id).begin(done)
            store.run(done.id).finish(Outcome("finished", 4000, {}, 1.0))

        def plan() -> list[Entry]:
            wanted = unite({"1": [Need(each, 4000) for each in specs]})
            return entries(wanted, wanted, store)

        jobs = [job_of(entry, at) for entry in timed("plan", plan) if not entry.done]
        launcher = OnCluster(Nowhere(), cluster, at)

        def texts() -> int:
            orders = launcher.rehearse(jobs, store, Path("/data"))
            return len([executor(order, cluster).text(len(order.batch.tasks)) for order in orders])

        print(f"{timed('texts', texts)} jobs for {len(jobs)} runs")

        class Quiet:
            started = ended = skipped = staticmethod(lambda *_: None)
            tick = staticmethod(lambda: None)

        timed("submission, but for sbatch", lambda: launcher.launch(jobs, store, Path("/data"), Quiet()))  # type: ignore[arg-type]
        found = timed("status", lambda: standings(store, launcher.scheduler))
        print(f"{len(found.runs)} runs in {len(found.jobs)} jobs")


if __name__ == "__main__":
    main()
