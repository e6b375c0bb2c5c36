"""One task, one model: what the quantity `Accuracy` observes."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ademamix.errors import UserError
from ademamix.evaluation import local
from ademamix.evaluation.choices import Evaluation, Question, answered, digest_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ademamix.quantities import Accuracy
    from ademamix.tasks.language import LanguageRun

EXTRA = "lm-eval is not installed; install it with: uv pip install -e '.[eval]'"


def refused(quantity: "Accuracy", spec: "LanguageRun") -> str:
    """Why a task cannot be asked of a run's model; '' when it can, as far as can be told without its data."""
    if quantity.name in local.TASKS:
        of_bytes = spec.data.kind == "pysource" and getattr(spec.data, "tokenizer", "") == "bytes"
        return "" if of_bytes else "is for models of the bytes of pysource"
    return "" if find_spec("lm_eval") else EXTRA


def evaluate(
    quantity: "Accuracy", model: "nn.Module", spec: "LanguageRun", corpus: Path, device: "torch.device"
) -> Evaluation:
    """Ask the questions of a task.

    Args:
        quantity: the task, and how many of its questions.
        model: tokens to logits, in evaluation mode.
        spec: the run whose model it is; a question that is longer than its windows loses its beginning.
        corpus: the folder of the tokens that it was trained on.

    Raises:
        UserError: the task is not known, or its data cannot be reached.
    """
    if why := refused(quantity, spec):
        raise UserError(f"task '{quantity.name}': {why}")
    if quantity.name not in local.TASKS:
        from ademamix.evaluation.harness import ask

        return ask(quantity, model, spec, corpus, device)
    questions = local.load(quantity.name, corpus)[: quantity.questions]
    right, norm = answered(questions, scores(questions, model, spec.sequence, device))
    return Evaluation(
        quantity.name, local.VERSION, digest_of(questions), "local", right, norm, cluster=local.CHOICES
    )


def scores(
    questions: list[Question], model: "nn.Module", longest: int, device: "torch.device"
) -> list[list[float]]:
    """The log-likelihood of each choice of each question, for a model of bytes."""
    from ademamix.evaluation.scoring import log_likelihoods

    pairs = [(q.context.encode(), choice.encode()) for q in questions for choice in q.choices]
    found = iter(log_likelihoods(model, pairs, longest, device))
    return [[next(found).log for _ in question.choices] for question in questions]
