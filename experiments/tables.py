"""The paper's tables 1–6 and 8, from the configurations that the runs are made of.

At a scale, each of the paper's columns has that scale's own values beside it.
"""

from collections.abc import Callable, Sequence
from functools import partial

from ademamix.errors import UserError
from ademamix.registry import catalogue
from ademamix.scale import PAPER_HORIZON, Scale
from ademamix.settings import ADAMW, ADEMAMIX, LanguageModel, Range, Searched, language, language_model
from ademamix.settings import run as paper_run
from ademamix.settings import table_sizes as sizes
from ademamix.spec import Adam, AdEMAMix, Cosine, RunSpec, Transformer
from ademamix.vision_settings import ViT, vision
from analysis.typeset import Cell, PaperTable, Value, number

NOTHING: Cell = ()
NAMES = {ADAMW: "AdamW", ADEMAMIX: "AdEMAMix"}


def plain(*values: float | None) -> Cell:
    """Values of which none is bold."""
    return [Value(number(value)) for value in values]


def best(value: float | None) -> Cell:
    return [Value(number(value), best=True)]


def tried(values: Sequence[float | None], *winners: float | None) -> Cell:
    """All values that were tried, the best of them bold."""
    return [Value(number(value), value in winners) for value in values]


def searched(values: Searched) -> Cell:
    return tried(values.tried, values.best)


def tried_between(values: Range, winner: float) -> Cell:
    return [Value(f"{number(values.from_)} to {number(values.to)}"), Value(number(winner), best=True)]


def beside(columns: Sequence[str], scale: Scale | None) -> list[str]:
    """Column headings, each followed by the scale's when there is one."""
    if scale is None:
        return list(columns)
    return [heading for column in columns for heading in (column, f"{column}, {scale.name}")]


def counted(model: Transformer | ViT, classes: int = 0) -> int:
    """Parameters of the real model, which is made without memory for its weights."""
    import torch

    from ademamix.models import transformer, vit

    with torch.device("meta"):
        real = transformer.Transformer(model) if isinstance(model, Transformer) else vit.build(model, classes)
    return sum(p.numel() for p in real.parameters())


def language_sizes(scale: Scale | None) -> PaperTable:
    """Table 1."""
    models: list[Transformer] = []
    for size in sizes():
        model = language_model(size).model
        models += [model, scale.models.get(size, model)] if scale else [model]
    rows: dict[str, list[Cell]] = {
        "hidden size": [plain(model.width) for model in models],
        "attention heads": [plain(model.heads) for model in models],
        "layers": [plain(model.layers) for model in models],
        "parameters, counted": [plain(counted(model)) for model in models],
    }
    called = language_model("330M").also_called
    return PaperTable(
        1,
        "Sizes of the language models.",
        beside(sizes(), scale),
        rows,
        f"Embeddings are tied, positions learnt. The paper's text calls the 330M model {called}.",
    )


def language_hyperparameters(of: str, number_: int, scale: Scale | None) -> PaperTable:
    """Tables 2, 3 and 4: what was tried, the best in bold; a scale's columns have what it uses."""
    size = language_model(of)
    columns: dict[str, dict[str, Cell]] = {}
    for optimizer, name in NAMES.items():
        columns[name] = _tried(size, optimizer)
        if scale:
            columns[f"{name}, {scale.name}"] = _used(scale.map(paper_run(of, optimizer, PAPER_HORIZON)))
    first = next(iter(columns.values()))
    rows = {row: [column[row] for column in columns.values()] for row in first}
    note = f"Bold: best. At scale {scale.name} one value is used." if scale else "Bold: best."
    return PaperTable(
        number_, f"Hyperparameters of the {of} language model: tried and best.", list(columns), rows, note
    )


def _tried(size: LanguageModel, optimizer: str) -> dict[str, Cell]:
    shared = language()
    slow = optimizer == ADEMAMIX
    alphas = (size.alpha, *size.equally_good_alpha)
    return {
        "learning rate": tried(size.tried.lr[optimizer], size.lr[optimizer]),
        "learning-rate warm-up (steps)": tried_between(shared.tried.warmup, shared.warmup),
        "final learning rate": plain(shared.final_lr),
        "weight decay λ": tried(shared.tried.weight_decay, shared.weight_decay),
        "gradient clipping": tried(size.tried.clipping, size.clipping),
        "β1": tried(shared.tried.beta1[optimizer], shared.beta1),
        "β2": tried(shared.tried.beta2[optimizer], shared.beta2),
        "β3": tried(size.tried.beta3, shared.beta3) if slow else NOTHING,
        "α": tried(size.tried.alpha, *alphas) if slow else NOTHING,
        "warm-up of α and β3 (steps)": [Value("T", best=True)] if slow else NOTHING,
        "shortest training T (steps)": plain(PAPER_HORIZON),
        "batch (sequences)": plain(size.batch),
        "sequence (tokens)": plain(size.sequence),
    }


