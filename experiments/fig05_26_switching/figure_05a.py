"""Figure 5a: the wall time of AdamW and AdEMAMix, measured on the machine at hand."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.scale import Scale
from ademamix.spec import Need, RunSpec
from analysis.claims import Claim, Effect
from analysis.stats import t_interval
from experiments.dials import dial

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 5
PANEL = PANELS = "a"
TITLE = "Wall time of AdamW and AdEMAMix"

HORIZON = 256_000
OPTIMIZERS = {"AdamW": ADAMW, "AdEMAMix": ADEMAMIX}
# Size → the paper's overhead, in percent of AdamW's time: 2,379 and 5,421 AdamW iterations.
PAPER = {"110M": 0.93, "1.3B": 2.1}
STEPS = 20  # updates of each optimizer in a round
ROUNDS = dial(__file__, "rounds", default=30)


def needs(scale: Scale) -> list[Need]:
    """No runs: what it shows depends on the machine and is measured by `measure`."""
    return []


def measured_runs(scale: Scale) -> list[RunSpec]:
    """What is timed: both optimizers at both sizes."""
    return [spec for size in PAPER for spec in _specs(scale, size).values()]


def _specs(scale: Scale, size: str) -> dict[str, RunSpec]:
    return {name: scale.map(run(size, kind, HORIZON)) for name, kind in OPTIMIZERS.items()}


def measure(scale: Scale, data_root: Path, device: str) -> dict[str, Any]:
    """Time both optimizers at both sizes, in turns: a minute at `cpu`. Nothing else should be running."""
    import torch

    from ademamix.data.locate import ensure
    from ademamix.training.timing import interleaved

    found: dict[str, Any] = {"iterations": scale.steps(HORIZON), "sizes": {}}
    for size in PAPER:
        specs = _specs(scale, size)
        for spec in specs.values():
            ensure(spec.data, data_root)
        at = torch.device(device)
        timing = interleaved(specs, STEPS, ROUNDS(scale), data_root, at, scale.micro_batch)
        found["machine"] = timing.machine
        found["sizes"][size] = {
            f"{name} ({timing.implementations[name]})": seconds for name, seconds in timing.seconds.items()
        }
    return found


def table(results: "Results") -> "pd.DataFrame":
    """Column `seed`: the round; x: iterations of a training; y: seconds per iteration."""
    from analysis.tables import tabulate

    measured = results.measurement("figure-05a")
    return tabulate(
        ("a", f"{size}, {name}", number, measured["iterations"], each)
        for size, by_name in measured["sizes"].items()
        for name, seconds in by_name.items()
        for number, each in enumerate(seconds)
    )


def seconds(frame: "pd.DataFrame", size: str, optimizer: str) -> list[float]:
    """Seconds per iteration, one value for each round."""
    rows = frame[frame["series"].str.startswith(f"{size}, {optimizer} ")]
    return rows.sort_values("seed")["y"].tolist()


def overheads(frame: "pd.DataFrame", size: str) -> list[float]:
    """How much longer AdEMAMix's iterations take, in percent, one value for each round."""
    pairs = zip(seconds(frame, size, "AdEMAMix"), seconds(frame, size, "AdamW"), strict=True)
    return [100 * (mine / theirs - 1) for mine, theirs in pairs]


def draw(frame: "pd.DataFrame") -> "Figure":
    """A bar for each size and optimizer, with its 95% interval over rounds; the overhead above."""
    from analysis import curves, style

    figure, (axes,) = curves.grid(1, below=0.2)
    iterations = int(frame["x"].iloc[0])
    unit, name = (60, "minutes") if frame["y"].max() * iterations < 7200 else (3600, "hours")
    for i, size in enumerate(PAPER):
        tallest = 0.0
        for j, optimizer in enumerate(OPTIMIZERS):
            mean, width = (v * iterations / unit for v in t_interval(seconds(frame, size, optimizer)))
            bar = axes.bar(i + 0.36 * (j - 0.5), mean, 0.34, yerr=width, color=style.colour(optimizer))
            if i == 0:
                bar.set_label(_label(frame, optimizer))
            tallest = max(tallest, mean + width)
        mean, width = t_interval(overheads(frame, size))
        axes.annotate(f"{mean:+.1f} ± {width:.1f}%", (i, tallest), ha="center", xytext=(0, 3),
                      textcoords="offset points", fontsize=7)  # fmt: skip
    axes.set_xticks(range(len(PAPER)), list(PAPER))
    axes.set_ylabel(f"{name} for {iterations:,} iterations")
    axes.set_title("(a) wall time")
    axes.grid(visible=False, axis="x")
    axes.set_ylim(top=1.18 * axes.get_ylim()[1])
    curves.legend_below(axes, columnspacing=2.0)
    return figure


def _label(frame: "pd.DataFrame", optimizer: str) -> str:
    """'AdEMAMix (c)': with the implementation that was measured."""
    names = frame["series"].str.partition(", ")[2]
    return str(names[names.str.startswith(f"{optimizer} ")].iloc[0])


def _small(frame: "pd.DataFrame") -> Sequence[Effect]:
    return [
        Effect(
            f"{size}: {limit}% − overhead", tuple(limit - o for o in overheads(frame, size)), over="rounds"
        )
        for size, limit in PAPER.items()
    ]


def _extra(frame: "pd.DataFrame") -> dict[str, str]:
    found = {}
    for size in PAPER:
        mean, width = t_interval(overheads(frame, size))
        extra = [share / 100 * HORIZON for share in (mean - width, mean, mean + width)]
        text = f"{mean:+.2f} ± {width:.2f}%, as much as {extra[1]:,.0f} of 256k AdamW iterations"
        found[f"overhead at {size}"] = f"{text} ({extra[0]:,.0f} to {extra[2]:,.0f})"
    return found


def _mean_overheads(frame: "pd.DataFrame") -> str:
    return ", ".join(f"{mean(overheads(frame, size)):+.1f}%" for size in PAPER)


CLAIMS = [
    Claim(
        name="small-overhead",
        statement="AdEMAMix's iterations take hardly longer than AdamW's: 0.93% at 110M, 2.1% at 1.3B.",
        statistic="the paper's overhead minus the one measured, in percent of AdamW's time, paired by round",
        measure=_small,
        report=_extra,
        number=(
            "+0.93%, +2.1%",
            lambda frame: ", ".join(f"{mean(overheads(frame, s)):+.1f}%" for s in PAPER),
        ),
    ),
]
