"""Table 1: the sizes of the language models."""

from ademamix.models.transformer import TransformerConfig
from ademamix.paper.language import language_model, table_sizes
from ademamix.scale import Scale
from analysis.typeset import Cell, PaperTable
from experiments.setup_tables.cells import beside, counted, plain
from experiments.setup_tables.claims import parameters

NUMBER = 1
TITLE = "Sizes of the language models."
CLAIMS = [parameters(*table_sizes())]


def table(scale: Scale | None) -> PaperTable:
    models: list[TransformerConfig] = []
    for size in table_sizes():
        model = language_model(size).model
        for own in [model, scale.models.get(size, model)] if scale else [model]:
            assert isinstance(own, TransformerConfig)
            models.append(own)
    rows: dict[str, list[Cell]] = {
        "hidden size": [plain(model.width) for model in models],
        "attention heads": [plain(model.heads) for model in models],
        "layers": [plain(model.layers) for model in models],
        "parameters, counted": [plain(counted(model)) for model in models],
    }
    called = language_model("330M").also_called
    return PaperTable(
        NUMBER,
        TITLE,
        beside(table_sizes(), scale),
        rows,
        f"Embeddings are tied, positions learnt. The paper's text calls the 330M model {called}.",
    )
