"""The paper's tables: values typed in from the paper, formats, and the committed files."""

import csv
import io
import shutil
from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.paper.language import sizes
from ademamix.scale import Scale, scale
from analysis import typeset
from analysis.typeset import PaperTable, Value, number
from experiments.registry import named_table, tables
from experiments.setup_tables.cells import counted

FIGURES = checkout() / "figures"


def made(number: int, at: Scale | None = None) -> PaperTable:
    """A table with the paper's values, or with a scale's beside them."""
    found: PaperTable = tables()[str(number)].typeset(at)
    return found


def cells(table: PaperTable, column: str) -> dict[str, str]:
    """Row → the cell as markdown, of one column."""
    place = list(table.columns).index(column)
    return {
        row: ", ".join(f"**{v.text}**" if v.best else v.text for v in found[place])
        for row, found in table.rows.items()
    }


def test_table_1() -> None:
    table = made(1)
    sizes = {"110M": ("768", "12", "12"), "330M": ("1,024", "16", "24"), "1.3B": ("2,048", "16", "24")}
    assert list(table.columns) == list(sizes)
    for size, (hidden, heads, layers) in sizes.items():
        found = cells(table, size)
        assert (found["hidden size"], found["attention heads"], found["layers"]) == (hidden, heads, layers)
    counts = [float(cells(table, size)["parameters, counted"].replace(",", "")) / 1e6 for size in sizes]
    assert counts == pytest.approx([110, 335, 1_300], rel=0.03)


@pytest.mark.parametrize(
    ("table", "lr", "clipping", "alpha", "batch"),
    [
        (2, ("5e-3, 2e-3, **1e-3**, 5e-4, 1e-4",) * 2, "none, 5, 1, **0.5**",
         "2, 4, 6, **8**, **10**, 15, 20", "64"),
        (3, ("1e-3, **5e-4**, 1e-4",) * 2, "1, 0.5, **0.1**", "5, **8**, 10, 15", "96"),
        (4, ("1e-3, **5e-4**, 3e-4, 1e-4, 5e-5", "5e-4, **3e-4**"), "1, 0.5, **0.1**",
         "1, 3, **5**, 8, 10, 15", "128"),
    ],
)  # fmt: skip
def test_tables_2_to_4(table: int, lr: tuple[str, str], clipping: str, alpha: str, batch: str) -> None:
    found = made(table)
    adamw, ademamix = cells(found, "AdamW"), cells(found, "AdEMAMix")
    assert (adamw["learning rate"], ademamix["learning rate"]) == lr
    assert (adamw["α"], ademamix["α"]) == ("", alpha)
    assert (adamw["β3"], ademamix["β3"]) == ("", "0.999, **0.9999**, 0.99999")
    assert adamw["β1"] == "**0.9**, 0.99, 0.999, 0.9999"
    assert adamw["β2"] == "**0.999**, 0.95"
    for found in (adamw, ademamix):
        assert found["gradient clipping"] == clipping
        assert found["batch (sequences)"] == batch
        assert found["weight decay λ"] == "0, **0.1**"
        assert found["learning-rate warm-up (steps)"] == "2,000 to 6,000, **3,000**"


def test_tables_5_and_6() -> None:
    small, large = (cells(made(5), size) for size in ("24M", "86M"))
    assert (small["embedding size"], small["MLP hidden size"], small["attention heads"]) == (
        "384",
        "1,536",
        "6",
    )
    assert (large["embedding size"], large["MLP hidden size"], large["attention heads"]) == (
        "768",
        "3,072",
        "12",
    )
    assert small["parameters without a head, counted"].startswith("21,")  # the paper's slip: not 24M
    assert small["parameters with 10,450 classes, counted"].startswith("25,")
    found = [cells(made(6), column) for column in made(6).columns]
    rates = ["1e-3, **3e-3**, 5e-3", "**1e-3**, 3e-3", "1e-3, 3e-3, **5e-3**"]
    assert [f["learning rate"] for f in found] == rates
    assert found[2]["weight decay λ"] == "0.03, 0.1, **0.3**, 0.5, 0.7"
    assert {f["AdamW β1"] for f in found} == {"**0.9**, 0.99, 0.999"}
    assert {f["AdEMAMix α"] for f in found} == {"1, 5, 10, 15, 20"}


