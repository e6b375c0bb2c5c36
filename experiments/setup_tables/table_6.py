"""Table 6: the hyperparameters of the vision transformers."""

from ademamix.paper.language import language
from ademamix.paper.vision import vision
from ademamix.scale import Scale
from analysis.typeset import Cell, PaperTable
from experiments.setup_tables.cells import no_vision, plain, searched, tried

NUMBER = 6
TITLE = "Hyperparameters of the ViT models."


def table(scale: Scale | None) -> PaperTable:
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
        f"Bold: AdamW's best. AdEMAMix keeps it and is trained with every pair of α and β3.{no_vision(scale)}"
    )
    return PaperTable(NUMBER, TITLE, [s.title for s in settings], rows, note)
