"""Table 8: the hyperparameters of Lion, in the paper's notation."""

from ademamix.paper.language import language_model
from ademamix.scale import Scale
from analysis.typeset import Cell, PaperTable
from experiments.setup_tables.cells import searched

NUMBER = 8
TITLE = "Hyperparameters of Lion (110M language model)."


def table(scale: Scale | None) -> PaperTable:
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
    return PaperTable(NUMBER, TITLE, ["Lion"], rows, note)
