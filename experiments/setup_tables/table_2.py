"""Table 2: the hyperparameters of the 110M language model."""

from ademamix.scale import Scale
from analysis.typeset import PaperTable
from experiments.setup_tables.claims import tokens
from experiments.setup_tables.language_hyperparameters import hyperparameters, title

NUMBER = 2
SIZE = "110M"
TITLE = title(SIZE)
CLAIMS = [tokens(SIZE, {256_000: 17, 400_000: 26, 500_000: 33})]


def table(scale: Scale | None) -> PaperTable:
    return hyperparameters(SIZE, NUMBER, scale)
