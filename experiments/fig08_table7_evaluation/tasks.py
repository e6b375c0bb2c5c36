"""What Figure 8 and Table 7 share: the models, and the tasks that a scale asks them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ademamix.paper.runs import ADAMW, ADEMAMIX, PaperRun, run
from ademamix.quantities import Accuracy, Quantity
from ademamix.scale import Scale
from experiments.dials import dial

SIZE, LENGTH = "1.3B", 1_000_000  # 131B tokens
OPTIMIZERS: Mapping[str, PaperRun] = {
    "AdamW": run(SIZE, ADAMW, LENGTH),
    "AdEMAMix": run(SIZE, ADEMAMIX, LENGTH),
}


@dataclass(frozen=True)
class Task:
    """A task: its name in lm-eval, in the paper, and what the paper's two models score (AdamW, AdEMAMix)."""

    name: str
    title: str
    paper: tuple[float, float] | None = None


PAPERS = [
    Task("arc_challenge", "ARC-Challenge", (0.262, 0.274)),
    Task("arc_easy", "ARC-Easy", (0.612, 0.619)),
    Task("boolq", "BoolQ", (0.569, 0.576)),
    Task("hellaswag", "HellaSwag", (0.426, 0.436)),
    Task("logiqa", "LogiQA", (0.235, 0.225)),
    Task("mathqa", "MathQA", (0.226, 0.236)),
    Task("winogrande", "Winogrande", (0.563, 0.580)),
    Task("mmlu_continuation", "MMLU", (0.244, 0.248)),
    Task("openbookqa", "OpenbookQA", (0.240, 0.238)),
    Task("piqa", "PIQA", (0.715, 0.715)),
    Task("pubmedqa", "PubmedQA", (0.556, 0.632)),
    Task("reward_bench", "RewardBench", (0.569, 0.573)),
    Task("reward_bench_reasoning", "RewardBench (reasoning)", (0.617, 0.630)),
    Task("sciq", "Sciq", (0.903, 0.907)),
    Task("truthfulqa_mc2", "TruthfulQA", (0.361, 0.352)),
]
LOCAL = [
    Task("pysource_text", "Which text follows"),
    Task("pysource_block", "Which name closes the block"),
    Task("pysource_arguments", "Which arguments fit the call"),
]

is_local = dial(__file__, "local", False)
questions = dial(__file__, "questions", None)


def asked(scale: Scale) -> list[Task]:
    """The tasks of a scale."""
    return LOCAL if is_local(scale) else PAPERS


def quantity(task: Task, scale: Scale) -> Quantity:
    """The share of right answers to a task, as the scale observes it."""
    count = questions(scale)
    return Accuracy(task=f"{task.name}/{count}" if count else task.name)


def seeded(scale: Scale) -> Iterator[tuple[str, PaperRun, int]]:
    """(optimizer, run of the paper, seed) of every model."""
    for name, paper in OPTIMIZERS.items():
        for seed in scale.seeds.few:
            yield name, paper, seed
