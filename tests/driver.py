"""Forks of one warm process: `python driver.py ademamix` (or `python`) in a checkout.

Reads a JSON object {"arguments", "environment", "timeout"} from each line of stdin; writes {"code", "out",
"err"}. `ademamix`: the real command line. Nothing of figures or configs is loaded before the fork, so each
call sees the files as they are at that moment. Commands that train fork their workers from one server, which
loads torch once for all of them: workers have the environment of this process, and what they say goes to its
stderr. `python`: the code that is the only argument, with torch loaded and nothing
of ours.
"""

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing import forkserver
from pathlib import Path

sys.path.insert(0, os.getcwd())

WARM = {
    "ademamix": ("pandas", "scipy.special", "matplotlib.pyplot", "ademamix.__main__", "ademamix.cli.pipeline",
                 "ademamix.launch.local", "analysis.judge", "analysis.pages"),
    "python": ("torch._dynamo",),
}  # fmt: skip
TRAINS = {"run", "train", "sweep"}


def run_command(arguments: list[str]) -> None:
    """`ademamix` with these arguments, through the real entry point."""
    main = import_module("ademamix.__main__")
    if arguments and arguments[0] in TRAINS:
        # The parent's server is taken for one's own: multiprocessing would wait for it as for a child.
        forkserver.ensure_running = lambda: None
        forkserver._forkserver.ensure_running = lambda: None  # type: ignore[attr-defined]
    sys.argv = ["ademamix", *arguments]
    sys.modules["__main__"] = main  # what processes that it starts take for their main module
    main.main()


def run_code(arguments: list[str]) -> None:
    (text,) = arguments
    exec(text, {"__name__": "__main__"})


def call(
    run: Callable[[list[str]], None], arguments: list[str], environment: dict[str, str], timeout: int
) -> dict[str, object]:
    """What came of `run` in a child."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("out", "err")]
        child = os.fork()
        if child == 0:
            for number, path in enumerate(paths, start=1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.alarm(timeout)
            os.environ.clear()
            os.environ.update(environment)
            os._exit(ended(run, arguments))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out, err = (path.read_text(errors="replace") for path in paths)
        return {"code": code, "out": out, "err": err}


def ended(run: Callable[[list[str]], None], arguments: list[str]) -> int:
    """The exit code that an interpreter would end with."""
    code = 0
    try:
        run(arguments)
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(bool(done.code))
        if isinstance(done.code, str):
            print(done.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what workers say is no answer
    (what,) = sys.argv[1:]
    run = {"ademamix": run_command, "python": run_code}[what]
    os.environ["MPLBACKEND"] = "agg"
    for name in WARM[what]:
        import_module(name)
    # From here on sources may be changed and changed back within a second, which kept bytecode would not
    # show: it is told by time and size.
    sys.dont_write_bytecode, sys.pycache_prefix = True, os.devnull
    for line in sys.stdin:
        asked = json.loads(line)
        if run is run_command and TRAINS.intersection(asked["arguments"][:1]):
            import_module("ademamix.launch.local").fork_server(threads=1)
        print(json.dumps(call(run, **asked)), file=answers, flush=True)
