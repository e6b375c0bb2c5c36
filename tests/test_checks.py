"""Scales that are like another, and those that repeat it on other seeds as a check."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ademamix.cli.options import chosen, chosen_scale, wanted_runs
from ademamix.cli.runs import Selection
from ademamix.errors import UserError
from ademamix.scale import read_scale, reported_seeds, scale
from analysis import pages
from analysis.verdicts import write_verdicts
from experiments import registry
from tests.command_line import cli

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Makes mine.yaml."""

    def written(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return path

    return written


def test_a_scale_like_another_states_only_what_differs(write: Write) -> None:
    cpu = scale("cpu")
    found = read_scale(write("like: cpu\nhorizon: 8000\nunsettled: {}\n"))
    expected = {"name": "mine", "like": "cpu", "horizon": 8000, "unsettled": {}}
    assert found == cpu.model_copy(update=expected)


def test_mappings_are_completed_key_by_key(write: Write) -> None:
    cpu = scale("cpu")
    text = "like: cpu\nseeds: {headline: [7]}\nlr: {110M: {adamw: 1.0e-3}}\ntasks: {language: {batch: 8}}\n"
    found = read_scale(write(text + "models: {110M: {kind: mamba, width: 8, layers: 1, vocabulary: 256}}\n"))
    assert found.seeds == cpu.seeds.model_copy(update={"headline": (7,)})
    assert found.lr == cpu.lr | {"110M": cpu.lr["110M"] | {"adamw": 1e-3}}
    assert found.tasks["language"] == cpu.tasks["language"].model_copy(update={"batch": 8})
    assert found.tasks["vision"] == cpu.tasks["vision"]
    assert found.models["110M"].kind == "mamba"
    assert found.models["330M"] == cpu.models["330M"]
    # Stated whole: initial weights are made for a width.
    with pytest.raises(UserError, match=r"models\.110M: unknown model"):
        read_scale(write("like: cpu\nmodels: {110M: {width: 8}}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("like: cpo", "like: unknown scale 'cpo' .did you mean 'cpu'"),
        ("like: ../scales/cpu", "like: unknown scale"),
        ("like: [cpu]", "like: unknown scale"),
        ("like: cpu-again", "cpu-again is itself like cpu; name that one"),
        ("like: cpu\nname: yours", "named after its file; leave out 'name'"),
        ("check: [1]\nhorizon: 8", "a check repeats another scale; say which with 'like: NAME'"),
        ("like: cpu\ncheck: [1]\nhorizon: 8", "a check is cpu on other seeds; leave out 'horizon'"),
        ("like: cpu\ncheck: [1]", "cpu has used seed 0; give a check other headline and sweep seeds"),
        ("like: cpu\ncheck: [1]\nseeds: {headline: [5, 100], sweep: [5]}", "cpu has used seed 100"),
        ("like: cpu\ncheck: [1]\nseeds: {headline: [5], sweep: [8]}", "cpu-again has used seed 5"),
    ],
)
def test_what_makes_no_scale_is_one_line(write: Write, text: str, message: str) -> None:
    with pytest.raises(UserError, match=f"mine.yaml: .*{message}"):
        scale(str(write(f"{text}\n")))


def test_a_check_of_a_figure_that_is_not_there(write: Write) -> None:
    at = read_scale(write("like: cpu\ncheck: [99]\nseeds: {headline: [8], sweep: [8]}\n"))
    with pytest.raises(UserError, match="scale mine: check: there is no figure 99"):
        chosen((), (), at)


def test_a_check_is_the_same_runs_three_seeds_further_on() -> None:
    (figure,) = registry.named("1")
    of_cpu, again = (figure.needs(scale(name)) for name in ("cpu", "cpu-again"))
    first = [need for need in of_cpu if need.run.seed in (0, 1, 2)]  # it has two seeds more since
    assert [need.run.reseeded(need.run.seed + 3) for need in first] == [need.run for need in again]
    assert [(need.until, need.observe, need.series) for need in first] == [
        (need.until, need.observe, need.series) for need in again
    ]


def test_a_check_repeats_nothing_else() -> None:
    at = scale("cpu-again")
    assert [artifact.label for artifact in chosen((), (), at)] == ["Figure 1"]
    asked, everything = wanted_runs(chosen(("1",), (), at), at)
    assert asked == everything  # so nothing is observed of its runs that another figure would show
    assert {figure for wanted in asked.values() for figure in wanted.figures} == {"1"}
    known = Selection(scale="cpu-again").known
    assert known.keys() == asked.keys()
    for names in ((("12",), ()), (("1", "12"), ()), ((), ("7",))):
        with pytest.raises(UserError, match="cpu-again repeats only Figure 1 of cpu"):
            chosen(*names, at)


def test_a_check_has_seeds_of_its_own(tmp_path: Path) -> None:
    """Other ones would be runs of the scale it repeats, without what that wants of them."""
    message = "cpu-again is a check, with seeds of its own; take --scale cpu"
    with pytest.raises(UserError, match=message):
        chosen_scale("cpu-again", "0,1,2")
    done = cli("sweep", "plan", "--scale", "cpu-again", "--set", "optimizer.lr=1e-3", "--runs", str(tmp_path))
    assert done.returncode != 0
    assert message in done.stderr


def test_seeds_that_are_reported_anywhere_in_the_family_are_no_evidence(write: Write) -> None:
    mine = read_scale(write("like: cpu\nseeds: {headline: [8]}\n"))
    assert reported_seeds(scale("cpu")) == reported_seeds(scale("cpu-again")) == set(range(8))
    assert reported_seeds(mine) == set(range(9))


def test_the_verdicts_of_a_check_are_in_no_total(tmp_path: Path) -> None:
    assert "cpu-again" not in pages.shown()
    assert pages.checks() == ["cpu-again"]
    judged = {"figure": "figure-01", "scale": "cpu-again", "claims": [], "noise": {}}
    write_verdicts(tmp_path / "cpu-again" / "claims.json", {"figure-01": judged})
    assert "cpu-again" not in pages.read_verdicts(tmp_path)
    page = pages.results_page({"cpu-again": {"figure-01": judged}}, registry.contents())
    assert "## Scale `cpu` again, on other seeds (`cpu-again`)\n\nSeeds 3, 4, 5: nothing was tuned" in page
