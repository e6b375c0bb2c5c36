"""Launching on a cluster as a user meets it: options, the verbs of the queue, mistakes in one line."""

import os
import sys
from pathlib import Path

import click
import pytest

from ademamix.checkout import checkout
from ademamix.cli import cli
from ademamix.errors import UserError
from ademamix.launch.states import State
from ademamix.launch.submissions import Submission, Submissions
from ademamix.spec import RunSpec
from ademamix.store import Store

ONE_NODE = str(checkout() / "configs" / "clusters" / "one-node.yaml")


@pytest.fixture
def no_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Slurm's commands."""
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))


def call(*args: str | Path) -> None:
    code = None
    try:
        cli.main([str(arg) for arg in args], prog_name="ademamix", standalone_mode=False)
    except SystemExit as end:
        code = end.code
    assert not code


def sent(store: Store, *runs: str, **fields: object) -> Submission:
    """A job that was sent for some runs."""
    submission = Submission(name="ademamix-1", job="7", sent=0.0, tasks=(runs,)).model_copy(update=fields)
    Submissions(store).write(submission)
    return submission


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "--launcher", "slurm"], "--launcher slurm needs --cluster FILE"),
        (
            ["run", "--cluster", "absent/none.yaml"],
            "no cluster file absent/none.yaml; copy configs/clusters/",
        ),
        (["cancel", "--all"], "nothing of .* was sent to a cluster"),
        (["logs", "3f"], "nothing of .* was sent to a cluster"),
        (["retry"], "name runs, or --all"),
        (["retry", "--all"], "none of these has failed or is held"),
        (["retry", "3f"], "no run in"),
    ],
)
def test_mistakes(args: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as problem:
        call(*args, "--runs", tmp_path)
    assert "\n" not in str(problem.value)


def test_unknown_launchers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter):
        call("run", "--launcher", "slrum", "--runs", tmp_path)


def test_a_dry_run_needs_no_slurm_and_does_nothing(
    no_slurm: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--scale", "smoke", "--runs", tmp_path / "runs", "--data", tmp_path, "--dry-run")
    call("run", "--figure", "4", "--cluster", ONE_NODE, *where)
    said = capsys.readouterr().out
    assert "JOB2: 1 tasks, 16 runs, 1 CPU · 10 min, after JOB1\n" in said
    assert "#SBATCH --dependency=afterok:JOB1\n" in said
    assert said.endswith("2 jobs would be submitted\n")
    call("run", "--figure", "4", *where)
    assert "18 of 18 runs would be trained" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_clusters_places_are_used_unless_others_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"store: {tmp_path}/its\non_nodes: {{python: /opt/python}}\nsetup: [module load x]\n")
    where = ("run", "--figure", "12b", "--scale", "smoke", "--cluster", mine, "--dry-run")
    call(*where)
    said = capsys.readouterr().out
    assert f"--output={tmp_path}/its/slurm/" in said
    assert "module load x\ncd " in said
    assert " /opt/python -u -m submitit" in said
    call(*where, "--runs", tmp_path / "other")
    assert f"--output={tmp_path}/other/slurm/" in capsys.readouterr().out


def test_without_slurm_it_trains_right_here(
    no_slurm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ademamix.launch.local import Local
    from ademamix.launch.protocol import Launched

    launched = []
    monkeypatch.setattr(Local, "launch", lambda self, jobs, *_: launched.extend(jobs) or Launched())
    monkeypatch.setattr("ademamix.cli.pipeline.refuse_unfit_data", lambda *_: None)
    where = ("--scale", "smoke", "--cluster", ONE_NODE, "--launcher", "slurm", "--runs", tmp_path)
    call("run", "--figure", "12b", "--only", "", *where)
    assert len(launched) == 6
    assert "no sbatch here: training on this machine" in capsys.readouterr().err


def test_status_without_an_answer(
    no_slurm: None, tmp_path: Path, adamw_spec: RunSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    sent(Store(tmp_path), adamw_spec.id)
    call("status", "--runs", tmp_path)
    said = capsys.readouterr().out
    assert "the cluster does not answer" in said
    assert "1 unknown" in said
    call("status", "--json", "--runs", tmp_path)
    assert '"state": "unknown"' in capsys.readouterr().out


def test_status_says_what_to_do(
    tmp_path: Path, adamw_spec: RunSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    run = store.run(adamw_spec.id)
    run.begin(adamw_spec)
    sent(store, run.id, ended={"7": State.TIMED_OUT})
    call("status", "--runs", tmp_path)
    assert "timed out; call again to go on from its last checkpoint" in capsys.readouterr().out
    run.fail("ZeroDivisionError")
    run.try_again()
    run.fail("ZeroDivisionError")
    run.stop_path.touch()
    call("status", "--runs", tmp_path)
    assert "held: delete" in capsys.readouterr().out
    call("retry", run.id[:6], "--runs", tmp_path)
    assert not run.stop_path.exists()
    assert not run.failure()


def test_logs_prints_the_end_of_each_file(
    tmp_path: Path, adamw_spec: RunSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    submission = sent(store, adamw_spec.id)
    with pytest.raises(UserError, match="job 7 has written nothing yet"):
        call("logs", adamw_spec.id, "--runs", tmp_path)
    folder = tmp_path / "slurm" / submission.name
    folder.mkdir()
    (folder / "7_0_log.out").write_text("one\ntwo\nthree\n")
    call("logs", adamw_spec.id[:5], "--lines", "2", "--runs", tmp_path)
    assert capsys.readouterr().out == f"==> {folder / '7_0_log.out'} <==\ntwo\nthree\n"
