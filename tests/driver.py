"""Runs the real command line in forks of one warm process: `python driver.py` in a checkout.

Reads a JSON object {"arguments", "environment", "timeout"} from each line of stdin; writes {"code", "out",
"err"}. Nothing of figures or configs is loaded before the fork, so each call sees the files as they are at
that moment. Commands that train fork their workers from one server, which loads torch once for all of them.
"""

import json
import os
import signal
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path

sys.path.insert(0, os.getcwd())

import matplotlib

matplotlib.use("agg")
import pandas  # noqa: F401
import scipy.special  # noqa: F401
from matplotlib import pyplot  # noqa: F401

import ademamix.__main__
import ademamix.cli.pipeline
import ademamix.launch.local
import analysis.judge
import analysis.pages  # noqa: F401

TRAINS = {"run", "train", "sweep"}


def share_fork_server() -> None:
    """In a child: take the server of this process for one's own, though it is no child of one's own."""
    forkserver.ensure_running = forkserver._forkserver.ensure_running = lambda: None  # type: ignore


def call(arguments: list[str], environment: dict[str, str], timeout: int) -> dict[str, object]:
    """One command in a child, through the real entry point."""
    trains = arguments[0] in TRAINS if arguments else False
    if trains:
        ademamix.launch.local.fork_server(threads=1)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("out", "err")]
        child = os.fork()
        if child == 0:
            for number, path in enumerate(paths, start=1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.alarm(timeout)
            if trains:
                share_fork_server()
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = ["ademamix", *arguments]
            sys.modules["__main__"] = (
                ademamix.__main__
            )  # what processes that it starts take for their main module
            code = 0
            try:
                ademamix.__main__.main()
            except SystemExit as done:
                code = done.code if isinstance(done.code, int) else int(bool(done.code))
                if isinstance(done.code, str):
                    print(done.code, file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out, err = (path.read_text(errors="replace") for path in paths)
        return {"code": code, "out": out, "err": err}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what workers say is no answer
    for line in sys.stdin:
        print(json.dumps(call(**json.loads(line))), file=answers, flush=True)
