"""Table 4: the hyperparameters of the 1.3B language model."""

from ademamix.scale import Scale
from analysis.typeset import PaperTable
from experiments.setup_tables.claims import tokens
from experiments.setup_tables.language_hyperparameters import hyperparameters, title

NUMBER = 4
SIZE = "1.3B"
TITLE = title(SIZE)
CLAIMS = [tokens(SIZE, {256_000: 34, 770_000: 101, 1_000_000: 131, 1_500_000: 197})]


def table(scale: Scale | None) -> PaperTable:
    return hyperparameters(SIZE, NUMBER, scale)
