"""`python -m ademamix`, and the installed command `ademamix`."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


def main() -> None:
    """Run the command line.

    What the user can mend is one line on stderr and exit code 1 (2 for a wrong option); Ctrl-C is 130. A
    mistake of ours is one line too, with where its traceback was saved, and 70.
    """
    try:
        with _ending_at_ctrl_c():
            import click

            from ademamix.cli import cli
    except ModuleNotFoundError as error:
        sys.exit(
            f"ademamix: the suite needs the package {error.name}; from a checkout, run "
            "'make setup' or: pip install -e '.[suite]' (the optimizer alone needs only torch)"
        )
    except Exception as error:
        _give_up(error)
    from ademamix.errors import UserError

    try:
        sys.exit(cli.main(prog_name="ademamix", standalone_mode=False))
    except UserError as error:
        sys.exit(f"ademamix: {error}")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        _give_up(error)


@contextmanager
def _ending_at_ctrl_c() -> Iterator[None]:
    """Ctrl-C ends the process at once: nothing is to be saved while modules are loaded.

    As an exception it would come out of libraries as an error of their own (pydantic: SchemaError).
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # not where Ctrl-C is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _give_up(error: Exception) -> NoReturn:
    """The last net: one line, where the traceback is, and the exit code of a mistake of ours."""
    from ademamix.errors import MISTAKE, in_one_line, save_traceback

    saved = save_traceback(error)
    where = f"the traceback is in {saved}" if saved else "its traceback could not be saved"
    print(f"ademamix: unexpected {in_one_line(error)}; {where}; please report it", file=sys.stderr)
    sys.exit(MISTAKE)


if __name__ == "__main__":
    main()
