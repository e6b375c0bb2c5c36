"""Several processes for one run, as users start them: by the local launcher, and by torchrun."""

import os
import pickle
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.launch.local import Local
from ademamix.launch.protocol import Launched
from ademamix.spec import RunSpec
from ademamix.store import Store
from ademamix.training.worker import work
from tests.command_line import cli
from tests.launch.contract import Contract, Make, Recorder, job

PATIENCE = 240.0
BATCH = 4  # of a run of scale smoke, whose own does for two processes only


class TestTwoForEachRun(Contract):
    """All that a launcher has to do, with two processes for each run; losses are equal but for rounding."""

    rounding = 1e-5

    @pytest.fixture
    def make(self) -> Make:
        return lambda: Local(["cpu", "cpu"], 1, ranks=2)


def ranks_of(launcher: int) -> list[int]:
    """The processes that train, which have the launcher's fork server for a parent."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, parent = int(stat.parent.name), _parent(int(stat.parent.name))
            if _parent(parent) == launcher and (stat.parent / "cmdline").read_bytes():
                found.append(pid)
        except (OSError, ValueError, IndexError):
            continue
    return sorted(found)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def until(what: str, test: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < end, what
        time.sleep(0.05)


class Quiet(Recorder):
    def stopping(self, running: int) -> None:
        pass


def serve() -> None:
    """A launcher in a process of its own: launches what each line of stdin names, prints what came of it."""
    for path in map(str.strip, sys.stdin):
        one, root, data, shard = pickle.loads(Path(path).read_bytes())
        done = Local(["cpu", "cpu"], 1, ranks=2, shard=shard).launch([one], Store(root), data, Quiet())
        print(len(done.failed), len(done.pending), done.exit_code, flush=True)


class Launcher:
    """A process that `serve`s, in a session of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from tests.launch.test_several_processes import serve; serve()"],
            cwd=checkout(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.busy = False

    def begin(self, path: Path) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{path}\n".encode())
        self.process.stdin.flush()
        self.busy = True

    def ended(self) -> list[int]:
        """How many failed, how many are pending, the exit code."""
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "the launch does not end"
        said = self.process.stdout.readline()
        assert said, f"the launcher ended with exit code {self.process.wait()}"
        self.busy = False
        return [int(word) for word in said.split()[:3]]

    def close(self) -> None:
        """With all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def launchers() -> Iterator[list[Launcher]]:
    found: list[Launcher] = []
    yield found
    for launcher in found:
        launcher.close()


@pytest.fixture
def launcher(launchers: list[Launcher]) -> Launcher:
    """One for all tests, whose fork server takes seconds to start; another where a test left it busy."""
    if not launchers or launchers[-1].busy:
        launchers.append(Launcher())
    return launchers[-1]


class Started:
    """A launch of a run that takes a while, in another process."""

    def __init__(
        self, launcher: Launcher, spec: RunSpec, root: Path, data: Path, shard: bool = False
    ) -> None:
        self.shard = shard
        self.job = replace(job(spec), until=4000, checkpoint_seconds=0.2)
        self.run = Store(root).run(spec.id)
        path = root.parent / f"{root.name}.pickle"
        path.write_bytes(pickle.dumps((self.job, root, data, shard)))
        launcher.begin(path)

    def saved(self) -> int:
        return max(self.run.checkpoint_steps(), default=0)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the ranks in /proc")
@pytest.mark.parametrize(("rank", "shard"), [(0, False), (1, True)])
def test_one_rank_killed_ends_all_and_the_next_call_goes_on(
    rank: int,
    shard: bool,
    launcher: Launcher,
    tmp_path: Path,
    data_root: Path,
    adamw_spec: RunSpec,
) -> None:
    started = Started(launcher, adamw_spec, tmp_path / "store", data_root, shard)
    until("a checkpoint is there", lambda: started.saved() > 0)
    both = ranks_of(launcher.process.pid)
    assert len(both) == 2
    os.kill(both[rank], signal.SIGKILL)
    assert launcher.ended() == [1, 0, 0]
    assert re.fullmatch(r"rank [01] of 2 was stopped by signal 9", started.run.failure())
    assert not [pid for pid in both if Path(f"/proc/{pid}/exe").exists()]
    step = started.saved()
    assert step > 0
    _goes_on(started, step, tmp_path, data_root)


@pytest.mark.skipif(sys.platform != "linux", reason="signals a whole session")
def test_ctrl_c_stops_all_ranks_at_one_step(
    launcher: Launcher, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    """As a terminal sends it: to every process there is."""
    started = Started(launcher, adamw_spec, tmp_path / "store", data_root)
    until("it trains", lambda: started.saved() > 0)
    os.killpg(launcher.process.pid, signal.SIGINT)
    assert launcher.ended() == [0, 1, 128 + signal.SIGINT]
    assert not started.run.failure()
    _goes_on(started, started.saved(), tmp_path, data_root)


def test_a_file_stops_all_ranks(
    launcher: Launcher, tmp_path: Path, data_root: Path, adamw_spec: RunSpec
) -> None:
    started = Started(launcher, adamw_spec, tmp_path / "store", data_root)
    until("it trains", lambda: started.saved() > 0)
    started.run.stop_path.touch()
    assert launcher.ended() == [0, 1, 0]
    assert not started.run.failure()
    started.run.stop_path.unlink()
    _goes_on(started, started.saved(), tmp_path, data_root)


def _goes_on(started: Started, step: int, tmp_path: Path, data_root: Path) -> None:
    """The next call trains from the checkpoint on, and comes to what one process comes to."""
    end = step + 40
    short = replace(started.job, until=end, keep=frozenset({end}))
    before = {row["step"]: row for row in started.run.metrics() if (row["step"] or 0) <= step}
    again = Local(["cpu", "cpu"], 1, ranks=2, shard=started.shard)
    done = again.launch([short], Store(tmp_path / "store"), data_root, Recorder())
    assert done == Launched()
    rows = {row["step"]: row for row in started.run.metrics()}
    assert before.items() <= rows.items()  # it did not begin anew
    straight = tmp_path / "straight"
    assert work(short, straight, data_root, "cpu", 1) == 0
    expected = {row["step"]: row["loss"] for row in Store(straight).run(started.run.id).metrics()}
    assert {t: row["loss"] for t, row in rows.items()} == pytest.approx(expected, rel=1e-2)


# --- the command line

TRAIN = ("train", "--scale", "smoke", "--optimizer", "adamw", "--set", f"batch={BATCH}")


def torchrun(words: Sequence[object], runs: Path) -> "subprocess.CompletedProcess[str]":
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "ademamix", *map(str, words), "--runs", str(runs)]
    return subprocess.run(command, cwd=checkout(), capture_output=True, text=True, timeout=PATIENCE)


def losses(runs: Path) -> list[float | None]:
    (run,) = Store(runs).runs()
    assert run.status()[0] == "finished"
    return [row["loss"] for row in run.metrics() if "loss" in row]


def test_the_command_line_under_torchrun_and_alone(tmp_path: Path) -> None:
    found = {
        "one": cli(*TRAIN, "--runs", tmp_path / "one"),
        "two": cli(*TRAIN, "--gpus-per-run", 2, "--runs", tmp_path / "two"),
        "shards": cli(*TRAIN, "--gpus-per-run", 2, "--shard", "--runs", tmp_path / "shards"),
        "torchrun, shards": torchrun([*TRAIN, "--shard"], tmp_path / "torchrun, shards"),
    }
    for done in found.values():
        assert done.returncode == 0, done.stderr
    # The first process alone speaks.
    assert found["torchrun, shards"].stdout.count("validation_loss") == 1
    for name in ("two", "shards", "torchrun, shards"):
        assert losses(tmp_path / name) == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
        assert bool(list((tmp_path / name).glob("*/checkpoints/*.sharded"))) == ("shards" in name)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--gpus-per-run", 3], f"a batch of {BATCH} cannot be split evenly among 3 processes for one run"),
        (
            ["--gpus-per-run", 2, "--device", "cuda"],
            "--device cuda was asked for, and this machine shows none",
        ),
        (["--shard"], "--shard divides a run among several processes; say how many with --gpus-per-run N"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_trained(
    more: list[object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    done = cli(*TRAIN, *more, "--runs", tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*/spec.json"))
