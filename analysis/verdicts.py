"""claims.json: the verdicts of a scale as plain data, and the versioned schema that they follow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from ademamix.errors import UserError
from ademamix.files import write_json
from analysis.claims import Verdict

SCHEMA = 1  # goes up when a reader of the last one would be wrong


class _Plain(BaseModel):
    """Values as they stand in the file: nothing is converted, nothing unknown is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EffectVerdict(_Plain):
    """One measured difference with its verdict; one of seeds, batches, rounds says over how many it is."""

    what: str
    value: FiniteFloat | Literal["diverged"] = Field(description="the mean, in the unit of the statistic")
    interval: list[FiniteFloat] | None = Field(min_length=2, max_length=2, description="null: spread unknown")
    resolution: FiniteFloat | None = Field(
        description="half of the interval: the smallest distance from the threshold that decides"
    )
    seeds: int | None = None
    batches: int | None = None
    rounds: int | None = None
    verdict: Verdict


class Number(_Plain):
    """A number that the paper names, and ours."""

    paper: str
    ours: str


class ClaimVerdict(_Plain):
    """A statement of the paper, and whether it reproduces."""

    claim: str = Field(description="its name, unique within the figure")
    statement: str
    statistic: str = Field(description="what is measured")
    threshold: FiniteFloat = Field(description="what each effect should exceed")
    needed: int = Field(description="how many of the effects have to hold")
    verdict: Verdict
    why: str
    effects: list[EffectVerdict]
    also: dict[str, str] = Field(description="further numbers")
    number: Number | None = None


class ArtifactVerdicts(_Plain):
    """The verdicts on a figure or a table."""

    figure: str = Field(description="its name, such as figure-12")
    scale: str
    changed: list[str] = Field([], description="overrides of the runs, KEY=VALUE; none: as the paper has it")
    noise: dict[str, FiniteFloat] = Field(
        description="set-up and optimizer → σ over seeds of the final validation loss, in nats"
    )
    claims: list[ClaimVerdict]


class Verdicts(_Plain):
    """A claims.json."""

    schema_: Literal[1] = Field(alias="schema")
    verdicts: dict[str, ArtifactVerdicts]


def read_claims(path: Path) -> dict[str, dict[str, Any]]:
    """The verdicts of a claims.json, by name ('figure-12'); empty where there is none.

    Raises:
        UserError: the file is damaged, or of another schema.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_bytes())
        if isinstance(found, dict) and isinstance(found.get("schema"), int) and found["schema"] > SCHEMA:
            raise UserError(f"{path} was written by a newer version; update the code")
        _FILE.validate_python(found)
        verdicts: dict[str, dict[str, Any]] = found["verdicts"]
        if any(entry["figure"] != name for name, entry in verdicts.items()):
            raise ValueError
    except (ValueError, ValidationError):
        raise UserError(f"{path} is damaged; delete it and run 'make claims', or take it from git") from None
    return verdicts


def write_verdicts(path: Path, verdicts: Mapping[str, dict[str, Any]]) -> None:
    """Write a claims.json, by name in order."""
    write_json(path, {"schema": SCHEMA, "verdicts": dict(sorted(verdicts.items()))})


def json_schema() -> str:
    """The schema of a claims.json, as JSON Schema."""
    return json.dumps(_FILE.json_schema(), indent=1, ensure_ascii=False) + "\n"


_FILE = TypeAdapter(Verdicts)
