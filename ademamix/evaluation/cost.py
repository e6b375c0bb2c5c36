"""What it costs to ask a plan's models their questions. Imports no torch.

Questions and answers of a task are counts of its data. Its texts are taken as long as they can be where it is
made from `pysource`; for those of the network a rough mean length is assumed, in tokens, since none could be
fetched where this was written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from ademamix.evaluation import local
from ademamix.plan import Wanted, hours
from ademamix.quantities import Accuracy
from ademamix.scale import Scale

FORWARD = 1 / 3  # of the operations of a forward and backward pass


class Size(NamedTuple):
    """Of a task: its questions, the passes that one takes, the mean length of a pass in tokens.

    Choices of one token share a pass (`scoring.py`).
    """

    questions: int
    passes: float
    tokens: int


SIZES: Mapping[str, Size] = {
    **{task: Size(local.CHOICES * local.GROUPS, local.CHOICES, local.LONGEST) for task in local.TASKS},
    "arc_challenge": Size(1_172, 4, 35),
    "arc_easy": Size(2_376, 4, 30),
    "boolq": Size(3_270, 1, 160),
    "hellaswag": Size(10_042, 4, 90),
    "logiqa": Size(651, 4, 170),
    "mathqa": Size(2_985, 5, 60),
    "mmlu_continuation": Size(14_042, 4, 90),
    "openbookqa": Size(500, 4, 16),
    "piqa": Size(1_838, 2, 40),
    "pubmedqa": Size(500, 1, 350),
    "reward_bench": Size(2_985, 2, 350),
    "reward_bench_reasoning": Size(1_431, 2, 350),
    "sciq": Size(1_000, 4, 110),
    "truthfulqa_mc2": Size(817, 7.2, 200),
    "winogrande": Size(1_267, 2, 25),
}
Seconds = Mapping[tuple[str, str], float]  # (set-up, task) → of a question, measured


@dataclass(frozen=True)
class Asking:
    """What the questions of a plan come to.

    Attributes:
        tasks: by name; of `unknown` ones nothing is counted.
        checkpoints: at which any is asked.
        questions, passes, tokens, flops: of all checkpoints.
        hours: of one worker; `measured` of them by the time that a question took, the rest by operations.
    """

    tasks: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    checkpoints: int = 0
    questions: int = 0
    passes: float = 0.0
    tokens: float = 0.0
    flops: float = 0.0
    hours: float = 0.0
    measured: float = 0.0

    @property
    def assumed(self) -> bool:
        """Whether lengths of texts are."""
        return any(task not in local.TASKS for task in self.tasks)


def asking(wanted: Iterable[Wanted], at: Scale, seconds: Seconds) -> Asking:
    """What asking the questions of these runs costs.

    `seconds`: what a question took where it was measured.
    """
    tasks: set[str] = set()
    checkpoints: set[tuple[str, int]] = set()
    total = Asking()
    for w in wanted:
        for quantity, steps in w.observe.items():
            if not isinstance(quantity, Accuracy) or not steps:
                continue
            tasks.add(quantity.name)
            checkpoints |= {(w.spec.id, step) for step in steps}
            if quantity.name in SIZES:
                total = _added(total, w, quantity, len(steps), at, seconds)
    known = tuple(sorted(tasks & SIZES.keys()))
    return replace(
        total, tasks=known, unknown=tuple(sorted(tasks - SIZES.keys())), checkpoints=len(checkpoints)
    )


def _added(total: Asking, w: Wanted, quantity: Accuracy, looks: int, at: Scale, seconds: Seconds) -> Asking:
    size = SIZES[quantity.name]
    questions = looks * min(size.questions, quantity.questions or size.questions)
    passes = questions * size.passes
    tokens = min(size.tokens, w.spec.sample)
    flops = passes * w.spec.model.training_flops(tokens) * FORWARD
    setup = w.paper.setup.name if w.paper else ""
    each = seconds.get((setup, quantity.name))
    spent = hours(flops, at) if each is None else questions * each / 3600
    return replace(
        total,
        questions=total.questions + questions,
        passes=total.passes + passes,
        tokens=total.tokens + passes * tokens,
        flops=total.flops + flops,
        hours=total.hours + spent,
        measured=total.measured + (0.0 if each is None else spent),
    )
