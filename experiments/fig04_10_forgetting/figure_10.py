"""Figure 10: forgetting while the learning rate is constant, and while it decays."""

from typing import TYPE_CHECKING

from ademamix.paper.language import language
from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun, run
from ademamix.scale import Scale
from ademamix.schedules import Constant, LinearDecay
from ademamix.spec import Need
from analysis.claims import Claim, Effect
from analysis.curves import thousands
from experiments.fig04_10_forgetting import injections
from experiments.fig04_10_forgetting.injections import NAMES, SIZE, Forgetting, paired, peak, retained

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.results import Results

NUMBER = 10
TITLE = "Forgetting at a constant learning rate and during its decay (110M)"

PANELS = "abcd"
DECAY, END = 250_000, 300_000  # 3k steps of warm-up, 247k constant, 50k of linear decay
AT = {"a": 230_000, "b": 270_000, "c": 280_000, "d": 290_000}


def _reference(optimizer: str) -> PaperRun:
    warmup = language().warmup
    trunk = run(SIZE, optimizer, END).changed(schedule=Constant(warmup=warmup)).at_shared_rate()
    decay = LinearDecay(warmup=warmup, start=DECAY, end=END)
    return trunk.branch(DECAY, schedule=decay)


FORGETTING = Forgetting(
    references={optimizer: _reference(optimizer) for optimizer in (ADAMW, ADEMAMIX)},
    at=AT,
    since=210_000,
    until=END,
)


def needs(scale: Scale) -> list[Need]:
    return FORGETTING.needs(scale)


def table(results: "Results") -> "pd.DataFrame":
    return FORGETTING.table(results)


def draw(frame: "pd.DataFrame") -> "Figure":
    return injections.draw(frame, AT, END, decay_from=DECAY)


def _only_in_the_decay(frame: "pd.DataFrame") -> list[Effect]:
    """What is kept of each batch that came in the decay, minus what is kept of the one before it."""
    return [
        paired(
            f"{name}: {thousands(AT[panel])} − {thousands(AT['a'])}",
            retained(frame, panel, name) - retained(frame, "a", name),
        )
        for name in NAMES.values()
        for panel in "bcd"
    ]


SMALL = 0.1  # of the drop: what counts as forgotten


def _forgotten_before(frame: "pd.DataFrame") -> list[Effect]:
    """A tenth of the mean drop on the batch before the decay, minus what is left of it."""
    return [
        paired(name, SMALL * peak(frame, "a", name).mean() - retained(frame, "a", name))
        for name in NAMES.values()
    ]


CLAIMS = [
    *injections.after_the_batch(AT, END),
    Claim(
        name="forgotten-before-the-decay",
        statement="What was seen before the decay is forgotten by the end,",
        statistic=f"a tenth of the drop after t_B = {thousands(AT['a'])} minus what is left of it at the end",
        measure=_forgotten_before,
    ),
    Claim(
        name="remembered-in-the-decay",
        statement="and what is seen during it is remembered better.",
        statistic="loss on B at the end, reference − branch: of a t_B in the decay − of the one before it",
        measure=_only_in_the_decay,
        report=injections.summary(AT),
    ),
]
