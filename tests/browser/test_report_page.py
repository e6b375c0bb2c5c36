"""The report in a browser: its filters, and what holds of every page."""

from pathlib import Path

import pytest

from ademamix.checkout import checkout
from analysis.report.write import write_report
from experiments import registry
from tests.browser.checks import check_page
from tests.browser.conftest import Opener


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write_report(registry.contents(), checkout(), out)
    return out


@pytest.mark.parametrize("page", ["", "cpu", "exact"])
def test_every_page(opened: Opener, report: Path, page: str) -> None:
    check_page(opened, report / page / "index.html")


def test_filters(opened: Opener, report: Path) -> None:
    """By verdict, by kind, by words: what does not fit is hidden, and the count says how many are left."""
    page = opened((report / "cpu" / "index.html").as_uri()).page
    articles = page.locator("article")
    total = articles.count()

    def left() -> int:
        shown = page.locator("article:visible").count()
        assert page.locator("#count").text_content() == f"{shown} of {total} shown"
        return int(shown)

    assert left() == total
    page.get_by_label("not reproduced").uncheck()
    page.get_by_label("inconclusive").uncheck()
    judged = left()
    assert 0 < judged < total
    assert page.locator('.claim:visible:not([data-verdict="reproduced"])').count() == 0
    assert page.locator('.claim[data-verdict="reproduced"]:visible').count() > 0
    page.get_by_label("not reproduced").check()
    page.get_by_label("inconclusive").check()
    page.get_by_label("search").fill("clipping and")
    assert 0 < left() < total
    for article in page.locator("article:visible").all():
        assert "clipping" in article.text_content().lower()
    page.get_by_label("search").fill("")
    for box in page.locator("[name=kind]").all():
        box.uncheck()
    assert left() == 0


def test_filters_by_keyboard(opened: Opener, report: Path) -> None:
    page = opened((report / "cpu" / "index.html").as_uri()).page
    page.get_by_label("not reproduced").focus()
    page.keyboard.press("Space")
    assert page.locator('.claim[data-verdict="not reproduced"]:visible').count() == 0
    page.keyboard.press("Space")
    assert page.locator('.claim[data-verdict="not reproduced"]:visible').count() > 0