def test_tables_5_and_6_have_the_values_of_the_runs() -> None:
    at = scale("cpu")
    model = at.models["vit-24M/imagenet-21k-p"]
    assert cells(made(5, at), "24M, cpu")["embedding size"] == str(model.width)  # type: ignore[attr-defined]
    table = made(6, at)
    assert list(table.columns)[1::2] == [f"{title}, cpu" for title in list(table.columns)[::2]]
    used = cells(table, list(table.columns)[1])
    assert used["learning rate"] == f"**{number(at.lr['vit-24M/imagenet-21k-p']['adamw'])}**"
    assert (used["steps"], used["batch (images)"]) == (
        number(at.steps(100_000)),
        str(at.tasks["vision"].batch),
    )
    papers, scales = (
        [int(cells(of, column)["epochs"]) for column in columns]
        for of, columns in ((made(6), made(6).columns), (table, list(table.columns)[1::2]))
    )
    assert papers == [37, 37, 320] == pytest.approx(scales, rel=0.01)


def test_table_7() -> None:
    found = cells(made(7), "AdEMAMix")
    assert len(found) == 15
    assert (found["ARC-Challenge"], found["PubmedQA"]) == ("**0.274**", "**0.632**")
    assert (found["LogiQA"], found["PIQA"], found["TruthfulQA"]) == ("0.225", "0.715", "0.352")
    assert sum(value.startswith("**") for value in found.values()) == 11


def test_table_8() -> None:
    assert cells(made(8), "Lion") == {
        "learning rate": "5e-5, 1e-4, 2e-4, **4e-4**, 6e-4, 8e-4, 1e-3",
        "weight decay λ": "0.01, 0.125, 0.166, **0.25**, 0.5, 1",
        "gradient clipping": "1, **0.5**",
        "α": "0.5, 0.7, **0.9**",
        "β": "**0.99**, 0.9999",
    }


def test_a_scale_stands_beside_the_paper() -> None:
    table = made(4, scale("cpu"))
    assert list(table.columns) == ["AdamW", "AdamW, cpu", "AdEMAMix", "AdEMAMix, cpu"]
    own = cells(table, "AdEMAMix, cpu")
    assert own["learning rate"] == f"**{number(scale('cpu').lr['1.3B']['ademamix'])}**"
    assert own["shortest training T (steps)"] == "16,000"
    paper = made(2, scale("paper"))
    assert cells(paper, "AdEMAMix, paper")["learning rate"] == "**1e-3**"


def test_parameters_counted_without_torch_are_those_of_the_real_models() -> None:
    for size in sizes():
        assert counted(size.model) == size.model.parameters()


@pytest.mark.parametrize("table", tables())
@pytest.mark.parametrize("folder", ["exact", "cpu"])
def test_committed_tables_are_not_stale(table: str, folder: str, tmp_path: Path) -> None:
    found, committed = tables()[table], FIGURES / folder
    if found.trains and folder != "exact":
        if not (committed / f"{found.name}.csv").exists():
            pytest.skip("not run yet")
        shutil.copy(committed / f"{found.name}.csv", tmp_path)
    for path in typeset.write_typeset(found, None if folder == "exact" else scale(folder), tmp_path):
        assert (committed / path.name).read_bytes() == path.read_bytes(), "run 'make tables'"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (0, "0"), (1e-3, "1e-3"), (5e-05, "5e-5"), (0.166, "0.166"), (0.99999, "0.99999"),
     (0.999995, "0.999995"), (3000, "3,000"), (1.28e-3, "1.28e-3"), (1, "1")],
)  # fmt: skip
def test_numbers_as_people_write_them(value: float | None, text: str) -> None:
    assert number(value) == text


def test_three_formats_of_one_table() -> None:
    table = PaperTable(
        9, "A caption, 5% of it.", ["x"], {"β3": [[Value("1"), Value("2", best=True)]], "λ": [[]]}
    )
    assert "| β3 | 1, **2** |" in typeset.markdown(table)
    assert r"$\beta_3$ & 1, \textbf{2} \\" in typeset.latex(table)
    assert r"$\lambda$ & -- \\" in typeset.latex(table)
    assert r"\caption{A caption, 5\% of it.}" in typeset.latex(table)
    rows = list(csv.reader(io.StringIO(typeset.csv(table))))
    assert rows == [["row", "column", "value", "best"], ["β3", "x", "1", "false"], ["β3", "x", "2", "true"]]


@pytest.mark.parametrize(("name", "message"), [("9", "not in the paper"), ("x", "not in")])
def test_unknown_tables_are_named(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        named_table(name)
