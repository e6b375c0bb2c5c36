"""What Tables 2, 3 and 4 share: the hyperparameters of a language model, tried and best."""

from ademamix.optimizers import AdamFamily, AdEMAMixConfig, OptimizerConfig
from ademamix.paper.language import LanguageModel, language, language_model
from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.paper.setups import PAPER_HORIZON
from ademamix.scale import Scale
from ademamix.schedules import Cosine
from ademamix.spec import RunSpec
from ademamix.tasks.language import LanguageRun
from analysis.typeset import Cell, PaperTable, Value
from experiments.setup_tables.cells import NOTHING, best, plain, tried, tried_between


def title(of: str) -> str:
    return f"Hyperparameters of the {of} language model: tried and best."


def hyperparameters(of: str, number: int, scale: Scale | None) -> PaperTable:
    """What was tried, the best in bold; a scale's columns have what it uses."""
    size = language_model(of)
    columns: dict[str, dict[str, Cell]] = {}
    for optimizer in (ADAMW, ADEMAMIX):
        name = OptimizerConfig.member(optimizer).TITLE
        columns[name] = _tried(size, optimizer)
        if scale:
            columns[f"{name}, {scale.name}"] = _used(scale.map(run(of, optimizer, PAPER_HORIZON)))
    first = next(iter(columns.values()))
    rows = {row: [column[row] for column in columns.values()] for row in first}
    note = f"Bold: best. At scale {scale.name} one value is used." if scale else "Bold: best."
    return PaperTable(number, title(of), list(columns), rows, note)


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


def _used(spec: RunSpec) -> dict[str, Cell]:
    o, schedule = spec.optimizer, spec.schedule
    assert isinstance(spec, LanguageRun)
    assert isinstance(o, AdamFamily)
    assert isinstance(schedule, Cosine)
    slow = o if isinstance(o, AdEMAMixConfig) else None
    return {
        "learning rate": best(o.lr),
        "learning-rate warm-up (steps)": best(schedule.warmup),
        "final learning rate": plain(schedule.final_lr),
        "weight decay λ": best(o.weight_decay),
        "gradient clipping": best(spec.clipping),
        "β1": best(o.beta1),
        "β2": best(o.beta2),
        "β3": best(slow.beta3) if slow else NOTHING,
        "α": best(slow.alpha) if slow else NOTHING,
        "warm-up of α and β3 (steps)": [Value("T", best=True)] if slow else NOTHING,
        "shortest training T (steps)": plain(schedule.horizon),
        "batch (sequences)": plain(spec.batch),
        "sequence (tokens)": plain(spec.sequence),
    }
