"""The paper's language models (appendix B.1, Tables 1–4 and 8), from configs/models/language."""

from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ademamix.checkout import checkout
from ademamix.data.sets import TokenFolder
from ademamix.errors import UserError, did_you_mean
from ademamix.models import TextModelConfig
from ademamix.optimizers import OptimizerConfig
from ademamix.paper.setups import Searched, Setup, read
from ademamix.schedules import Cosine
from ademamix.tasks.language import LanguageRun
from ademamix.values import Frozen, Steps

FOLDER = "language"


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


class LionSearch(Frozen):
    """The paper's search for Lion (Table 8), in the paper's notation."""

    lr: Searched
    weight_decay: Searched
    clipping: Searched
    alpha: Searched
    beta: Searched


class Corpus(Frozen):
    """What a model trains on: a set and its tokenizer, by name."""

    set: str
    tokenizer: str


class LanguageModel(Setup):
    """A model of configs/models/language: architecture, and the paper's best values for it."""

    also_called: str | None = None
    model: Annotated[TextModelConfig, BeforeValidator(TextModelConfig.read)]
    data: Corpus = Corpus(set="redpajama-v2", tokenizer="sentencepiece-32000")
    sequence: Steps
    clipping: float
    alpha: float
    equally_good_alpha: tuple[float, ...] = ()
    tried: Tried
    lion: LionSearch | None = None
    in_table_1: bool = True

    def run(self, optimizer: str, horizon: int, **changes: Any) -> LanguageRun:
        """AdEMAMix warms α and β3 up over the whole horizon."""
        shared, kind = language(), OptimizerConfig.member(optimizer)
        values: dict[str, Any] = {"weight_decay": shared.weight_decay}
        if self.lion and optimizer == "lion":
            searched = ("lr", "weight_decay", "alpha", "beta")
            values = {name: getattr(self.lion, name).best for name in searched}
        if kind.HAS_SLOW_EMA:
            values |= {"alpha": self.alpha, "beta3": shared.beta3}
            values |= {"alpha_warmup": horizon, "beta3_warmup": horizon}
        values = {"lr": self.lr.get(kind.rate_of()), **values, **changes}
        return LanguageRun(
            model=self.model,
            data=TokenFolder(set=self.data.set, tokenizer=self.data.tokenizer),
            optimizer=kind(kind=optimizer, **values),
            schedule=Cosine(warmup=shared.warmup, horizon=horizon, final_lr=shared.final_lr),
            batch=self.batch,
            sequence=self.sequence,
            seed=0,
            precision="bf16",
            compiled=self.model.COMPILES,
            clipping=self.clipping,
        )


@cache
def language() -> Common:
    """What all language models share."""
    return read(Common, f"{FOLDER}.yaml")


@cache
def sizes() -> tuple[LanguageModel, ...]:
    """All models, smallest first: the paper's three sizes, its Mamba, and what figures add."""
    names = [path.stem for path in (checkout() / "configs" / "models" / FOLDER).glob("*.yaml")]
    found = [read(LanguageModel, f"{FOLDER}/{name}.yaml", name=name) for name in names]
    return tuple(sorted(found, key=lambda size: size.model.parameters()))


def language_model(name: str) -> LanguageModel:
    """The model called `name` ('110M', '330M', '1.3B', 'mamba-168M')."""
    by_name = {size.name: size for size in sizes()}
    if name not in by_name:
        raise UserError(f"unknown model '{name}'{did_you_mean(name, by_name)}")
    return by_name[name]


def table_sizes() -> list[str]:
    """The names of the sizes in the paper's Table 1, smallest first."""
    return [size.name for size in sizes() if size.in_table_1]
