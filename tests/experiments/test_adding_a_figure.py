"""docs/adding-a-figure.md, followed as it stands."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

from ademamix.checkout import checkout
from ademamix.plan import entries, unite
from ademamix.scale import scale
from ademamix.store import Store
from analysis.artifacts import Figure, needs
from analysis.judge import judge
from analysis.results import Results
from analysis.tables import write_table
from tests.documents import block


def test_the_figure_of_the_page(tmp_path: Path) -> None:
    module = ModuleType("figure_34")
    exec(block("adding-a-figure.md"), module.__dict__)
    figure = Figure(module.NUMBER, module, tmp_path)
    at = scale("smoke")
    wanted = unite(needs([figure], at))
    assert len(wanted) == 2
    assert set(wanted) == {need.run.id for need in figure.needs(at)}
    (*_, entry) = entries(wanted, wanted, Store(tmp_path))
    assert not entry.done

    class Made(Results):
        """Curves that need no training: AdEMAMix below AdamW."""

        def curve(self, spec, quantity, until):  # type: ignore[no-untyped-def]
            steps = sorted(next(iter(figure.needs(at)[0].observe.values())))
            return [(step, 3.0 - step / until - 0.1 * spec.optimizer.HAS_SLOW_EMA) for step in steps]

    frame = module.table(Made(at, Store(tmp_path)))
    write_table(frame, tmp_path / "cpu" / "figure-34.csv")
    drawing = module.draw(frame)
    assert len(drawing.axes) == 1
    verdicts = judge(figure, tmp_path / "cpu")
    assert verdicts is not None
    (effect,) = verdicts["claims"][0]["effects"]
    assert effect["value"] == 0.1


def test_the_template_passes_the_type_checker(tmp_path: Path) -> None:
    """As `make types` checks a figure's module."""
    path = tmp_path / "figure_34.py"
    path.write_text(block("adding-a-figure.md"))
    command = [sys.executable, "-m", "mypy", "--config-file", str(checkout() / "pyproject.toml"), str(path)]
    done = subprocess.run(command, cwd=checkout(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