def _used(run: RunSpec) -> dict[str, Cell]:
    o, schedule = run.optimizer, run.schedule
    assert isinstance(o, Adam)
    assert isinstance(schedule, Cosine)
    slow = o if isinstance(o, AdEMAMix) else None
    return {
        "learning rate": best(o.lr),
        "learning-rate warm-up (steps)": best(schedule.warmup),
        "final learning rate": plain(schedule.final_lr),
        "weight decay λ": best(o.weight_decay),
        "gradient clipping": best(run.clipping),
        "β1": best(o.beta1),
        "β2": best(o.beta2),
        "β3": best(slow.beta3) if slow else NOTHING,
        "α": best(slow.alpha) if slow else NOTHING,
        "warm-up of α and β3 (steps)": [Value("T", best=True)] if slow else NOTHING,
        "shortest training T (steps)": plain(schedule.horizon),
        "batch (sequences)": plain(run.batch),
        "sequence (tokens)": plain(run.sequence),
    }


def vision_sizes(scale: Scale | None) -> PaperTable:
    """Table 5."""
    known = vision()
    classes = max(setting.classes for setting in known.settings)
    models = known.sizes.values()
    rows: dict[str, list[Cell]] = {
        "patch": [plain(model.patch) for model in models],
        "image": [plain(model.image) for model in models],
        "embedding size": [plain(model.width) for model in models],
        "MLP hidden size": [plain(model.mlp) for model in models],
        "layers": [plain(model.layers) for model in models],
        "attention heads": [plain(model.heads) for model in models],
        "parameters without a head, counted": [plain(counted(model)) for model in models],
        f"parameters with {classes:,} classes, counted": [plain(counted(model, classes)) for model in models],
    }
    note = f"The paper's 24M lies between the two counts.{_no_vision(scale)}"
    return PaperTable(5, "Sizes of the vision transformers.", list(known.sizes), rows, note)


def vision_hyperparameters(scale: Scale | None) -> PaperTable:
    """Table 6."""
    known = vision()
    settings = known.settings
    rows: dict[str, list[Cell]] = {
        "learning rate": [searched(s.lr) for s in settings],
        "weight decay λ": [searched(s.weight_decay) for s in settings],
        "dropout": [plain(s.dropout) for s in settings],
        "AdamW β1": [tried(known.tried.beta1, language().beta1) for _ in settings],
        "AdEMAMix α": [plain(*known.tried.alpha) for _ in settings],
        "AdEMAMix β3": [plain(*known.tried.beta3) for _ in settings],
        "batch (images)": [plain(known.batch) for _ in settings],
        "steps": [plain(known.steps) for _ in settings],
    }
    note = (
        "Bold: AdamW's best. AdEMAMix keeps it and is trained with every pair of α and β3."
        f"{_no_vision(scale)}"
    )
    return PaperTable(6, "Hyperparameters of the ViT models.", [s.name for s in settings], rows, note)


def _no_vision(scale: Scale | None) -> str:
    return f" Scale {scale.name} has no vision runs yet." if scale else ""


def lion_hyperparameters(scale: Scale | None) -> PaperTable:
    """Table 8, in the paper's notation."""
    size = language_model("110M")
    lion = size.lion
    assert lion is not None
    rows: dict[str, list[Cell]] = {
        "learning rate": [searched(lion.lr)],
        "weight decay λ": [searched(lion.weight_decay)],
        "gradient clipping": [searched(lion.clipping)],
        "α": [searched(lion.alpha)],
        "β": [searched(lion.beta)],
    }
    note = "Bold: best. The step is the sign of α·m + (1 − α)·g; then m becomes β·m + (1 − β)·g."
    note += f" Scale {scale.name} has no Lion runs yet." if scale else ""
    return PaperTable(8, "Hyperparameters of Lion (110M language model).", ["Lion"], rows, note)


TABLES: dict[int, Callable[[Scale | None], PaperTable]] = {
    1: language_sizes,
    2: partial(language_hyperparameters, "110M", 2),
    3: partial(language_hyperparameters, "330M", 3),
    4: partial(language_hyperparameters, "1.3B", 4),
    5: vision_sizes,
    6: vision_hyperparameters,
    8: lion_hyperparameters,
}


def table_number(name: str) -> int:
    """The table called '4', or a UserError that says what there is."""
    if name.isdecimal() and int(name) in TABLES:
        return int(name)
    known = name.isdecimal() and int(name) in catalogue()["tables"]
    what = "not built yet" if known else "not in the paper, which has 8"
    raise UserError(f"table {name} is {what}; there are: {', '.join(map(str, TABLES))}")
