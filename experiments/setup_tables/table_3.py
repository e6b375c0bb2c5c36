"""Table 3: the hyperparameters of the 330M language model."""

from ademamix.scale import Scale
from analysis.typeset import PaperTable
from experiments.setup_tables.claims import tokens
from experiments.setup_tables.language_hyperparameters import hyperparameters, title

NUMBER = 3
SIZE = "330M"
TITLE = title(SIZE)
CLAIMS = [tokens(SIZE, {256_000: 25, 400_000: 39, 500_000: 49})]


def table(scale: Scale | None) -> PaperTable:
    return hyperparameters(SIZE, NUMBER, scale)
