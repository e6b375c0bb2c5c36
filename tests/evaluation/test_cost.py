"""What a plan says of its questions: how many, and what they cost by operations or as measured."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ademamix.cli import cli
from ademamix.errors import UserError
from ademamix.evaluation.cost import SIZES, Asking, asking
from ademamix.plan import Wanted, hours
from ademamix.quantities import Accuracy, Quantity, ValidationLoss
from ademamix.rates import processor_here, seconds_a_question
from ademamix.scale import scale
from experiments.fig08_table7_evaluation import table_7
from experiments.fig08_table7_evaluation.tasks import LOCAL, PAPERS


def of(observe: dict[Quantity, frozenset[int]]) -> Wanted:
    need = table_7.needs(scale("cpu"))[0]
    return Wanted(need.run, need.until, observe=observe, paper=need.paper)


def test_every_task_of_the_table_is_counted() -> None:
    assert {task.name for task in [*PAPERS, *LOCAL]} <= SIZES.keys()


def test_questions_passes_tokens_and_operations() -> None:
    w, at = (
        of({Accuracy(task="piqa/100"): frozenset({5, 9}), ValidationLoss(windows=8): frozenset({9})}),
        scale("cpu"),
    )
    found = asking([w], at, {})
    assert (found.tasks, found.checkpoints, found.questions, found.passes) == (("piqa",), 2, 200, 400)
    assert found.tokens == 400 * SIZES["piqa"].tokens
    forward = w.spec.model.training_flops(SIZES["piqa"].tokens) / 3
    assert found.flops == pytest.approx(400 * forward)
    assert found.hours == pytest.approx(hours(found.flops, at))
    assert found.assumed
    assert not found.measured


def test_texts_are_no_longer_than_windows_and_local_ones_not_assumed() -> None:
    at = scale("cpu")
    local = asking([of({Accuracy(task="pysource_text"): frozenset({9})})], at, {})
    assert (local.questions, local.tokens, local.assumed) == (4_800, 4_800 * 4 * 64, False)
    long = of({Accuracy(task="pubmedqa"): frozenset({9})})
    assert asking([long], at, {}).tokens == SIZES["pubmedqa"].questions * long.spec.sample


def test_unknown_tasks_are_named_and_nothing_is_made_up() -> None:
    found = asking([of({Accuracy(task="another"): frozenset({9})})], scale("cpu"), {})
    assert found == Asking(unknown=("another",), checkpoints=1)
    assert asking([of({})], scale("cpu"), {}) == Asking()


def results(folder: Path, processor: str) -> None:
    run = {"scale": "cpu", "size": "1.3B", "task": "pysource_text", "seconds a question": 0.5}
    found = {"machine": {"processor": processor}, "runs": [run]}
    (folder / "evaluation-cpu.json").write_text(json.dumps(found))


def test_what_was_measured_on_this_machine_counts(tmp_path: Path) -> None:
    at = scale("cpu")
    assert seconds_a_question(at, tmp_path) == {}
    results(tmp_path, "another")
    assert seconds_a_question(at, tmp_path) == {}
    results(tmp_path, processor_here())
    seconds = seconds_a_question(at, tmp_path)
    both = {Accuracy(task=f"{task}/10"): frozenset({9}) for task in ("pysource_text", "pysource_block")}
    found = asking([of(dict(both))], at, seconds)
    assert found.measured == pytest.approx(10 * 0.5 / 3600)
    assert found.hours == pytest.approx(found.measured + hours(found.flops / 2, at))
    (tmp_path / "evaluation-cpu.json").write_text("{}")
    with pytest.raises(UserError, match=r"is not a result of benchmarks/evaluation.py; measure again"):
        seconds_a_question(at, tmp_path)


def test_plan_says_it(tmp_path: Path) -> None:
    def said(*more: str) -> str:
        asked = ["plan", "--table", "7", "--scale", "paper", "--runs", str(tmp_path), *more]
        return CliRunner().invoke(cli, asked, catch_exceptions=False).output

    text = " ".join(said().split())
    assert "Evaluation, besides: 15 tasks at" in text
    assert "tokens (lengths assumed)" in text
    assert "of one worker (by operations)" in text
    found = json.loads(said("--json"))["evaluation"]
    assert len(found["tasks"]) == 15
    assert 0 < found["hours"] < 24  # of one H100
    none = CliRunner().invoke(cli, ["plan", "--figure", "12a", "--runs", str(tmp_path)]).output
    assert "Evaluation" not in none
