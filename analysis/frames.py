"""Stores, records and curves as pandas frames: for notebooks, and for questions that no figure asks.

A run is a row of `runs` or `records`; a logged step is a row of `curve` or `curves`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ademamix.records import read_record
from ademamix.spec import RunSpec
from ademamix.store import Outcome, Row, Run, Store
from ademamix.values import canonical

if TYPE_CHECKING:
    import pandas as pd


def runs(store: Store) -> "pd.DataFrame":
    """A row for each complete run of a store, by id: how it ended, its last losses, what it is.

    Columns: status, step, seconds, the last value of every logged or observed column, and the spec's
    values under dotted names such as 'optimizer.alpha' (NaN where a run has none).

    Raises:
        UserError: a run is damaged.
    """
    there = [run for run in store.runs() if run.outcome()]
    return _frame((run.spec(), *run.complete()) for run in there)


def records(folder: Path) -> "pd.DataFrame":
    """As `runs`, of a folder of committed records, such as figures/cpu/records: no store is needed."""
    return _frame(read_record(path) for path in sorted(folder.glob("*.json.gz")))


def curve(run: Run) -> "pd.DataFrame":
    """The logged rows of a run, by step: losses, learning rate, α(t), β3(t), seconds, what was observed."""
    import pandas as pd

    return pd.DataFrame(run.rows()).set_index("step").sort_index()


def curves(store: Store, ids: Iterable[str]) -> "pd.DataFrame":
    """The rows of several runs, by run and step."""
    import pandas as pd

    return pd.concat({id: curve(store.run(id)) for id in ids}, names=["run"])


def _frame(found: Iterable[tuple[RunSpec, Outcome, list[Row]]]) -> "pd.DataFrame":
    import pandas as pd

    rows = {
        spec.id: {
            "status": outcome.status,
            "step": outcome.step,
            "seconds": outcome.seconds,
            **{name: value for row in logged for name, value in row.items() if name != "step"},
            **flat(canonical(spec)),
        }
        for spec, outcome, logged in found
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")


def flat(data: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Nested plain data under dotted names; a branch's trunk is its id."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        if name == "parent":
            found[f"{place}parent"] = RunSpec.read(value).id
        elif isinstance(value, Mapping):
            found |= flat(value, f"{place}{name}.")
        else:
            found[f"{place}{name}"] = value
    return found
