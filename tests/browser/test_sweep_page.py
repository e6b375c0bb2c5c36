"""The page of a sweep in a browser."""

from pathlib import Path

import pytest

from ademamix.store import Store
from ademamix.sweeps import outcomes
from analysis.report.sweep import write_sweep_page
from analysis.sweeps import write_report
from tests.browser.checks import check_page
from tests.browser.conftest import Opener
from tests.sweeps import pretend
from tests.sweeps.test_search import GRID, bowl, made


@pytest.fixture
def page(tmp_path: Path) -> Path:
    found, store = made(*GRID, seeds=(0, 1)), Store(tmp_path / "runs")
    pretend.finish(found, store, bowl)
    rows = list(outcomes.rows(found, store, found.grid or []))
    report = write_report(found, "what it is", rows, tmp_path / "out")
    return write_sweep_page(found, report, rows, store, tmp_path / "out")


def test_every_page(opened: Opener, page: Path) -> None:
    check_page(opened, page)


def test_the_best_and_its_curve(opened: Opener, page: Path) -> None:
    """The first setting of the table is the best, and the first run under it ends at its loss."""
    found = opened(page.as_uri()).page
    best = found.locator("table").first.locator("tbody tr").first
    assert "best" in best.text_content()
    values = found.locator("#lines .value").all_text_contents()
    assert "–" in values  # two diverge before anything was observed
    assert found.locator("#plot .curve").count() == len([value for value in values if value != "–"])
    assert f"{float(values[0]):.4f}" in best.text_content()
