"""A table of trained models goes the way of a figure: csv, typeset, judged, typeset again without runs."""

import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from click.testing import CliRunner

from ademamix.cli import cli
from ademamix.cli.pipeline import produce
from ademamix.plan import unite
from ademamix.scale import scale
from ademamix.store import Store
from analysis.artifacts import Table, needs
from analysis.claims import Claim, Effect, final
from analysis.pages import ArtifactPages
from analysis.tables import COLUMNS, read_table
from analysis.typeset import PaperTable, Value
from experiments import registry

FIGURE_22 = registry.figures()["22"].module  # lends its runs


def module() -> ModuleType:
    """Table 9: two losses, of which the frame knows the second only."""
    made = ModuleType("table_9")
    made.NUMBER, made.TITLE, made.needs = 9, "Two losses", FIGURE_22.needs

    def values(results):  # type: ignore[no-untyped-def]
        rows = [("", name, seed, 64, 2.0 + bonus + seed / 7) for name, bonus in (("a", 0.5), ("b", 0.0))
                for seed in (0, 1)]  # fmt: skip
        return pd.DataFrame(rows, columns=COLUMNS)

    def table(at, frame):  # type: ignore[no-untyped-def]
        ours = "" if frame is None else f"{frame[frame['series'] == 'b']['y'].mean():.3f}"
        return PaperTable(9, made.TITLE, ["paper", "ours"], {"b": [[Value("2")], [Value(ours)]]})

    made.values, made.table = values, table
    made.CLAIMS = [
        Claim(
            name="lower",
            statement="b is lower.",
            statistic="a − b",
            measure=lambda frame: [Effect.of("a − b", final(frame, "", "a") - final(frame, "", "b"))],
        )
    ]
    return made


@pytest.fixture
def table_9(monkeypatch: pytest.MonkeyPatch) -> Table:
    table = Table(9, module(), Path("nowhere"))
    monkeypatch.setattr(registry, "tables", lambda: {"9": table})
    monkeypatch.setattr(
        registry, "contents", lambda: registry.Contents({}, {"9": table}, registry.catalogue())
    )
    return table


def test_it_is_trained_typeset_and_judged(table_9: Table, tmp_path: Path) -> None:
    at = scale("cpu")
    wanted = unite(needs([table_9], at))
    assert {name for w in wanted.values() for name in w.figures} == {"table 9"}
    produce([table_9], wanted, at, Store(tmp_path / "runs"), tmp_path)
    folder = tmp_path / "cpu"
    assert list(read_table(folder / "table-9.csv").columns) == COLUMNS
    assert "| b  | 2       | 2.071  |" in (folder / "table-9.md").read_text()
    (verdict,) = json.loads((folder / "claims.json").read_text())["verdicts"]["table-9"]["claims"]
    assert verdict["verdict"] == "reproduced"
    section = ArtifactPages({"cpu": {"table-9": {"claims": [verdict]}}}, registry.contents(), tmp_path)
    assert section.section(table_9).startswith("[Table 9 at scale `cpu`](../../figures/cpu/table-9.md)")


def test_it_is_typeset_again_from_its_csv_alone(table_9: Table, tmp_path: Path) -> None:
    produce([table_9], {}, scale("cpu"), Store(tmp_path / "runs"), tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "cpu").iterdir()}
    (tmp_path / "cpu" / "table-9.md").unlink()
    done = CliRunner().invoke(cli, ["table", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert {path.name: path.read_bytes() for path in (tmp_path / "cpu").iterdir()} == before
    assert "2.071" not in (tmp_path / "exact" / "table-9.md").read_text()


def test_without_its_csv_it_says_what_to_do(table_9: Table, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["table", "--table", "9", "--scale", "gpu", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "ademamix run --table 9 --scale gpu" in str(done.exception)
