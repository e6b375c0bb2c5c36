"""Tasks of EleutherAI's lm-eval (the extra `eval`), asked of a run's model.

Where a context ends and an answer begins is lm-eval's own rule (`TemplateLM`), so that results compare with
those of others.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lm_eval
from lm_eval.api.model import TemplateLM
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager

from ademamix.checkout import checkout
from ademamix.data.tokenizer import Tokenizer, tokenizer_of
from ademamix.errors import UserError, did_you_mean
from ademamix.evaluation import hub
from ademamix.evaluation.choices import Evaluation
from ademamix.evaluation.scoring import Likelihood, log_likelihoods

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ademamix.quantities import Accuracy
    from ademamix.tasks.language import LanguageRun

Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]
OWN_TASKS = "configs/evaluation"  # task definitions that lm-eval does not have
METRICS = ("acc", "acc_norm")


class Harnessed(TemplateLM):
    """A model as lm-eval sees it: it can say how likely a continuation is, and nothing else.

    Args:
        likelihoods: (context, continuation) pairs, as tokens → how likely each continuation is.
        text: how text becomes tokens.
    """

    def __init__(self, likelihoods: Callable[[Pairs], Sequence[Likelihood]], text: Tokenizer) -> None:
        super().__init__()
        self.likelihoods = likelihoods
        self.text = text

    @property
    def eot_token_id(self) -> int:
        """What stands before a continuation without a context."""
        return self.text.separator

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        return self.text.encode([string.encode()])[0].tolist()

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **kwargs: Any
    ) -> list[tuple[float, bool]]:
        pairs = [(context, continuation) for _, context, continuation in requests]
        return [tuple(found) for found in self.likelihoods(pairs)]  # type: ignore[misc]

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> Any:
        raise UserError("tasks that score whole texts are not supported; ask tasks of multiple choice")

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> Any:
        raise UserError("tasks that generate text are not supported; ask tasks of multiple choice")


def ask(
    quantity: "Accuracy", model: "nn.Module", spec: "LanguageRun", corpus: Path, device: "torch.device"
) -> Evaluation:
    """As `measure.evaluate`, a task that lm-eval knows, or one in configs/evaluation."""
    asked = Harnessed(
        lambda pairs: log_likelihoods(model, pairs, spec.sequence, device),
        tokenizer_of(getattr(spec.data, "tokenizer", ""), corpus),
    )
    return asked_of(asked, quantity.name, quantity.questions)


def asked_of(
    asked: TemplateLM, name: str, limit: int | None = None, definition: Mapping[str, Any] | None = None
) -> Evaluation:
    """What a model's answers to a task, or to the tasks of a group in order, come to.

    `definition`: in place of the one that lm-eval has under that name.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # progress bars
        tasks = opened(name, definition)
        found = evaluate(asked, tasks, limit=limit, bootstrap_iters=0, log_samples=True)
    samples = [sample for task in sorted(found["samples"]) for sample in found["samples"][task]]
    right = {m: tuple(float(sample[m]) for sample in samples if m in sample) for m in METRICS}
    if len(right["acc"]) != len(samples):
        raise UserError(f"task '{name}' does not count right answers (acc); ask one of multiple choice")
    versions = {str(version) for version in found["versions"].values()}
    digest = sha256("".join(sample["doc_hash"] for sample in samples).encode()).hexdigest()[:12]
    source = f"lm-eval {lm_eval.__version__}"
    return Evaluation(name, ", ".join(sorted(versions)), digest, source, right["acc"], right["acc_norm"])


def opened(name: str, definition: Mapping[str, Any] | None) -> dict[str, Any]:
    """The task with its data, or those of a group, as lm-eval's `evaluate` takes them.

    Raises:
        UserError: there is no such task, or its data cannot be reached.
    """
    manager = TaskManager(include_path=str(checkout() / OWN_TASKS))
    if definition is None and name not in manager.all_tasks:
        raise UserError(f"unknown task '{name}'{did_you_mean(name, manager.all_tasks)}")
    # What is stated here lies on disk, whatever else does.
    online = definition is not None or hub.answers()
    try:
        with nullcontext() if online else hub.caches_alone():
            return manager.load([dict(definition) if definition else name])
    except Exception as problem:  # whatever the libraries that fetch data raise
        why = f"{type(problem).__name__}: {' '.join(str(problem).split())[:200]}"
        if not online:
            why = f"it is not in this machine's cache, and {hub.endpoint()} does not answer"
        raise UserError(
            f"task '{name}': its data cannot be reached ({why}); ask it once on a machine with network, "
            "and name the cache that this leaves by HF_HOME"
        ) from None
