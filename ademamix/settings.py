"""The paper's set-ups (appendix B) as runs, with the paper's own numbers.

What an experiment starts from: `run("110M", "ademamix", horizon=256_000)` is the paper's best
AdEMAMix run of that size and length; keyword arguments change what the experiment varies.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import yaml
from pydantic import Field

from ademamix.checkout import checkout
from ademamix.errors import UserError, did_you_mean
from ademamix.spec import (
    Ad3EMAMix,
    AdamW,
    AdEMAMix,
    AnyOptimizer,
    ConvexAdEMAMix,
    Cosine,
    Frozen,
    RunSpec,
    Steps,
    TokenFolder,
    Transformer,
)
from ademamix.spec import Lion as LionSpec

ADAMW, ADEMAMIX, LION = "adamw", "ademamix", "lion"
CONVEX, THREE_EMAS = "ademamix-convex", "ad3emamix"
SLOW = (ADEMAMIX, CONVEX, THREE_EMAS)  # have slow EMAs, and AdEMAMix's learning rate
KINDS: dict[str, Callable[..., AnyOptimizer]] = {
    ADAMW: AdamW,
    ADEMAMIX: AdEMAMix,
    CONVEX: ConvexAdEMAMix,
    THREE_EMAS: Ad3EMAMix,
    LION: LionSpec,
}


class Range(Frozen):
    """A hyperparameter tried between two values, of which the paper names no others."""

    from_: float = Field(alias="from")
    to: float


class CommonTried(Frozen):
    """Values that the paper tried at all sizes."""

    warmup: Range
    weight_decay: list[float]
    beta1: dict[str, list[float]] = Field(description="by optimizer")
    beta2: dict[str, list[float]] = Field(description="by optimizer")


class Common(Frozen):
    """What the language models of every size share (configs/models/language.yaml)."""

    sequence: Steps
    vocabulary: Steps
    warmup: Steps
    final_lr: float
    weight_decay: float
    beta1: float
    beta2: float
    beta3: float
    tried: CommonTried


class Tried(Frozen):
    """Values of a hyperparameter that the paper tried (Tables 2–4); None stands for 'none'."""

    lr: dict[str, list[float]]
    clipping: list[float | None]
    alpha: list[float]
    beta3: list[float]


class Searched(Frozen):
    """A hyperparameter's values as the paper tried them, and the best of them."""

    best: float
    tried: list[float]


class Lion(Frozen):
    """The paper's search for Lion (Table 8), in the paper's notation."""

    lr: Searched
    weight_decay: Searched
    clipping: Searched
    alpha: Searched
    beta: Searched


class LanguageModel(Frozen):
    """A size of configs/models/language: architecture, and the paper's best values for it."""

    name: str
    also_called: str | None = None
    model: Transformer
    batch: Steps
    sequence: Steps
    clipping: float
    lr: dict[str, float] = Field(description="best learning rate by optimizer")
    alpha: float
    equally_good_alpha: tuple[float, ...] = ()
    tried: Tried
    lion: Lion | None = None
    in_table_1: bool = True


@cache
def language() -> Common:
    """What all language models share."""
    return Common.model_validate(read_yaml("language.yaml"))


def read_yaml(name: str) -> Any:
    """A file of configs/models."""
    text = (checkout() / "configs" / "models" / name).read_text()
    return yaml.load(text, Loader=yaml.CSafeLoader)


def table_sizes() -> list[str]:
    """The sizes of the paper's Table 1, smallest first."""
    return [name for name in language_models() if language_model(name).in_table_1]


def language_models() -> list[str]:
    """Names of the paper's language-model sizes, smallest first."""
    paths = (checkout() / "configs" / "models" / "language").glob("*.yaml")
    models = {path.stem: language_model(path.stem).model for path in paths}
    return sorted(models, key=lambda name: models[name].width * models[name].layers)


@cache
def language_model(name: str) -> LanguageModel:
    """The size called `name` ('110M', '330M', '1.3B')."""
    folder = checkout() / "configs" / "models" / "language"
    if not (folder / f"{name}.yaml").exists():
        names = [path.stem for path in folder.glob("*.yaml")]
        raise UserError(f"unknown model '{name}'{did_you_mean(name, names)}")
    return LanguageModel.model_validate({"name": name, **read_yaml(f"language/{name}.yaml")})


def run(size: str, optimizer: str, horizon: int, **optimizer_changes: Any) -> RunSpec:
    """The paper's run of `size` with its best values (B.1), cosine decay over `horizon` steps.

    AdEMAMix warms α and β3 up over the whole horizon. `optimizer_changes` replace fields of the
    optimizer.
    """
    best, shared = language_model(size), language()
    usual = ADEMAMIX if optimizer in SLOW else ADAMW
    common: dict[str, Any] = {"lr": best.lr[usual], "weight_decay": shared.weight_decay}
    if optimizer in SLOW:
        common |= {
            "beta3": shared.beta3,
            "alpha": best.alpha,
            "alpha_warmup": horizon,
            "beta3_warmup": horizon,
        }
    if optimizer == LION and best.lion:
        lion = best.lion
        common = {name: getattr(lion, name).best for name in ("lr", "weight_decay", "alpha", "beta")}
    built = KINDS[optimizer](**{"kind": optimizer, **common, **optimizer_changes})
    return RunSpec(
        task="language",
        model=best.model,
        data=TokenFolder(kind="tokens", set="redpajama-v2", tokenizer="sentencepiece-32000"),
        optimizer=built,
        schedule=Cosine(kind="cosine", warmup=shared.warmup, horizon=horizon),
        batch=best.batch,
        sequence=best.sequence,
        seed=0,
        precision="bf16",
        clipping=best.clipping,
    )
