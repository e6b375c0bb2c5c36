"""The command line as a user meets it: mistakes are one clear line and exit code ≠ 0."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.plan import forks_of, unite
from ademamix.scale import scale
from ademamix.spec import RunSpec
from ademamix.store import Outcome, Store
from analysis.artifacts import needs
from experiments import registry
from tests.command_line import cli
from tests.damage.world import pretend_trained


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["plan", "--figure", "99"], "figure 99 is not in the paper, which has 33; there are: 1, 2, "),
        (["plan", "--figure", "twelve"], "'twelve' is not a figure"),
        (["plan", "--scale", "cpuu"], "unknown scale 'cpuu' (did you mean 'cpu'?)"),
        (["plan", "--figure", "12", "--set", "optimizer.lrr=1"], "did you mean 'lr'?"),
        (["plan", "--figure", "12", "--set", "optimizer.beta2=1"], "should be less than 1"),
        (["plan", "--seeds", "a"], "--seeds takes numbers"),
        (["plan", "--seeds=-1"], "--seeds takes numbers"),
        (["plan", "--seeds", "0,1,0"], "--seeds takes each number once, not '0,1,0'"),
        (["plan", "--figure", "12", "--set", "batch=[1"], "not valid YAML"),
        (["plan", "--figure", "12", "--set", "optimizer.alhpa=4"], "did you mean 'alpha'"),
        (["run", "--figure", "12", "--set", "batch=8"], "say where to put it with --out"),
        (["run", "--figure", "12", "--only", "zzz"], "no run of these figures"),
        (["show", "zzz"], "no run in"),
    ],
)
def test_mistakes(args: list[str], message: str, tmp_path: Path) -> None:
    done = cli(*args, "--runs", str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_unknown_options_and_verbs_are_refused() -> None:
    assert cli("plan", "--figures", "12").returncode == 2
    assert cli("draw").returncode == 2


def test_paper_without_its_data_says_what_is_missing(tmp_path: Path) -> None:
    done = cli("run", "--figure", "12", "--scale", "paper", "--device", "cpu",
               "--runs", str(tmp_path), "--data", str(tmp_path))  # fmt: skip
    assert done.returncode == 1
    assert "make it with 'ademamix data prepare" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unwritable_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("run", "--figure", "12", "--scale", "smoke", "--runs", str(tmp_path / "file" / "runs"))
    assert done.returncode == 1
    assert "is a file; name a folder with --runs DIR" in done.stderr


def test_plan_as_json(tmp_path: Path) -> None:
    plan = json.loads(
        cli("plan", "--figure", "12", "--scale", "paper", "--json", "--runs", str(tmp_path)).stdout
    )
    keys = {"id", "steps", "new_steps", "fork_step", "tokens", "batch", "model", "optimizer", "figures"}
    assert len(plan["runs"]) == 13
    for run in plan["runs"]:
        assert keys <= run.keys()
        assert run["new_steps"] == run["steps"] == 256_000
        assert run["tokens"] == 256_000 * 64 * 1024


def test_the_plan_for_people_has_totals_and_assumptions(tmp_path: Path) -> None:
    text = cli("plan", "--figure", "12", "--scale", "paper", "--runs", str(tmp_path)).stdout
    assert "13 runs" in text
    assert "utilisation 40% assumed" in text
    assert "H100" in text
    assert "Packs:" not in text  # each of these fills its GPU alone


def test_the_plan_says_what_is_packed(tmp_path: Path) -> None:
    text = cli("plan", "--figure", "12", "--scale", "cpu", "--runs", str(tmp_path)).stdout
    assert "Packs: 13 of the runs to do are of 1 shape; up to 8 of a shape" in " ".join(text.split())


def test_show_and_status(tmp_path: Path, adamw_spec: RunSpec) -> None:
    run = Store(tmp_path).run(adamw_spec.id)
    run.begin(adamw_spec)
    run.metrics_path.write_text('{"step": 7, "loss": 1.5}\n')
    run.finish(Outcome("diverged", 9, {}, 1.0))
    shown = cli("show", adamw_spec.id[:6], "--runs", str(tmp_path)).stdout
    assert "diverged" in shown
    counts = json.loads(cli("status", "--json", "--runs", str(tmp_path)).stdout)
    assert counts["other"]["diverged"] == 1
    assert counts["cpu"]["new"] > 0
    assert "diverged" in cli("status", "--runs", str(tmp_path)).stdout


def test_seeds_make_other_runs(tmp_path: Path) -> None:
    def ids(*args: str) -> set[str]:
        out = cli("plan", "--figure", "12", "--json", "--runs", str(tmp_path), *args).stdout
        return {run["id"] for run in json.loads(out)["runs"]}

    assert len(ids("--seeds", "5,6")) == 2 * len(ids())
    assert not ids("--seeds", "5") & ids()
    assert not ids("--set", "optimizer.weight_decay=0") & ids()


PATIENCE = 300.0  # seconds, on a machine that does much else


@contextmanager
def _in_background(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that trains for long, and whatever happens, not for longer than its test."""
    args = ["run", "--figure", "12", "--scale", "cpu", "--jobs", "2", "--pack", "1"]
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-m", "ademamix", *args, *places],
        cwd=checkout(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests as a shell's background job hands down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # its group is gone when all went well
            os.killpg(process.pid, signal.SIGKILL)


def _wait_for_training(runs: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if len([p for p in runs.glob("*/metrics.jsonl") if p.stat().st_size]) == 2:
            return
        time.sleep(0.1)
    raise AssertionError("training did not start")


def test_a_damaged_outcome_is_one_line(tmp_path: Path, adamw_spec: RunSpec) -> None:
    run = Store(tmp_path).run(adamw_spec.id)
    run.begin(adamw_spec)
    (run.folder / "outcome.json").write_text("{")
    done = cli("status", "--runs", str(tmp_path))
    assert done.returncode == 1
    assert (
        done.stderr == f"ademamix: {run.folder / 'outcome.json'} is damaged; copy the run again, "
        f"or delete {run.folder} and run again\n"
    )


@pytest.mark.parametrize("scale", ["cpuu", ""])
def test_unknown_scales_are_refused_everywhere(scale: str) -> None:
    for verb in (["plot"], ["claims"], ["import"]):
        if scale:
            assert "unknown scale 'cpuu'" in cli(*verb, "--scale", scale).stderr
    assert cli("plan", "--scale", scale).returncode == 1


@pytest.mark.parametrize("delay", [0.3, 1.0, 3.0])  # imports, the plan, workers
def test_an_early_ctrl_c_is_quiet(delay: float, tmp_path: Path) -> None:
    with _in_background(tmp_path) as process:
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in (130, -signal.SIGINT)  # the latter before Python has started
    if process.returncode == 130:
        assert "Traceback" not in out + err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_leaves_checkpoints_and_says_how_to_go_on(number: int, code: int, tmp_path: Path) -> None:
    with _in_background(tmp_path) as process:
        _wait_for_training(tmp_path / "runs")
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            os.kill(process.pid, number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "call again to go on" in err
    assert "Traceback" not in err + out
    assert len(list((tmp_path / "runs").glob("*/checkpoints/*.json"))) == 2
    assert not (tmp_path / "out").exists()
    counts = json.loads(cli("status", "--json", "--runs", str(tmp_path / "runs")).stdout)
    assert counts["cpu"]["started"] == 2


def test_two_commands_on_one_figure_at_once(tmp_path: Path) -> None:
    args = ["run", "--figure", "12b", "--scale", "smoke", "--jobs", "1", "--runs", str(tmp_path / "runs")]
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "ademamix", *args, "--out", str(tmp_path)],
            cwd=checkout(),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    outcomes = list((tmp_path / "runs").glob("*/outcome.json"))
    assert len(outcomes) == 6
    assert (tmp_path / "smoke" / "figure-12b.png").exists()


def test_a_run_cut_short_leaves_what_branches_need(tmp_path: Path) -> None:
    """--until hides how far the others go: checkpoints of pending branches stay."""
    at = scale("smoke")
    (trunk, *_) = [need.run for f in registry.named("4") for need in f.needs(at) if need.run.fork is None]
    everything = unite(needs(registry.figures().values(), at))
    run, forks = Store(tmp_path).run(trunk.id), forks_of(everything.values())[trunk.id]
    pretend_trained(run, everything[trunk.id], at.log_every, forks)
    there = run.checkpoint_steps()
    assert there == set(forks)
    done = cli("run", "--figure", "4", "--scale", "smoke", "--until", "3", "--only", trunk.id,
               "--runs", str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run.checkpoint_steps() == there
