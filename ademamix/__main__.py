"""`python -m ademamix`, and the installed command `ademamix`."""

import sys


def main() -> None:
    """Run the command line.

    What the user can mend is one line on stderr and exit code 1 (2 for a wrong option); Ctrl-C is 130.
    """
    try:
        import click

        from ademamix.cli import cli
    except ModuleNotFoundError as error:
        sys.exit(
            f"ademamix: the suite needs the package {error.name}; from a checkout, run "
            "'make setup' or: pip install -e '.[suite]' (the optimizer alone needs only torch)"
        )
    from ademamix.errors import UserError, one_line

    try:
        sys.exit(cli.main(prog_name="ademamix", standalone_mode=False))
    except UserError as error:
        sys.exit(f"ademamix: {error}")
    except OSError as error:
        sys.exit(f"ademamix: {one_line(error, '--out or --runs')}")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
