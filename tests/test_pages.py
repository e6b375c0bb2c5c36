"""Generated pages, and committed results, are up to date."""

import json

import pytest

from ademamix.checkout import checkout
from analysis.judge import folders, judge
from analysis.pages import between_marks, write_pages
from experiments.registry import artifacts, catalogue, contents

ROOT = checkout()
COMMITTED = [folder for folder in folders(ROOT / "figures", None) if folder.name != "smoke"]


def test_generated_pages_are_not_stale() -> None:
    assert write_pages(ROOT, contents(), check=True) == [], "run 'make docs'"


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_committed_verdicts_follow_from_the_committed_tables(folder) -> None:  # type: ignore[no-untyped-def]
    known = json.loads((folder / "claims.json").read_text())["verdicts"]
    judged = {f.name: found for f in artifacts() if (found := judge(f, folder))}
    assert known == json.loads(json.dumps(judged))


def test_the_catalogue_has_the_whole_paper() -> None:
    assert list(catalogue()["figures"]) == list(range(1, 34))
    assert list(catalogue()["tables"]) == list(range(1, 9))


def test_text_between_marks_is_replaced_and_the_rest_stays() -> None:
    page = "a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb\n"
    new = between_marks(page, "x", "new\n")
    assert new == "a\n<!-- generated: x -->\nnew\n<!-- end: x -->\nb\n"
    assert between_marks(new, "x", "new\n") == new
    with pytest.raises(ValueError, match="lacks the marks"):
        between_marks("no marks", "x", "new")
