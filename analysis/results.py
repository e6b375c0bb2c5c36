"""What the runs of a figure came to, read from the store."""

import math
from functools import cache
from typing import Any

from ademamix.errors import UserError
from ademamix.lineage import follows
from ademamix.quantities import Quantity
from ademamix.scale import Scale
from ademamix.spec import RunSpec, override_known
from ademamix.store import Store, read_json


class Results:
    """The store, as a figure's `table` sees it.

    Args:
        scale: the scale, whose seeds the figure asks for.
        store: where the runs are.
        panel: the one panel wanted, or "" for all.
        settings: overrides that were applied to every run (--set).
    """

    def __init__(self, scale: Scale, store: Store, panel: str = "", settings: tuple[str, ...] = ()) -> None:
        self.scale = scale
        self.store = store
        self.panel = panel
        self.settings = settings
        self._complete = cache(lambda run: store.run(run).complete())  # figures ask curve by curve

    def wants(self, panel: str) -> bool:
        """Whether this panel is to be tabulated."""
        return self.panel in ("", panel)

    def curve(self, spec: RunSpec, quantity: Quantity, until: int) -> list[tuple[int, float]]:
        """(step, value) of an observed quantity up to step `until`; up to its fork a branch is its trunk.

        A diverged run gives the part before it diverged, and infinity where it did.

        Raises:
            UserError: the run is not complete, or damaged.
        """
        return self._curve(override_known(spec, self.settings), quantity, until)

    def evidence(self, spec: RunSpec, quantity: Quantity, step: int) -> dict[str, Any] | None:
        """What an observation rests on that is more than a number; None where the run diverged before.

        Raises:
            UserError: the run is not complete.
        """
        id = override_known(spec, self.settings).id
        self._complete(id)  # which says what is missing
        path = self.store.run(id).evidence_path(step, str(quantity))
        return read_json(path) if path.exists() else None

    def measurement(self, figure: str) -> dict[str, Any]:
        """What `measure` of a figure found on some machine.

        Raises:
            UserError: it was not measured.
        """
        return self.store.measurement(figure, self.scale.name)

    def _curve(self, spec: RunSpec, quantity: Quantity, until: int) -> list[tuple[int, float]]:
        past: list[tuple[int, float]] = []
        if fork := spec.fork:
            past = self._curve(fork.parent, quantity, min(fork.step, until))
            if past and past[-1][1] == math.inf:
                return past
        outcome, rows = self._complete(spec.id)
        if not follows(spec, outcome, self.store):
            raise UserError(f"run {spec.id} is a branch of another training of its trunk than the one in "
                            f"{self.store.root}; train it again with 'ademamix run --figure …'")  # fmt: skip
        name = str(quantity)
        curve = [
            (int(row["step"] or 0), math.inf if (value := row[name]) is None else value)
            for row in rows
            if name in row
        ]
        if outcome.status == "diverged":
            curve.append((outcome.step, math.inf))
        return past + [(step, value) for step, value in curve if spec.first_step < step <= until]
