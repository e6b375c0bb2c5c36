"""Steps of a long piece of work with little time at once: what is done, what failed, what goes on next time.

What is known of each step is in one file, `state.json`, written when a step ends.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ademamix.checkout import checkout
from ademamix.files import write_json
from ademamix.store import read_json
from ademamix.training.stop import Stop

State = Literal["done", "stopped", "failed"]
TAIL = 15  # lines that are kept of a step that failed
GRACE = 45.0  # seconds that a step has to write its checkpoints when it is stopped


@dataclass(frozen=True)
class Step:
    """A command.

    Attributes:
        name: under which it is known.
        arguments: of Python.
        minutes: that have to be left to begin it.
        resumes: whether it goes on where it was stopped; otherwise it begins anew.
        environment: beside that of this process.
    """

    name: str
    arguments: Sequence[str]
    minutes: float = 1.0
    resumes: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


class Ledger:
    """What has become of the steps, and the time that is left for more of them.

    Args:
        folder: of `state.json` and the steps' output, `logs/`.
        minutes: from now on.
        stop: set by a signal; then nothing further begins, and what runs is stopped.
    """

    def __init__(self, folder: Path, minutes: float, stop: Stop) -> None:
        self._folder = folder
        self._path = folder / "state.json"
        self._end = time.monotonic() + 60 * minutes
        self._stop = stop
        self._begun = False
        self.known: dict[str, dict[str, Any]] = read_json(self._path) if self._path.exists() else {}

    @property
    def left(self) -> float:
        """Minutes."""
        return 0.0 if self._stop else (self._end - time.monotonic()) / 60

    def state(self, name: str) -> State | None:
        """What has become of a step; None: it was not begun."""
        found: State | None = self.known.get(name, {}).get("state")
        return found

    def forget_failures(self) -> None:
        """Failed steps are tried again."""
        self.known = {name: what for name, what in self.known.items() if what["state"] != "failed"}

    def note(self, name: str, state: State, **more: Any) -> None:
        """Write down what has become of a step."""
        self.known[name] = {**self.known.get(name, {}), "state": state, **more}
        write_json(self._path, self.known)

    def carry_out(self, step: Step) -> bool:
        """Do a step that is neither done nor failed; False where the time does not suffice for it.

        The first step of a call always begins: a call that is too short for a step would never end it.
        """
        if self.state(step.name) in ("done", "failed"):
            return True
        if self.left <= 0 or (self._begun and self.left < step.minutes):
            return False
        self._begun = True
        print(f"{step.name}: begins, {self.left:.1f} minutes left", flush=True)
        start = time.monotonic()
        enough = self.left >= step.minutes
        code, stopped, lines = self._run(step)
        seconds = round(time.monotonic() - start + self.known.get(step.name, {}).get("seconds", 0.0), 1)
        if code == 0:
            self.note(step.name, "done", seconds=seconds)
        elif stopped and (step.resumes or self._stop or not enough):
            self.note(step.name, "stopped", seconds=seconds)
        else:
            why = "it took longer than there was time" if stopped else f"exit code {code}"
            self.note(step.name, "failed", seconds=seconds, why=why, last=lines)
        print(f"{step.name}: {self.known[step.name]['state']} after {seconds:.0f} s", flush=True)
        return not stopped

    def again(self, step: Step) -> bool:
        """Do a step of every call."""
        self.known.pop(step.name, None)
        return self.carry_out(step)

    def _run(self, step: Step) -> tuple[int, bool, list[str]]:
        """Exit code, whether it was stopped for want of time, and the last lines of its output."""
        log = self._folder / "logs" / f"{step.name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *step.arguments], cwd=checkout(), stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **step.environment}, start_new_session=True,
            )  # fmt: skip
            stopped = False
            while process.poll() is None:
                if not stopped and self.left <= 0:
                    process.terminate()
                    stopped, until = True, time.monotonic() + GRACE
                if stopped and time.monotonic() > until:
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(0.1)
        lines = log.read_bytes().decode(errors="replace").splitlines()
        log.write_text("\n".join(lines[-2_000:]) + "\n")
        return process.returncode, stopped, lines[-TAIL:]
