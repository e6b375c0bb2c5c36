"""The paper's set-ups (appendix B) as runs, with the paper's own numbers.

What an experiment starts from: `run("110M", "ademamix", horizon=256_000)` is the paper's best
AdEMAMix run of that size and length; keyword arguments change what the experiment varies.
"""

from functools import cache
from typing import Any

import yaml
from pydantic import Field

from ademamix.checkout import checkout
from ademamix.errors import UserError, did_you_mean
from ademamix.spec import AdamW, AdEMAMix, Cosine, Frozen, RunSpec, Steps, TokenFolder, Transformer

WARMUP = 3_000
WEIGHT_DECAY = 0.1
BETA3 = 0.9999
ADAMW, ADEMAMIX = "adamw", "ademamix"


class Tried(Frozen):
    """Values of a hyperparameter that the paper tried (Tables 2–4); None stands for 'none'."""

    lr: dict[str, list[float]]
    clipping: list[float | None]
    alpha: list[float]
    beta3: list[float]


class LanguageModel(Frozen):
    """A size of configs/models: architecture, and the paper's best values for it."""

    name: str
    also_called: str | None = None
    model: Transformer
    batch: Steps
    sequence: Steps
    clipping: float
    lr: dict[str, float] = Field(description="best learning rate by optimizer")
    alpha: float
    tried: Tried


def language_models() -> list[str]:
    """Names of the paper's language-model sizes, smallest first."""
    paths = (checkout() / "configs" / "models").glob("*.yaml")
    return sorted((path.stem for path in paths), key=lambda name: language_model(name).model.width)


@cache
def language_model(name: str) -> LanguageModel:
    """The size called `name` ('110M', '330M', '1.3B')."""
    path = checkout() / "configs" / "models" / f"{name}.yaml"
    if not path.exists():
        names = [p.stem for p in path.parent.glob("*.yaml")]
        raise UserError(f"unknown model '{name}'{did_you_mean(name, names)}")
    data = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return LanguageModel.model_validate({"name": name, **data})


def run(size: str, optimizer: str, horizon: int, **optimizer_changes: Any) -> RunSpec:
    """The paper's run of `size` with its best values (B.1), cosine decay over `horizon` steps.

    AdEMAMix warms α and β3 up over the whole horizon. `optimizer_changes` replace fields of the
    optimizer.
    """
    best = language_model(size)
    common = {"lr": best.lr[optimizer], "weight_decay": WEIGHT_DECAY}
    built: AdamW | AdEMAMix
    if optimizer == ADEMAMIX:
        slow = {
            "beta3": BETA3,
            "alpha": best.alpha,
            "alpha_warmup": horizon,
            "beta3_warmup": horizon,
        }
        built = AdEMAMix(**{"kind": ADEMAMIX, **common, **slow, **optimizer_changes})
    else:
        built = AdamW(**{"kind": ADAMW, **common, **optimizer_changes})
    return RunSpec(
        task="language",
        model=best.model,
        data=TokenFolder(kind="tokens", set="redpajama-v2", tokenizer="sentencepiece-32000"),
        optimizer=built,
        schedule=Cosine(kind="cosine", warmup=WARMUP, horizon=horizon),
        batch=best.batch,
        sequence=best.sequence,
        seed=0,
        precision="bf16",
        clipping=best.clipping,
    )
