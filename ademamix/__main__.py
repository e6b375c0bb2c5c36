"""`python -m ademamix`, and the installed command `ademamix`."""

import sys


def main() -> None:
    """Run the command line; a UserError is one line on stderr and exit code 1."""
    try:
        from ademamix.cli import cli
    except ModuleNotFoundError as error:
        sys.exit(
            f"ademamix: the suite needs the package {error.name}; from a checkout, run "
            "'make setup' or: pip install -e '.[suite]' (the optimizer alone needs only torch)"
        )
    from ademamix.errors import UserError

    try:
        cli.main(prog_name="ademamix")
    except UserError as error:
        sys.exit(f"ademamix: {error}")


if __name__ == "__main__":
    main()
