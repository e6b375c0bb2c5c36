"""What the command line prints: plans, status, runs, verdicts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from ademamix.describe import describe
from ademamix.plan import Cost, Entry, cost, entries, hours_from_scratch, unite
from ademamix.scale import Scale, scale, scales
from ademamix.store import Run, Status, Store
from ademamix.values import canonical
from experiments import registry


def plan_json(planned: Sequence[Entry], at: Scale) -> dict[str, Any]:
    """The plan as data: every run with its size and cost, and the totals."""
    return {
        "scale": at.name,
        "machine": at.machine.model_dump(),
        "hours_from_scratch": hours_from_scratch([entry.wanted for entry in planned], at),
        "runs": [_row(e, at) for e in planned],
    }


def _row(entry: Entry, at: Scale) -> dict[str, Any]:
    w = entry.wanted
    spent = Cost(0.0, 0) if entry.later else cost(w, at, len(entry.forks))
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
        "keep": sorted(w.keep),
        "forks": sorted(entry.forks),
    }


def print_plan(planned: Sequence[Entry], at: Scale) -> None:
    """The plan as a table, its totals, and what was assumed for the hours."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "what", "figures", "state"):
        table.add_column(name)
    for name in ("steps", "tokens", "FLOPs", "hours", "disk"):
        table.add_column(name, justify="right")
    rows = [_row(entry, at) for entry in planned]
    for entry, row in zip(planned, rows, strict=True):
        state = _state(entry)
        table.add_row(
            row["id"],
            describe(entry.wanted.spec),
            " ".join(row["figures"]),
            "diverged" if entry.done and entry.status == "diverged" else state,
            f"{row['new_steps']:,}",
            _short(row["tokens"]),
            f"{row['flops']:.2g}",
            f"{row['hours']:.3g}",
            _short(row["disk_bytes"]) + "B",
        )
    console = Console(width=max(150, Console().width))
    console.print(table)
    todo = [row for row in rows if not row["done"]]
    machine = at.machine
    for name, some in (("all", rows), ("to do", todo)):
        console.print(
            f"{name}: {len(some)} runs, {sum(r['new_steps'] for r in some):,} steps, "
            f"{_short(sum(r['tokens'] for r in some))} tokens, {sum(r['flops'] for r in some):.3g} FLOPs, "
            f"{sum(r['hours'] for r in some) / machine.workers:.3g} hours, "
            f"{_short(sum(r['disk_bytes'] for r in some))}B of disk",
            highlight=False,
        )
    if branches := sum(entry.wanted.spec.fork is not None for entry in planned):
        scratch = hours_from_scratch([entry.wanted for entry in planned], at) / machine.workers
        saved = scratch - sum(r["hours"] for r in rows) / machine.workers
        console.print(
            f"{branches} branches start from checkpoints of {trunks_of(planned)} trunks: {saved:.3g} hours "
            f"less than the {scratch:.3g} of training each curve from scratch.",
            highlight=False,
        )
    shared = sum(len(row["figures"]) > 1 for row in rows)
    console.print(
        f"{shared} runs serve several figures. Hours: {machine.name}, {machine.workers} at a time, "
        f"peak {machine.peak_flops:.3g} FLOP/s each, utilisation {machine.utilisation:.0%} assumed.",
        highlight=False,
    )


def _state(entry: Entry) -> str:
    if entry.done:
        return "done"
    return "observe" if entry.later else "train again" if entry.again else entry.status


def trunks_of(planned: Sequence[Entry]) -> int:
    """How many runs have branches among those planned."""
    return len({fork.parent.id for entry in planned if (fork := entry.wanted.spec.fork)})


def _short(number: float) -> str:
    """17,000,000,000 → '17G'."""
    for unit in ("", "k", "M", "G", "T"):
        if number < 999.5 or unit == "T":
            return f"{number:.3g}{unit}"
        number /= 1000
    raise AssertionError


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


def run_json(run: Run) -> dict[str, Any]:
    """Everything known of a run but its curve, of which the last rows."""
    state, outcome = run.status()
    failure = run.failure_path.read_text() if run.failure_path.exists() else None
    return {
        "id": run.id,
        "status": state,
        "spec": canonical(run.spec()),
        "outcome": asdict(outcome) if outcome else None,
        "last_rows": run.metrics()[-3:],
        "failure": failure,
        "folder": str(run.folder),
    }


def print_run(run: Run) -> None:
    """One run, in full sentences' worth of lines."""
    console = Console()
    data = run_json(run)
    console.print(f"{run.id}  {describe(run.spec())}: {data['status']}", highlight=False)
    console.print_json(data=data["spec"])
    if outcome := data["outcome"]:
        outcome = {**outcome, "observed": {q: len(s) for q, s in outcome["observed"].items()}}
        console.print_json(data=outcome)
    for row in data["last_rows"]:
        console.print(row)
    if data["failure"]:
        console.print(data["failure"], markup=False)


def print_verdicts(verdicts: dict[str, Any]) -> None:
    """One line for each claim of a figure."""
    console = Console()
    for claim in verdicts["claims"]:
        console.print(
            f"{verdicts['figure']} ({verdicts['scale']}) {claim['verdict']}: {claim['statement']}",
            highlight=False,
            soft_wrap=True,
        )
