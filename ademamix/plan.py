"""The union of needs: which runs to train, in which order, at what cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from ademamix.models.sizes import parameters, training_flops_per_token
from ademamix.scale import Scale
from ademamix.spec import Need, RunSpec, unite_observations
from ademamix.store import Outcome, Status, Store

BYTES_PER_PARAMETER = 16  # of a checkpoint: fp32 weights and up to three moments
BYTES_PER_LINE = 90  # of metrics.jsonl


@dataclass(frozen=True)
class Wanted:
    """A run, and all that the figures together want of it; `forks`: where its branches start."""

    spec: RunSpec
    until: int
    keep: frozenset[int] = frozenset()
    forks: frozenset[int] = frozenset()
    observe: Mapping[str, frozenset[int]] = field(default_factory=dict)
    figures: tuple[str, ...] = ()

    @property
    def new_steps(self) -> int:
        """Steps of its own: those after the fork."""
        return self.until - (self.spec.fork.step if self.spec.fork else 0)

    @property
    def tokens(self) -> int:
        return self.new_steps * self.spec.tokens_per_step

    @property
    def flops(self) -> float:
        return self.tokens * training_flops_per_token(self.spec.model, self.spec.sequence)


def unite(needs_by_figure: Mapping[str, Iterable[Need]]) -> dict[str, Wanted]:
    """One `Wanted` for each run, by id; trunks of branches are wanted up to the fork."""
    wanted: dict[str, Wanted] = {}

    def add(need: Need, figure: str, forks: frozenset[int] = frozenset()) -> None:
        spec = need.run
        old = wanted.get(spec.id, Wanted(spec, until=0))
        wanted[spec.id] = replace(
            old,
            until=max(old.until, need.until),
            keep=old.keep | need.keep,
            forks=old.forks | forks,
            observe=unite_observations(old.observe, need.observe),
            figures=tuple(sorted({*old.figures, figure}, key=lambda f: (int(f), f))),
        )
        if fork := spec.fork:
            add(Need(fork.parent, fork.step), figure, forks=frozenset({fork.step}))

    for figure, needs in needs_by_figure.items():
        for need in needs:
            add(need, figure)
    return wanted


def in_order(wanted: Mapping[str, Wanted]) -> list[Wanted]:
    """Trunks before branches; among the free ones the longest first, which fills workers evenly."""
    sorter = TopologicalSorter(
        {id: [w.spec.fork.parent.id] if w.spec.fork else [] for id, w in wanted.items()}
    )
    sorter.prepare()
    order: list[Wanted] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda run: (-wanted[run].flops, run))
        order += [wanted[id] for id in ready]
        sorter.done(*ready)
    return order


@dataclass(frozen=True)
class Entry:
    """A run of a plan with what the store knows of it.

    Attributes:
        status: of the run in the store.
        owed: checkpoints it must leave: those that a need keeps, and those that branches which
            are still to be trained start from.
        done: whether nothing has to be trained for what is wanted.
        again: the run is complete but lacks something wanted now, so it is trained again or extended.
    """

    wanted: Wanted
    status: Status
    owed: frozenset[int]
    done: bool
    again: bool


def entries(wanted: Iterable[Wanted], store: Store) -> list[Entry]:
    """Each wanted run with its state, in the given order (trunks first)."""
    wanted = list(wanted)
    states: dict[str, tuple[Status, Outcome | None]] = {
        w.spec.id: store.run(w.spec.id).status() for w in wanted
    }
    pending_forks: dict[str, frozenset[int]] = {}
    found: dict[str, Entry] = {}
    for w in reversed(wanted):  # branches first: a trunk owes checkpoints only to pending branches
        status, outcome = states[w.spec.id]
        owed = w.keep | pending_forks.get(w.spec.id, frozenset())
        done = outcome is not None and (
            outcome.serves(Need(w.spec, w.until, owed, w.observe))
            and outcome.reached(owed) <= store.run(w.spec.id).checkpoint_steps()
        )
        if not done and w.spec.fork:
            parent = w.spec.fork.parent.id
            pending_forks[parent] = pending_forks.get(parent, frozenset()) | {w.spec.fork.step}
        found[w.spec.id] = Entry(w, status, owed, done, again=outcome is not None and not done)
    return [found[w.spec.id] for w in wanted]


@dataclass(frozen=True)
class Cost:
    """What a run costs at a scale, estimated."""

    hours: float  # of one worker
    disk_bytes: int


def cost(w: Wanted, scale: Scale) -> Cost:
    """Hours from operations, peak and utilisation; disk for checkpoints and metrics."""
    machine = scale.machine
    checkpoints = max(2, len(w.keep | w.forks))  # two to resume from, while it trains
    size = checkpoints * BYTES_PER_PARAMETER * parameters(w.spec.model)
    return Cost(
        hours=w.flops / (machine.peak_flops * machine.utilisation) / 3600,
        disk_bytes=size + BYTES_PER_LINE * w.new_steps // scale.log_every,
    )
