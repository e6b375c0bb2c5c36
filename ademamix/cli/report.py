"""What the command line prints: plans, status, runs, verdicts."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from ademamix.describe import describe_all
from ademamix.evaluation.cost import asking
from ademamix.plan import Cost, Entry, Wanted, cost, entries, hours_from_scratch, unite
from ademamix.rates import Rates, measured, processor, seconds_a_question
from ademamix.scale import Scale, scale, scales
from ademamix.store import Status, Store
from ademamix.units import duration, short
from ademamix.values import canonical
from experiments import registry


def plan_json(planned: Sequence[Entry], at: Scale) -> dict[str, Any]:
    """The plan as data: every run with its size and cost, and the totals."""
    rates = measured(at)
    return {
        "scale": at.name,
        "machine": at.machine.model_dump(),
        "measured_on": rates.processor or None,
        "hours_from_scratch": hours_from_scratch([entry.wanted for entry in planned], at, rates),
        "evaluation": asdict(asking([entry.wanted for entry in planned], at, seconds_a_question(at))),
        "runs": [_row(e, at, rates) for e in planned],
    }


def _row(entry: Entry, at: Scale, rates: Rates) -> dict[str, Any]:
    w = entry.wanted
    spent = Cost(0.0, 0) if entry.later else cost(w, at, len(entry.forks), rates)
    return {
        "id": w.spec.id,
        "status": entry.status,
        "done": entry.done,
        "trained_again": entry.again,
        "observed_later": entry.later,
        "figures": list(w.figures),
        "steps": w.until,
        "new_steps": w.new_steps,
        "fork_step": w.spec.fork.step if w.spec.fork else None,
        "parent": w.spec.fork.parent.id if w.spec.fork else None,
        "tokens": w.units,
        "epochs": round(epochs, 3) if (epochs := w.spec.epochs(w.until)) else None,
        "batch": w.spec.batch,
        "sequence": w.spec.sample,
        "parameters": w.spec.model.parameters(),
        "flops": w.flops,
        "hours": spent.hours,
        "disk_bytes": spent.disk_bytes,
        "model": canonical(w.spec.model),
        "optimizer": canonical(w.spec.optimizer),
        "schedule": canonical(w.spec.schedule),
        "seed": w.spec.seed,
        "keep": sorted(w.keep | w.spare),
        "forks": sorted(entry.forks),
    }


def print_plan(planned: Sequence[Entry], at: Scale) -> None:
    """The plan as a table, its totals, and what was assumed for the hours."""
    console = Console(width=max(100, Console().width))
    if not planned:
        console.print("no runs: these figures are computed, or measured, when they are drawn")
        return
    rates = measured(at)
    rows = [_row(entry, at, rates) for entry in planned]
    common, each = describe_all([e.wanted.spec for e in planned], [size_of(e.wanted) for e in planned])
    console.print(f"all: {common}", highlight=False)
    console.print(_plan_table(planned, rows, each))
    _print_totals(console, planned, rows, at, rates)
    _print_packs(console, planned, at)
    _print_evaluation(console, planned, at)


def units_of(rows: Sequence[dict[str, Any]]) -> str:
    """What runs train on, in a word; only images are counted in epochs."""
    return "images" if all(row["epochs"] for row in rows) else "tokens"


def _plan_table(planned: Sequence[Entry], rows: Sequence[dict[str, Any]], each: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", no_wrap=True)
    table.add_column("what", ratio=1)
    table.add_column("figures", max_width=16)
    table.add_column("state", no_wrap=True)
    epochs = any(row["epochs"] for row in rows)
    for name in ("steps", units_of(rows), *(("epochs",) if epochs else ()), "time", "disk"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry, row, words in zip(planned, rows, each, strict=True):
        table.add_row(
            row["id"],
            words,
            " ".join(row["figures"]),
            "diverged" if entry.done and entry.status == "diverged" else _state(entry),
            f"{row['new_steps']:,}",
            short(row["tokens"]),
            *((f"{row['epochs']:.1f}" if row["epochs"] else "",) if epochs else ()),
            duration(row["hours"]),
            short(row["disk_bytes"]) + "B",
        )
    return table


def size_of(wanted: Wanted) -> str:
    """The paper's name of a run's model; '' where it stands for none of the paper's."""
    return wanted.paper.setup.name if wanted.paper else ""


