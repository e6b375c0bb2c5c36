"""The union of needs: which runs to train, in which order, at what cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from ademamix.lineage import follows
from ademamix.paper.runs import PaperRun
from ademamix.rates import Rates
from ademamix.scale import Scale
from ademamix.spec import Need, Observe, RunSpec, refuse_unobservable, unite_observations
from ademamix.store import Status, Store

BYTES_PER_PARAMETER = 16  # of a checkpoint: fp32 weights and up to three moments
BYTES_PER_LINE = 160  # of metrics.jsonl


@dataclass(frozen=True)
class Wanted:
    """A run, and all that the figures together want of it."""

    spec: RunSpec
    until: int
    keep: frozenset[int] = frozenset()
    spare: frozenset[int] = frozenset()
    observe: Observe = field(default_factory=dict)
    figures: tuple[str, ...] = ()
    shown: bool = False  # a figure shows it, not only branches of it
    paper: PaperRun | None = None  # what it stands for

    @property
    def need(self) -> Need:
        return Need(self.spec, self.until, self.keep, self.spare, self.observe)

    @property
    def new_steps(self) -> int:
        """Steps of its own: those after the fork."""
        return self.until - self.spec.first_step

    @property
    def units(self) -> int:
        """Tokens, or images, that it trains on."""
        return self.new_steps * self.spec.units_per_step

    @property
    def flops(self) -> float:
        return self.new_steps * self.spec.flops_per_step


def unite(needs_by_figure: Mapping[str, Iterable[Need]]) -> dict[str, Wanted]:
    """One `Wanted` for each run, by id; trunks of branches are wanted up to the fork.

    A branch's past is its trunk's: what is to be observed of it up to the fork is observed there.

    Raises:
        UserError: something cannot be observed where it is wanted.
    """
    wanted: dict[str, Wanted] = {}

    def add(need: Need, figure: str, shown: bool = True) -> None:
        spec = need.run
        own = between(need.observe, spec.first_step, need.until)
        refuse_unobservable(spec, own)
        seen = unite_observations({}, own)
        new = Wanted(spec, need.until, need.keep, need.spare, seen, (figure,), shown, need.paper)
        wanted[spec.id] = joined(wanted[spec.id], new) if spec.id in wanted else new
        if fork := spec.fork:
            past = between(need.observe, 0, fork.step)
            trunk = need.paper.fork.trunk if need.paper and need.paper.fork else None
            add(Need(fork.parent, fork.step, observe=past, paper=trunk), figure, shown=False)

    for figure, needs in needs_by_figure.items():
        for need in needs:
            add(need, figure)
    return wanted


def joined(first: Wanted, second: Wanted) -> Wanted:
    """All that is wanted of the same run, twice."""
    return Wanted(
        spec=first.spec,
        until=max(first.until, second.until),
        keep=first.keep | second.keep,
        spare=first.spare | second.spare,
        observe=unite_observations(first.observe, second.observe),
        figures=tuple(sorted({*first.figures, *second.figures}, key=_in_the_papers_order)),
        shown=first.shown or second.shown,
        paper=first.paper or second.paper,
    )


def together(first: Mapping[str, Wanted], second: Mapping[str, Wanted]) -> dict[str, Wanted]:
    """All that is wanted in two plans."""
    return {**first, **{id: joined(first[id], w) if id in first else w for id, w in second.items()}}


def _in_the_papers_order(name: str) -> tuple[bool, int, str]:
    """'2', '12', 'table 7', 'sweep mine': figures first, by number."""
    return not name.isdecimal(), int("".join(filter(str.isdecimal, name)) or 0), name


def between(observe: Observe, after: int, until: int) -> Observe:
    """What is to be observed at steps of (after, until]."""
    found = {
        quantity: frozenset(step for step in steps if after < step <= until)
        for quantity, steps in observe.items()
    }
    return {quantity: steps for quantity, steps in found.items() if steps}


@dataclass(frozen=True)
class Branch:
    """What is wanted of a branch, and of the branches that start from it in turn."""

    need: Need
    forks: "Forks"

    def done(self, store: Store) -> bool:
        """Whether it need not be trained: all that is wanted of it is there, checkpoints too."""
        return complete(self.need, self.forks, store)


Forks = Mapping[int, tuple[Branch, ...]]  # step → the branches that start there


def forks_of(wanted: Iterable[Wanted]) -> dict[str, Forks]:
    """Trunk's id → the branches that start from it."""
    found: dict[str, dict[int, tuple[Branch, ...]]] = {}
    by_id = {w.spec.id: w for w in wanted}
    # Branches before their trunks, so that each finds its own.
    for w in reversed(in_order(by_id)):
        if fork := w.spec.fork:
            of_trunk = found.setdefault(fork.parent.id, {})
            branch = Branch(w.need, found.get(w.spec.id, {}))
            of_trunk[fork.step] = (branch, *of_trunk.get(fork.step, ()))
    return dict(found)


