"""The pages of the report."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ademamix.checkout import checkout
from ademamix.errors import UserError
from analysis.pages import checks, shown
from analysis.report.facts import embedded
from analysis.report.words import interval, margin
from analysis.report.write import write_report
from experiments import registry

VOID = {"meta", "link", "input", "br", "img", "hr"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write_report(registry.contents(), checkout(), out)
    return out


class Reader(HTMLParser):
    """What a page is made of: ids, links, whether its elements close."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found[name] or "" for name in ("href", "src", "xlink:href") if name in found]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_pages_are_whole_and_load_nothing_from_elsewhere(report: Path) -> None:
    pages = list(report.rglob("index.html"))
    assert report / "index.html" in pages
    assert len(pages) > 1
    for path in pages:
        page = Reader(path)
        assert page.open == []
        assert len(set(page.ids)) == len(page.ids)
        for link in page.links:
            assert not re.match(r"https?:|//", link)
            where, _, anchor = link.partition("#")
            if where and not where.startswith("data:"):
                assert (path.parent / where).exists(), link
            elif anchor:
                assert anchor in page.ids


def test_every_committed_verdict_is_on_its_page(report: Path) -> None:
    import json

    for name in checks():  # in docs/results.md alone
        assert not (report / name).exists()
    for folder in (checkout() / "figures" / name for name in ("exact", *shown())):
        if not (folder / "claims.json").exists():
            continue
        verdicts = json.loads((folder / "claims.json").read_text())["verdicts"]
        text = (report / folder.name / "index.html").read_text()
        for name, entry in verdicts.items():
            assert f'<article id="{name}"' in text
            assert len(entry["claims"]) <= text.count('class="claim"')
        assert text.count('class="claim"') == sum(len(entry["claims"]) for entry in verdicts.values())


def test_drawings_in_one_page_keep_their_own_ids(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text(
        '<?xml?>\n<svg width="9pt" height="9pt" viewBox="0 0 9 9"><g id="p"/><use xlink:href="#p"/>'
        '<g clip-path="url(#p)"/></svg>'
    )
    assert embedded(path, "figure-01") == (
        '<svg viewBox="0 0 9 9"><g id="figure-01-p"/><use xlink:href="#figure-01-p"/>'
        '<g clip-path="url(#figure-01-p)"/></svg>'
    )


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'<svg width="9pt"><g>'])
def test_a_damaged_drawing_breaks_no_page(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.svg is damaged; draw it again"):
        embedded(path, "a")


def test_intervals_say_what_they_are() -> None:
    assert interval(None) == "spread unknown"
    assert interval([0.5, 0.5]) == "exact"
    assert interval([0.01, 0.03]) == "[0.01, 0.03]"


def test_a_claim_holds_by_the_least_of_its_effects() -> None:
    def effect(value: float | str, *ends: float, verdict: str = "reproduced") -> dict[str, Any]:
        return {"value": value, "interval": list(ends) or None, "verdict": verdict}

    def said(*effects: dict[str, Any], verdict: str = "reproduced") -> str:
        claim = {"threshold": 0.1, "effects": effects, "verdict": verdict, "why": "tuned for this"}
        return margin(claim).replace("\N{NO-BREAK SPACE}", " ")

    good, near = effect(0.3, 0.2, 0.4), effect(0.25, 0.05, 0.45, verdict="inconclusive")
    assert said(good) == "+0.2 [0.1, 0.3]"
    assert said(good, near, verdict="inconclusive") == "+0.15 [-0.05, 0.35]"
    assert said(good, verdict="inconclusive") == "+0.2 [0.1, 0.3]; tuned for this"
    assert said(good, effect(-0.5), verdict="inconclusive") == "-0.6 spread unknown; tuned for this"
    assert said(good, effect("diverged"), verdict="not reproduced") == "not a number"
