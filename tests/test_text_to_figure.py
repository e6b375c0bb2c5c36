"""From a folder of text to Figure 12, as docs/data.md says; and text of one's own in any figure."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ademamix.checkout import checkout
from ademamix.cli import cli
from ademamix.cli.options import wanted_runs
from ademamix.data.pysource import sources
from ademamix.data.tokens import Tokens
from ademamix.errors import UserError
from ademamix.scale import here, scale
from analysis.caption import caption
from experiments import registry
from tests.documents import block

# The page's commands as they stand, on less text, with fewer tokens and updates.
SMALLER = {"4000": "400", "horizon: 200": "horizon: 16", "--figure 12": "--figure 12a"}


def smaller(text: str) -> str:
    for old, new in SMALLER.items():
        text = text.replace(old, new)
    return text


def run(command: str) -> None:
    """A command of the page: here, or, where it trains, in a process of its own."""
    name, *words = shlex.split(command)
    assert name == "ademamix"
    if words[0] != "run":
        with pytest.raises(SystemExit) as done:
            sys.exit(cli.main(words, prog_name=name, standalone_mode=False))
        assert not done.value.code
        return
    at = {**os.environ, "PYTHONPATH": str(checkout())}
    call = [sys.executable, "-m", name, *words]
    trained = subprocess.run(call, env=at, capture_output=True, text=True, timeout=600)
    assert trained.returncode == 0, trained.stderr


def test_the_pages_commands_lead_to_figure_12(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADEMAMIX_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ADEMAMIX_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("ADEMAMIX_FORMATS")  # all of them
    (tmp_path / "my" / "text").mkdir(parents=True)
    chosen = [path for name, path in sources() if name.startswith("mpmath/")]
    for number, path in enumerate(chosen):
        (tmp_path / "my" / "text" / f"{number}.py").write_bytes(path.read_bytes())
    (tmp_path / "mini.yaml").write_text(smaller(block("data.md", "yaml")))
    first, second = (smaller(block("data.md", "sh", number)).splitlines() for number in (0, 1))
    for command in (*first, *second):
        run(command)
    tokens = Tokens(tmp_path / "data" / "my-text")
    said = capsys.readouterr().out
    assert tokens.vocabulary == 400
    assert "made: data/my-text: " in said.replace(str(tmp_path) + "/", "")
    assert "right: " in said
    assert said.count(tokens.digest) >= 2
    table = pd.read_csv(tmp_path / "out" / "mini" / "figure-12a.csv")
    assert table["series"].nunique() == 8
    assert 4 < table["y"].min() < table["y"].max() < 6.2  # from ln 400, 6.0, downwards
    made = {path.suffix for path in (tmp_path / "out" / "mini").glob("figure-12a.*")}
    assert made >= {".csv", ".png", ".pdf", ".svg"}


SETTING = "data={kind: tokens, set: mine}"


def test_text_of_ones_own_takes_the_place_of_pysource_in_every_figure() -> None:
    at = scale("cpu")
    tasks = {figure: {need.run.task for need in figure.needs(at)} for figure in registry.figures().values()}
    figures = [figure for figure, of in tasks.items() if of == {"language"}]
    assert {task for of in tasks.values() for task in of} == {"language", "vision"}
    runs, _ = wanted_runs(figures, at, (SETTING,))
    assert len(runs) > 50
    specs = [wanted.spec for wanted in runs.values()]
    specs += [spec.fork.parent for spec in specs if spec.fork]
    assert {spec.data.label for spec in specs} == {"text 'mine'"}


def test_the_drawing_says_which_text(tmp_path: Path) -> None:
    figure = registry.figures()["12"]
    assert " · pysource · " in caption(figure, scale("cpu"))
    assert " · text 'mine' · " in caption(figure, scale("cpu"), [SETTING])


def test_a_scale_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(block("data.md", "yaml"))
    found = scale(str(path))
    assert found.name == "tiny"
    assert scale("tiny") is found  # in this process
    assert here(found.tasks["language"].data or "").label == "text 'my-text'"
    (tmp_path / "cpu.yaml").write_text(block("data.md", "yaml"))
    with pytest.raises(UserError, match="there is a scale cpu; give the file another name"):
        scale(str(tmp_path / "cpu.yaml"))
    with pytest.raises(UserError, match="no scale file"):
        scale("nowhere.yaml")
    with pytest.raises(UserError, match=r"data set 'tokens': set: Field required"):
        here({"kind": "tokens"})
    with pytest.raises(UserError, match="unknown data set 'token'"):
        here({"kind": "token"})
