"""Figure 19: AdamW with a large β1, with and without a ramp."""

from ademamix.paper.runs import ADAMW, run
from analysis import style
from analysis.claims import Claim, Measure, in_order, lower, ranking
from experiments import lines
from experiments.lines import Line

NUMBER = 19
TITLE = "AdamW with a large β1, with and without a ramp (110M)"

PANELS = "ab"
SIZE = "110M"
HORIZON = 256_000
AT_ONCE = (0.9, 0.99, 0.999, 0.9999, 0.99999)  # panel a
RAMPED = ((0.9, 0.999), (0.99, 0.999), (0.999, 0.999), (0.9999, 0.999), (0.99995, 0.999), (0.99999, 0.999),
          (0.99999, 0.9999))  # panel b: (β1, β2), with T_β1 = T  # fmt: skip
USUAL = "β1 = 0.9"


def name_of(beta1: float, beta2: float = 0.999) -> str:
    return f"β1 = {beta1}" if beta2 == 0.999 else f"β1 = {beta1}, β2 = {beta2}"


def _line(panel: str, beta1: float, beta2: float = 0.999) -> Line:
    ramp = {"beta1_warmup": HORIZON} if panel == "b" and beta1 != 0.9 else {}
    paper = run(SIZE, ADAMW, HORIZON, beta1=beta1, beta2=beta2, **ramp)
    if panel == "a":
        return Line(panel, name_of(beta1, beta2), paper, HORIZON, swept={"β1": str(beta1)})
    swept = {"β1": str(beta1), "β2": str(beta2)}
    return Line(panel, name_of(beta1, beta2), paper, HORIZON, "headline", swept=swept)


LINES = [*(_line("a", beta1) for beta1 in AT_ONCE), *(_line("b", *betas) for betas in RAMPED)]
TITLES = {"a": "(a) AdamW, β1 from the start", "b": "(b) AdamW, β1 with a ramp over T"}


def looks() -> lines.Looks:
    return {USUAL: {"color": style.colour("AdamW"), "linestyle": "--"}}


needs, table, draw = lines.figure(LINES, TITLES, looks)


def _none_better(panel: str) -> Measure:
    names = [line.label for line in LINES if line.panel == panel and line.label != USUAL]
    return lower(panel, USUAL, names)


CLAIMS = [
    Claim(
        name="none-beats-0.9",
        statement="No β1 above 0.9 beats 0.9.",
        statistic="final validation loss, larger β1 − β1 = 0.9; infinite where it diverges",
        measure=_none_better("a"),
        report=ranking("a", [line.label for line in LINES if line.panel == "a"]),
    ),
    Claim(
        name="diverges-above-0.999",
        statement="Above 0.999, training diverges or ends far worse than with 0.999.",
        statistic="final validation loss, β1 − β1 = 0.999, for 0.9999 and 0.99999",
        measure=lower("a", name_of(0.999), [name_of(0.9999), name_of(0.99999)]),
        threshold=0.1,
    ),
    Claim(
        name="ramp-worse-as-beta1-grows",
        statement="With a ramp of β1, AdamW ends worse the larger β1 is.",
        statistic="final validation loss of each β1 − that of the next smaller one, all with β2 = 0.999",
        measure=in_order("b", [name_of(*betas) for betas in RAMPED if betas[1] == 0.999]),
        report=ranking("b", [line.label for line in LINES if line.panel == "b"]),
    ),
]
