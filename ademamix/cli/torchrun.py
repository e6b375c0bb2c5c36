"""Verbs that train, called under torchrun: its first process is the command, the others train along."""

import os
from typing import Any

import click

from ademamix.cli.options import Verb
from ademamix.launch.together import Together


class Training(Verb):
    """A verb that trains.

    Under torchrun each process calls it; the first alone reads the plan, prints and draws.
    """

    def invoke(self, ctx: click.Context) -> Any:
        size = int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1
        if size == 1:
            return super().invoke(ctx)
        from ademamix.training.ranks import joined

        with joined(int(os.environ["RANK"]), size) as ranks:
            processes = Together(ranks, int(os.environ["LOCAL_RANK"]))
            if not ranks.first:
                raise SystemExit(processes.follow())
            ctx.obj = processes
            try:
                return super().invoke(ctx)
            finally:
                processes.over()


def of_this_call() -> Together | None:
    """The processes that torchrun started for the verb that is called; None where it was called alone."""
    ctx = click.get_current_context(silent=True)
    return ctx.find_object(Together) if ctx else None
