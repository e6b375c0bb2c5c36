"""Table 3: the hyperparameters of the 330M language model."""

from typing import TYPE_CHECKING

from ademamix.scale import Scale
from analysis.typeset import PaperTable
from experiments.setup_tables.language_hyperparameters import hyperparameters, title

if TYPE_CHECKING:
    from analysis.results import Results

NUMBER = 3
SIZE = "330M"
TITLE = title(SIZE)


def table(scale: Scale | None, results: "Results | None") -> PaperTable:
    return hyperparameters(SIZE, NUMBER, scale)
