"""Table 6: the hyperparameters of the vision transformers."""

from ademamix.models.vit import ViTConfig
from ademamix.optimizers import AdamFamily
from ademamix.paper.language import language
from ademamix.paper.runs import ADAMW, ADEMAMIX, run
from ademamix.paper.vision import VisionSetup, vision, vision_setups
from ademamix.scale import Scale
from analysis.claims import Claim, Exact
from analysis.typeset import Cell, PaperTable
from experiments.setup_tables.cells import beside, best, plain, searched, tried

NUMBER = 6
TITLE = "Hyperparameters of the ViT models."
EPOCHS = (37, 37, 320)  # appendix B.3


def _as_named(_: object) -> list[Exact]:
    steps, found = vision().steps, []
    for setup, named in zip(vision_setups(), EPOCHS, strict=True):
        seen = run(setup.name, ADAMW, steps).spec.epochs(steps) or 0
        what = f"{setup.setting.title}: ½ minus how far {seen:.2f} epochs are from {named}"
        found.append(Exact(what, 0.5 - abs(seen - named)))
    return found


CLAIMS = [
    Claim(
        name="epochs-as-named",
        statement="100k iterations are 37 epochs of the 11 million images, and 320 of ImageNet-1k.",
        statistic="steps × batch ÷ training images, rounded",
        measure=_as_named,
    )
]


def _tried(setup: VisionSetup) -> dict[str, Cell]:
    known, setting = vision(), setup.setting
    return {
        "learning rate": searched(setting.lr),
        "weight decay λ": searched(setting.weight_decay),
        "dropout": plain(setting.dropout),
        "AdamW β1": tried(known.tried.beta1, language().beta1),
        "AdEMAMix α": plain(*known.tried.alpha),
        "AdEMAMix β3": plain(*known.tried.beta3),
        "batch (images)": plain(known.batch),
        "steps": plain(known.steps),
        "epochs": plain(_epochs(setup, None)),
    }


def _used(setup: VisionSetup, scale: Scale) -> dict[str, Cell]:
    """What stands for it at a scale; α is the paper's."""
    known = vision()
    spec = scale.map(run(setup.name, ADAMW, known.steps))
    betas = [
        scale.map(run(setup.name, ADEMAMIX, known.steps, alpha=1, beta3=beta)) for beta in known.tried.beta3
    ]
    assert isinstance(spec.optimizer, AdamFamily)
    assert isinstance(spec.model, ViTConfig)
    return {
        "learning rate": best(spec.optimizer.lr),
        "weight decay λ": best(spec.optimizer.weight_decay),
        "dropout": plain(spec.model.dropout),
        "AdamW β1": best(spec.optimizer.beta1),
        "AdEMAMix α": plain(*known.tried.alpha),
        "AdEMAMix β3": plain(*(getattr(found.optimizer, "beta3", None) for found in betas)),
        "batch (images)": plain(spec.batch),
        "steps": plain(scale.steps(known.steps)),
        "epochs": plain(_epochs(setup, scale)),
    }


def _epochs(setup: VisionSetup, scale: Scale | None) -> float:
    paper = run(setup.name, ADAMW, vision().steps)
    spec = scale.map(paper) if scale else paper.spec
    steps = scale.steps(vision().steps) if scale else vision().steps
    return round(spec.epochs(steps) or 0)


def table(scale: Scale | None) -> PaperTable:
    setups = vision_setups()
    columns = []
    for setup in setups:
        columns += [_tried(setup), *([_used(setup, scale)] if scale else [])]
    rows = {row: [column[row] for column in columns] for row in columns[0]}
    note = "Bold: AdamW's best. AdEMAMix keeps it and is trained with every pair of α and β3."
    return PaperTable(NUMBER, TITLE, beside([setup.setting.title for setup in setups], scale), rows, note)
