"""Trials without training: the store as workers would have left it."""

from collections.abc import Callable

from ademamix.spec import RunSpec
from ademamix.store import Outcome, Store
from ademamix.sweeps.controller import Controller
from ademamix.sweeps.space import Space, Trial

Loss = Callable[[RunSpec, int], float]  # run, step → loss; infinite: it diverges there


def train(space: Space, store: Store, trial: Trial, loss: Loss) -> None:
    """Leave what a worker leaves when the trial is done."""
    for seed in space.seeds:
        need = space.need(trial, seed)
        run = store.run(need.run.id)
        (quantity, steps), *_ = need.observe.items()
        rows = [{"step": step, str(quantity): loss(need.run, step)} for step in sorted(steps)]
        sound = [row for row in rows if row[str(quantity)] < float("inf")]
        run.begin(need.run)
        run.write_metrics(sound)
        status = "finished" if len(sound) == len(rows) else "diverged"
        run.finish(Outcome(status, need.until, {str(quantity): [int(r["step"]) for r in sound]}, 1.0))


def begin(space: Space, store: Store, trial: Trial) -> None:
    """Leave what a worker leaves that was killed on the way."""
    for seed in space.seeds:
        spec = space.spec(trial.point, seed)
        store.run(spec.id).begin(spec)


def finish(space: Space, store: Store, loss: Loss, workers: int = 4, patience: int = 10_000) -> list[Trial]:
    """Train until nothing is handed out any more, or `patience` trials have ended; these, in order."""
    controller, ended, running = Controller(space, store), [], []
    while len(ended) < patience:
        while len(running) < workers and (trials := controller.next(workers - len(running))):
            running += trials
        if not running:
            break
        for trial in running:
            begin(space, store, trial) if not store.run(_id(space, trial)).outcome() else None
        ended.append(running.pop(0))
        train(space, store, ended[-1], loss)
    return ended


def _id(space: Space, trial: Trial) -> str:
    return space.spec(trial.point, space.seeds[0]).id
