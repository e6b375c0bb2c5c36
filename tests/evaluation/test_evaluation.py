"""Questions of multiple choice: what they are, how likely a model finds answers, what is kept of it."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner

from ademamix.cli import cli
from ademamix.data import tokens
from ademamix.data.sets import Pysource
from ademamix.errors import UserError
from ademamix.evaluation import local
from ademamix.evaluation.choices import (
    Evaluation,
    Question,
    accuracy,
    answered,
    likeliest,
    packed,
    paired_difference,
    standard_error,
    unpacked,
)
from ademamix.evaluation.measure import evaluate, scores
from ademamix.evaluation.scoring import log_likelihoods
from ademamix.models import TransformerConfig, build
from ademamix.quantities import Accuracy, parse
from ademamix.records import SCHEDULED, export, load_record
from ademamix.store import Store
from ademamix.tasks import LanguageRun
from ademamix.training.job import Job
from ademamix.training.worker import work

CPU = torch.device("cpu")
MODEL = TransformerConfig(width=16, layers=1, heads=2, positions=64, vocabulary=256)


def source(number: int) -> bytes:
    """A made-up Python file with calls and blocks of many lengths."""
    names = [f"{'abcdefghij'[(number + i) % 10] * (3 + i % 4)}_{i % 7}" for i in range(40)]
    blocks = (
        f"def f_{name}({name}, b):\n    {name} = g_{i}({name}, k={i * 37 % 1000})\n    return {name}\n\n"
        for i, name in enumerate(names)
    )
    return "".join(blocks).encode()


@pytest.fixture(scope="module")
def byte_spec(tmp_path_factory: pytest.TempPathFactory) -> tuple[LanguageRun, Path]:
    """A run on a made-up `pysource`, and its data root."""
    from ademamix.optimizers import AdamWConfig
    from ademamix.schedules import Cosine

    root = tmp_path_factory.mktemp("data")
    data = Pysource(packages={"made": "1"})
    text = b"\x00".join(source(i) for i in range(12)) + b"\x00"
    shard = torch.frombuffer(bytearray(text), dtype=torch.uint8).numpy()
    splits = {"train": [shard], "validation": [shard], "reserve": [shard]}
    tokens.write(data.folder(root), splits, 256, {"kind": "test"})
    spec = LanguageRun(
        model=MODEL,
        data=data,
        optimizer=AdamWConfig(lr=1e-2, weight_decay=0.1),
        schedule=Cosine(warmup=2, horizon=12),
        batch=4,
        sequence=64,
        seed=0,
    )
    return spec, root


@pytest.mark.parametrize("name", local.TASKS)
def test_local_questions_fit_and_choices_alone_tell_nothing(name: str, byte_spec) -> None:  # type: ignore[no-untyped-def]
    spec, root = byte_spec
    asked = local.load(name, spec.data.folder(root))
    assert len(asked) >= 40
    assert len(asked) % local.CHOICES == 0
    for question in asked:
        assert len(set(question.choices)) == local.CHOICES
        assert len({len(choice) for choice in question.choices}) == 1
        assert len(question.context + question.choices[0]) <= local.LONGEST
    frequency = Counter("".join(question.context for question in asked))
    baselines = {
        "length": lambda choice: -len(choice),
        "frequency": lambda choice: sum(frequency[c] for c in choice),
        "rarity": lambda choice: -sum(frequency[c] for c in choice),
        "order": lambda choice: hash(choice),
    }
    for what, score in baselines.items():
        right = [float(likeliest([score(c) for c in q.choices]) == q.answer) for q in asked]
        assert accuracy(right) == 1 / local.CHOICES, what
    again = local.questions(name, [source(i) for i in range(12)])
    assert again == asked


def test_likelihoods_are_those_of_a_direct_computation() -> None:
    """One pair after the other, whole windows; with contexts that are too long, and shared passes."""
    model = build(MODEL, 1).eval()
    draw = torch.Generator().manual_seed(0)
    pairs = []
    for context, continuation in ((1, 1), (5, 3), (5, 3), (40, 20), (63, 2), (90, 7), (3, 80)):
        whole = torch.randint(0, 256, (context + continuation,), generator=draw).tolist()
        pairs.append((whole[:context], whole[context:]))
    pairs.append((pairs[0][0], [7]))  # shares a pass with the first
    found = log_likelihoods(model, pairs, 64, CPU, size=3)
    for (context, continuation), (log, greedy) in zip(pairs, found, strict=True):
        whole = torch.tensor([*context, *continuation])[-65:]
        scores = model(whole[None, :-1])[0].log_softmax(-1)
        last = min(len(continuation), 64)
        rows, targets = scores[-last:], whole[-last:]
        assert log == pytest.approx(-F.nll_loss(rows, targets, reduction="sum").item(), rel=1e-5)
        assert greedy == bool((rows.argmax(-1) == targets).all())


def test_acc_norm_is_per_character() -> None:
    questions = [Question("q", ("a", "bcd"), 1), Question("q", ("a", "bcd"), 0)]
    assert answered(questions, [[-2.0, -3.0], [-2.0, -7.0]]) == ((0.0, 1.0), (1.0, 1.0))


def test_answers_are_kept_as_bits() -> None:
    for right in ((1.0, 0.0, 0.0, 1.0, 1.0), (0.0,) * 9, (), (1.0,) * 64):
        assert unpacked(packed(right), len(right)) == right
    assert unpacked(packed((0.25, 1.0)), 2) == (0.25, 1.0)


def test_models_are_compared_question_by_question() -> None:
    first = Evaluation("t", "1", "d", "local", (1.0, 0.0, 1.0, 0.0), (), cluster=1)
    second = Evaluation("t", "1", "d", "local", (1.0, 1.0, 1.0, 0.0), (), cluster=1)
    assert paired_difference(first, second) == (0.25, pytest.approx(0.25))
    assert Evaluation.from_json(json.loads(json.dumps(first.as_json()))) == first
    assert standard_error(first.right) == pytest.approx((0.25 / 3) ** 0.5)
    with pytest.raises(ValueError, match="not the same questions"):
        paired_difference(first, Evaluation("t", "1", "other", "local", (1.0,) * 4, ()))


def test_accuracy_has_one_text_form() -> None:
    assert str(parse("accuracy:arc_easy/10")) == "accuracy:arc_easy/10"
    found = parse("accuracy:arc_easy/10")
    assert isinstance(found, Accuracy)
    assert (found.name, found.questions) == ("arc_easy", 10)
    for wrong in ("accuracy:", "accuracy:a b", "accuracy:a/0"):
        with pytest.raises(UserError):
            parse(wrong)


def test_it_is_observed_kept_asked_once_and_exported(byte_spec, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spec, root = byte_spec
    quantity = Accuracy(task="pysource_block/12")
    job = Job(spec, 6, frozenset({6}), {}, {quantity: frozenset({3, 6})}, 3, 1e9)
    run = Store(tmp_path / "runs").run(spec.id)
    assert work(job, tmp_path / "runs", root, "cpu", 1) == 0, run.failure()
    rows = {row["step"]: row for row in run.metrics()}
    evidence = json.loads(run.evidence_path(6, str(quantity)).read_text())
    assert rows[6][str(quantity)] == pytest.approx(evidence["acc"], abs=1e-6)
    assert (evidence["questions"], evidence["version"], evidence["source"]) == (12, local.VERSION, "local")

    args = ["--tasks", "pysource_block/12,pysource_text/8", "--runs", str(tmp_path / "runs"), "--json",
            "--data", str(root)]  # fmt: skip
    done = CliRunner().invoke(cli, ["eval", spec.id[:6], *args])
    assert done.exit_code == 0, done.exception
    first, second = json.loads(done.output)
    assert first == evidence
    assert second["questions"] == 8
    before = run.evidence_path(6, "accuracy:pysource_text/8").stat().st_mtime_ns
    assert CliRunner().invoke(cli, ["eval", spec.id[:6], *args]).output == done.output
    assert run.evidence_path(6, "accuracy:pysource_text/8").stat().st_mtime_ns == before
    outcome = run.outcome()
    assert outcome is not None
    assert outcome.observed["accuracy:pysource_text/8"] == [6]

    other = Store(tmp_path / "other")
    assert load_record(export(run, tmp_path), other)
    assert other.run(spec.id).evidence() == run.evidence()
    assert other.run(spec.id).metrics() == [
        {name: value for name, value in row.items() if name not in SCHEDULED} for row in run.metrics()
    ]
    gone = CliRunner().invoke(
        cli, ["eval", spec.id[:6], "--tasks", "pysource_text", "--runs", str(other.root)]
    )
    assert "keeps no checkpoint, as one that came as a record has none" in str(gone.exception)


def test_local_tasks_are_for_models_of_bytes(byte_spec, adamw_spec: LanguageRun) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="for models of the bytes of pysource"):
        evaluate(Accuracy(task="pysource_text"), build(MODEL, 0), adamw_spec, Path(), CPU)


def test_without_lm_eval_its_tasks_are_one_line(byte_spec, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("ademamix.evaluation.measure.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"lm-eval is not installed; install it with: uv pip install"):
        evaluate(Accuracy(task="hellaswag"), build(MODEL, 0), byte_spec[0], Path(), CPU)


def test_lm_eval_gives_the_same_answers(byte_spec, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The same questions as a task definition of lm-eval, with its own rules for contexts and answers."""
    pytest.importorskip("lm_eval")
    import datasets

    from ademamix.data.tokenizer import Bytes
    from ademamix.evaluation.harness import Harnessed, asked_of

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    spec, root = byte_spec
    folder, model = spec.data.folder(root), build(MODEL, 2).eval()
    asked = Harnessed(lambda pairs: log_likelihoods(model, pairs, 64, CPU), Bytes())
    name = "pysource_arguments"
    questions = local.load(name, folder)[:24]
    right, norm = answered(questions, scores(questions, model, 64, CPU))
    found = asked_of(asked, name, 24, local.definition(name, folder))
    assert (found.right, found.right_norm, found.version) == (right, norm, local.VERSION)
    with pytest.raises(UserError, match=r"unknown task 'hellaswg' .did you mean 'hellaswag'"):
        asked_of(asked, "hellaswg")
