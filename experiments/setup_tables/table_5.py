"""Table 5: the sizes of the vision transformers."""

from ademamix.models.vit import ViTConfig
from ademamix.paper.runs import ADAMW, run
from ademamix.paper.vision import vision, vision_setups
from ademamix.scale import Scale
from analysis.claims import Claim, Exact
from analysis.typeset import Cell, PaperTable
from experiments.setup_tables.cells import beside, counted, plain
from experiments.setup_tables.claims import CLOSE, called

NUMBER = 5
TITLE = "Sizes of the vision transformers."


def _as_named(_: object) -> list[Exact]:
    """The 24M lies between the counts without and with the larger head; the 86M has it without."""
    known = vision()
    small, large = known.sizes["24M"], known.sizes["86M"]
    with_head = small.model_copy(update={"classes": max(setting.classes for setting in known.settings)})
    return [
        Exact("24M − parameters without a head", called("24M") - counted(small)),
        Exact(f"parameters with {with_head.classes:,} classes − 24M", counted(with_head) - called("24M")),
        Exact(
            f"86M: {CLOSE:.0%} minus how far {counted(large):,} is from its name",
            CLOSE - abs(counted(large) / called("86M") - 1),
        ),
    ]


CLAIMS = [
    Claim(
        name="parameters-as-named",
        statement="The models have as many parameters as their names say.",
        statistic="parameters counted; the 24M between those without and with a head",
        measure=_as_named,
    )
]


def models(scale: Scale | None) -> list[ViTConfig]:
    """Every size, each followed by the scale's, of the first setting that has it; without heads."""
    found = []
    for name, model in vision().sizes.items():
        found.append(model)
        if scale:
            setup = next(setup for setup in vision_setups() if setup.setting.size == name)
            used = scale.map(run(setup.name, ADAMW, vision().steps)).model
            assert isinstance(used, ViTConfig)
            found.append(used.model_copy(update={"classes": 0}))
    return found


def table(scale: Scale | None) -> PaperTable:
    known, shown = vision(), models(scale)
    classes = max(setting.classes for setting in known.settings)
    rows: dict[str, list[Cell]] = {
        "patch": [plain(model.patch) for model in shown],
        "image": [plain(model.image) for model in shown],
        "embedding size": [plain(model.width) for model in shown],
        "MLP hidden size": [plain(model.mlp) for model in shown],
        "layers": [plain(model.layers) for model in shown],
        "attention heads": [plain(model.heads) for model in shown],
        "parameters without a head, counted": [plain(counted(model)) for model in shown],
        f"parameters with {classes:,} classes, counted": [
            plain(counted(model.model_copy(update={"classes": classes}))) for model in shown
        ],
    }
    note = "The paper's 24M lies between the two counts."
    return PaperTable(NUMBER, TITLE, beside(list(known.sizes), scale), rows, note)