def _print_totals(
    console: Console, planned: Sequence[Entry], rows: Sequence[dict[str, Any]], at: Scale, rates: Rates
) -> None:
    machine = at.machine
    for name, some in (("all", rows), ("to do", [row for row in rows if not row["done"]])):
        console.print(
            f"{name}: {len(some)} runs, {sum(r['new_steps'] for r in some):,} steps, "
            f"{short(sum(r['tokens'] for r in some))} {units_of(rows)}, "
            f"{sum(r['flops'] for r in some):.3g} FLOPs, "
            f"{duration(sum(r['hours'] for r in some) / machine.workers)}, "
            f"{short(sum(r['disk_bytes'] for r in some))}B of disk",
            highlight=False,
        )
    if branches := sum(entry.wanted.spec.fork is not None for entry in planned):
        scratch = hours_from_scratch([entry.wanted for entry in planned], at, rates) / machine.workers
        saved = scratch - sum(r["hours"] for r in rows) / machine.workers
        console.print(
            f"{branches} branches start from checkpoints of {trunks_of(planned)} trunks: {duration(saved)} "
            f"less than the {duration(scratch)} of training each curve from scratch.",
            highlight=False,
        )
    shared = sum(len(row["figures"]) > 1 for row in rows)
    assumed = f"peak {machine.peak_flops:.3g} FLOP/s each, utilisation {machine.utilisation:.0%} assumed"
    if rates.processor:
        known = sorted({size for size, _ in rates.found})
        assumed = (
            f"rates of {', '.join(known)} as measured on {rates.processor} (make bench); others: {assumed}"
        )
    console.print(
        f"{shared} runs serve several figures. Time: {machine.name}, {machine.workers} at a time, {assumed}.",
        highlight=False,
    )


def _print_packs(console: Console, planned: Sequence[Entry], at: Scale) -> None:
    """How many of the runs can be trained with others as one program, faster than was counted."""
    keys = Counter(entry.wanted.spec.pack_key for entry in planned if not entry.done)
    shared = [count for key, count in keys.items() if key is not None and count > 1]
    if at.pack == 1 or not shared:
        return
    shapes = f"{len(shared)} shape{'s' if len(shared) > 1 else ''}"
    most = "as many of a shape as bring something" if at.pack == "auto" else f"up to {at.pack} of a shape"
    console.print(
        f"Packs: {sum(shared)} of the runs to do are of {shapes}; {most} are trained as one program, in less "
        "time than is counted here (docs/gpu.md).",
        highlight=False,
    )


def _print_evaluation(console: Console, planned: Sequence[Entry], at: Scale) -> None:
    """What the questions cost that the runs are asked, besides their training."""
    seconds = seconds_a_question(at)
    every = asking([entry.wanted for entry in planned], at, seconds)
    if not every.checkpoints:
        return
    left = asking([entry.wanted for entry in planned if not entry.done], at, seconds)
    how = "by operations"
    if every.measured:
        how = f"{every.measured / every.hours:.0%} of it as measured on {processor(at)}"
    unknown = f"; nothing is counted of {', '.join(every.unknown)}" if every.unknown else ""
    console.print(
        f"Evaluation, besides: {len(every.tasks)} tasks at {every.checkpoints} checkpoints, "
        f"{every.questions:,} questions, {short(every.passes)} passes forward, {short(every.tokens)} tokens"
        f"{' (lengths assumed)' if every.assumed else ''}, {every.flops:.3g} FLOPs, "
        f"{duration(every.hours)} of one worker ({how}), {duration(left.hours)} of it to do{unknown}.",
        highlight=False,
    )


def _state(entry: Entry) -> str:
    if entry.done:
        return "done"
    return "observe" if entry.later else "train again" if entry.again else entry.status


def trunks_of(planned: Sequence[Entry]) -> int:
    """How many runs have branches among those planned."""
    return len({fork.parent.id for entry in planned if (fork := entry.wanted.spec.fork)})


STATES: tuple[Status, ...] = ("finished", "diverged", "running", "started", "failed", "new")


def status(store: Store) -> dict[str, dict[str, int]]:
    """Scale → state → number of runs that the defined figures want in it; and runs of no figure.

    A run that is complete but lacks something that is wanted counts as 'started'.
    """
    found: dict[str, dict[str, int]] = {}
    known: set[str] = set()
    for name in scales():
        wanted = unite(registry.needs_of_all(scale(name)))
        known |= set(wanted)
        counts = Counter(
            "started" if entry.again or entry.later else entry.status
            for entry in entries(wanted, wanted, store)
        )
        found[name] = {state: counts[state] for state in STATES}
    others = Counter(run.status()[0] for run in store.runs() if run.id not in known)
    found["other"] = {state: others[state] for state in STATES}
    return found


def print_status(counts: dict[str, dict[str, int]]) -> None:
    """The counts as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("scale", *STATES):
        table.add_column(name, justify="left" if name == "scale" else "right")
    for name, row in counts.items():
        table.add_row(name, *(str(row[state]) for state in STATES))
    Console().print(table, highlight=False)
    Console().print("started: stopped on the way, or lacking something wanted since; other: of no figure")


def print_verdicts(verdicts: dict[str, Any], names: Collection[str] | None = None) -> None:
    """One line for each claim of a figure, or for those of these names."""
    console = Console()
    claims = [claim for claim in verdicts["claims"] if names is None or claim["claim"] in names]
    if claims and all(claim["verdict"] == "not run" for claim in claims):
        why = "this scale only shows that everything works"
        console.print(f"{verdicts['figure']} ({verdicts['scale']}): not judged, {why}", highlight=False)
        return
    for claim in claims:
        console.print(
            f"{verdicts['figure']} ({verdicts['scale']}) {claim['verdict']}: {claim['statement']}",
            highlight=False,
            soft_wrap=True,
        )
