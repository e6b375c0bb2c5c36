"""Scales that are like another, and those that repeat it on other seeds as a check."""

from pathlib import Path

import pytest

from ademamix.cli.options import chosen, wanted_runs
from ademamix.errors import UserError
from ademamix.scale import read_scale, scale
from analysis import pages
from experiments import registry


def test_a_scale_like_another_states_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text("like: cpu\nhorizon: 8000\nunsettled: {}\n")
    expected = {"name": "short", "like": "cpu", "horizon": 8000, "unsettled": {}}
    assert read_scale(path) == scale("cpu").model_copy(update=expected)


def test_like_names_a_scale_that_is_like_no_other(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("like: cpo\n")
    with pytest.raises(UserError, match=r"mine.yaml: like: unknown scale 'cpo' .did you mean 'cpu'"):
        read_scale(path)
    path.write_text("like: cpu-again\n")
    with pytest.raises(UserError, match="cpu-again is itself like cpu; name that one"):
        read_scale(path)


def test_a_scale_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("like: cpu\nname: yours\n")
    with pytest.raises(UserError, match="named after its file; leave out 'name'"):
        read_scale(path)


def test_a_check_is_the_same_runs_three_seeds_further_on() -> None:
    (figure,) = registry.named("1")
    first, again = (figure.needs(scale(name)) for name in ("cpu", "cpu-again"))
    assert [need.run.reseeded(need.run.seed + 3) for need in first] == [need.run for need in again]
    assert [(need.until, need.observe, need.series) for need in first] == [
        (need.until, need.observe, need.series) for need in again
    ]


def test_a_check_repeats_nothing_else() -> None:
    at = scale("cpu-again")
    assert [artifact.label for artifact in chosen((), (), at)] == ["Figure 1"]
    asked, everything = wanted_runs(chosen(("1",), (), at), at)
    assert asked == everything  # so nothing is observed of its runs that another figure would show
    for names in ((("12",), ()), (("1", "12"), ()), ((), ("7",))):
        with pytest.raises(UserError, match="cpu-again repeats only figure 1 of cpu"):
            chosen(*names, at)


def test_the_verdicts_of_a_check_count_nowhere() -> None:
    assert "cpu-again" not in pages.shown()
    assert pages.checks() == ["cpu-again"]
    judged = {"claims": [], "noise": {}}
    page = pages.results_page({"cpu-again": {"figure-01": judged}}, registry.contents())
    assert "## Scale `cpu` again, on other seeds (`cpu-again`)" in page
