"""Table 5: the sizes of the vision transformers."""

from ademamix.paper.vision import vision
from ademamix.scale import Scale
from analysis.typeset import Cell, PaperTable
from experiments.setup_tables.cells import counted, no_vision, plain

NUMBER = 5
TITLE = "Sizes of the vision transformers."


def table(scale: Scale | None) -> PaperTable:
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
        f"parameters with {classes:,} classes, counted": [
            plain(counted(model.model_copy(update={"classes": classes}))) for model in models
        ],
    }
    note = f"The paper's 24M lies between the two counts.{no_vision(scale)}"
    return PaperTable(NUMBER, TITLE, list(known.sizes), rows, note)