def owed(keep: frozenset[int], forks: Forks, store: Store) -> frozenset[int]:
    """Checkpoints a trunk owes: those kept for their own sake, and where unfinished branches start."""
    return keep | {step for step, there in forks.items() if not all(b.done(store) for b in there)}


def complete(need: Need, forks: Forks, store: Store) -> bool:
    """Whether a run has all that is wanted of it, and the checkpoints that it owes."""
    run = store.run(need.run.id)
    outcome = run.outcome()
    if outcome is None or not outcome.serves(need) or not follows(need.run, outcome, store):
        return False
    return outcome.reached(owed(need.keep, forks, store)) <= run.checkpoint_steps()


def lacks_only_looks(need: Need, forks: Forks, store: Store) -> bool:
    """Whether all that a complete run lacks can be measured from checkpoints that it kept."""
    run = store.run(need.run.id)
    outcome, kept = run.outcome(), run.checkpoint_steps()
    if outcome is None or not (lacking := outcome.lacks(need)) or not follows(need.run, outcome, store):
        return False
    reached = outcome.reached(owed(need.keep, forks, store)) <= kept
    long_enough = outcome.serves(Need(need.run, need.until))
    return long_enough and reached and outcome.observable_later(need, kept) == lacking


def after_trunks(specs: Iterable[RunSpec]) -> TopologicalSorter[str]:
    """The order that runs have to be trained in: each branch after its trunk, where that is among them."""
    by_id = {spec.id: spec for spec in specs}
    return TopologicalSorter(
        {
            id: [spec.fork.parent.id] if spec.fork and spec.fork.parent.id in by_id else []
            for id, spec in by_id.items()
        }
    )


def in_order(wanted: Mapping[str, Wanted]) -> list[Wanted]:
    """Trunks before branches; among the free ones the longest first, which fills workers evenly."""
    sorter = after_trunks(w.spec for w in wanted.values())
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
        wanted: what all defined figures want of the run, so that one training serves them all.
        forks: where branches start from it, of whatever figure.
        status: of the run in the store.
        done: whether nothing has to be trained for the figures asked for.
        again: the run is complete but lacks something wanted now, or its trunk was trained anew, so it is
            trained again or extended.
        later: what it lacks can be measured from the checkpoints that were kept.
    """

    wanted: Wanted
    forks: Forks
    status: Status
    done: bool
    again: bool
    later: bool = False


def entries(asked: Mapping[str, Wanted], everything: Mapping[str, Wanted], store: Store) -> list[Entry]:
    """The runs that are `asked` for, trunks first, each with what `everything` wants of it."""
    forks, asked_forks = forks_of(everything.values()), forks_of(asked.values())
    found = []
    for w in in_order(asked):
        id = w.spec.id
        status, outcome = store.run(id).status()
        done = complete(w.need, asked_forks.get(id, {}), store)
        later = not done and lacks_only_looks(w.need, asked_forks.get(id, {}), store)
        again = outcome is not None and not (done or later)
        if later:  # what others lack of it must not turn a look at its checkpoints into a training
            w = replace(w, spare=everything[id].spare)
            found.append(Entry(w, asked_forks.get(id, {}), status, done, again, later))
        else:
            found.append(Entry(everything[id], forks.get(id, {}), status, done, again))
    return found


@dataclass(frozen=True)
class Cost:
    """What a run costs at a scale, estimated."""

    hours: float  # of one worker
    disk_bytes: int


def cost(w: Wanted, scale: Scale, forks: int = 0, rates: Rates | None = None) -> Cost:
    """Hours by measured rates, or from operations, peak and utilisation; disk for metrics and checkpoints.

    `forks`: at how many steps branches start from it.
    """
    checkpoints = max(2, len(w.keep | w.spare) + forks)  # two to resume from, while it trains
    size = checkpoints * BYTES_PER_PARAMETER * w.spec.model.parameters()
    return Cost(
        hours=w.new_steps * step_hours(w, scale, rates),
        disk_bytes=size + BYTES_PER_LINE * w.new_steps // scale.log_every,
    )


def hours_from_scratch(wanted: Iterable[Wanted], scale: Scale, rates: Rates | None = None) -> float:
    """Hours of one worker if every curve that a figure shows were trained from its first step.

    Nothing for a mere trunk.
    """
    return sum(w.until * step_hours(w, scale, rates) for w in wanted if w.shown)


def step_hours(w: Wanted, scale: Scale, rates: Rates | None = None) -> float:
    """Hours of one worker for an update."""
    if rates and w.paper and (rate := rates.of(w.paper.setup.name, w.spec)):
        return w.spec.units_per_step / rate / 3600
    return hours(w.spec.flops_per_step, scale)


def hours(flops: float, scale: Scale) -> float:
    """Hours of one worker for so many operations, from its peak and utilisation."""
    return flops / (scale.machine.peak_flops * scale.machine.utilisation) / 3600
