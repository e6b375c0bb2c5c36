"""The real command line, or Python, without the seconds that it takes to start: in forks of a warm process.

Each call is a process of its own, with the environment of the test at that moment, its own exit code and
streams; workers that it trains with have that of the first call. Tests of starting, of signals, of several
commands at once and of what workers say start their own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ademamix.checkout import checkout


class Warm:
    """`ademamix` or `python` (of whose command line it takes the code) in the checkout at `root`."""

    def __init__(self, root: Path, what: str = "ademamix") -> None:
        self._driver = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("driver.py")), what],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, *arguments: object, environment: Mapping[str, str] | None = None, timeout: int = 300
    ) -> subprocess.CompletedProcess[str]:
        """What it answers to these arguments. `timeout` in seconds; exit code −SIGALRM after it."""
        assert self._driver.stdin
        assert self._driver.stdout
        words = [str(argument) for argument in arguments]
        asked = {"arguments": words, "environment": dict(environment or os.environ), "timeout": timeout}
        self._driver.stdin.write(json.dumps(asked) + "\n")
        self._driver.stdin.flush()
        said = json.loads(self._driver.stdout.readline())
        return subprocess.CompletedProcess(words, said["code"], said["out"], said["err"])

    def close(self) -> None:
        assert self._driver.stdin
        assert self._driver.stdout
        self._driver.stdin.close()
        self._driver.wait()
        self._driver.stdout.close()


@cache
def _here(what: str) -> Warm:
    return Warm(checkout(), what)  # ends with this process, whose end of the pipe closes then


def cli(*arguments: object, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    """`ademamix` in this checkout."""
    return _here("ademamix")(*arguments, timeout=timeout)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in this checkout, but that torch is loaded."""
    return _here("python")(code, environment={**os.environ, **environment})
