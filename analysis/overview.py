"""All verdicts of a scale on one page: a row for each figure, a dot for each claim.

A dot stands at the distance of its claim's effect from the threshold, in half-widths of the effect's 95%
interval: beyond 1 the claim is decided. Of several effects it is the one that the verdict hangs on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis import style
from analysis.claims import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Verdict → colour and marker: told apart without colour, too.
LOOKS: Mapping[Verdict, tuple[str, str]] = {
    "reproduced": ("#0072B2", "o"),
    "inconclusive": ("0.6", "D"),
    "not reproduced": ("#D55E00", "X"),
}
FAR = 12.0  # half-widths; what is further, diverged or exact stands here
ROW = 0.19  # inches
SIZE = 4.5  # of a dot, points
MARGIN = 0.15  # inches, at the sides: a browser may set the names of the rows wider than here


@dataclass(frozen=True)
class Dot:
    """A claim on the page.

    Attributes:
        distance: of its effect from the threshold in half-widths of the interval; None: no interval.
        number: "the paper's number → ours", where the paper names one.
    """

    verdict: Verdict
    distance: float | None
    number: str


def dot(claim: Mapping[str, Any]) -> Dot | None:
    """The dot of a judged claim of claims.json; None where the scale judges nothing."""
    verdict = claim["verdict"]
    if verdict not in LOOKS:
        return None
    found = (_distance(effect, claim["threshold"]) for effect in claim["effects"])
    distances = sorted((d for d in found if d is not None), reverse=True)
    decisive = distances[min(claim["needed"], len(distances)) - 1] if distances else None
    number = claim.get("number")
    return Dot(verdict, decisive, f"{number['paper']} → {number['ours']}" if number else "")


def _distance(effect: Mapping[str, Any], threshold: float) -> float | None:
    value, width = effect["value"], effect["resolution"]
    if value == "diverged" or width == 0:
        return {"reproduced": math.inf, "not reproduced": -math.inf}.get(effect["verdict"])
    return (value - threshold) / width if width else None


def draw(claims: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str], folder: str) -> "Figure | None":
    """The page; None where nothing is judged.

    Args:
        claims: artifact ('figure-01') → its verdicts, as in claims.json.
        titles: artifact → what stands beside its row, in the order of the rows.
        folder: the scale, or 'exact'.
    """
    from matplotlib import pyplot as plt

    rows = {name: [d for c in claims[name]["claims"] if (d := dot(c))] for name in titles if name in claims}
    rows = {name: dots for name, dots in rows.items() if dots}
    if not rows:
        return None
    figure, axes = plt.subplots(figsize=(style.WIDTH, ROW * len(rows) + 1.0))
    axes.axvspan(-1, 1, color="0.93", linewidth=0, zorder=0)
    axes.axvline(0, color="0.7", linewidth=0.6)
    for y, dots in enumerate(rows.values()):
        _draw_row(axes, y, dots)
    axes.set_yticks(range(len(rows)), [titles[name] for name in rows], fontsize="small")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("symlog", linthresh=1, linscale=0.8)
    axes.set_xlim(-1.15 * FAR, 1.15 * FAR)
    axes.set_xticks([-FAR, -4, -2, -1, 0, 1, 2, 4, FAR], ["far", "−4", "−2", "−1", "0", "1", "2", "4", "far"])
    axes.minorticks_off()
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("effect beyond its threshold, in half-widths of its 95% interval", fontsize="small")
    axes.set_title(f"What reproduces: {folder if folder == 'exact' else f'scale {folder}'}")
    _legend(axes, [d for dots in rows.values() for d in dots])
    if engine := figure.get_layout_engine():
        engine.set(w_pad=MARGIN)  # type: ignore[call-arg]
    return figure


def _draw_row(axes: "Axes", y: int, dots: Sequence[Dot]) -> None:
    for i, one in enumerate(dots):
        shift = 0.5 * (i - (len(dots) - 1) / 2) / max(len(dots), 3)
        colour, marker = LOOKS[one.verdict]
        x = 0.0 if one.distance is None else max(-FAR, min(FAR, one.distance))
        hollow = one.distance is None  # nothing is known of its noise
        fill: dict[str, Any] = {
            "markerfacecolor": "none" if hollow else colour,
            "markeredgewidth": 0.8 * hollow,
        }
        axes.plot(x, y + shift, marker, color=colour, markersize=SIZE, **fill)
    numbers = ", ".join(one.number for one in dots if one.number)
    axes.annotate(numbers, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize="xx-small",
                  color="0.3", annotation_clip=False)  # fmt: skip


def _legend(axes: "Axes", dots: Sequence[Dot]) -> None:
    for verdict, (colour, marker) in LOOKS.items():
        count = sum(d.verdict == verdict for d in dots)
        axes.plot(
            [], [], marker, color=colour, markersize=4.5, markeredgewidth=0, label=f"{verdict}: {count}"
        )
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
