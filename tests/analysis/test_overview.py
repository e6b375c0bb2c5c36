"""The page of all verdicts."""

from pathlib import Path
from typing import Any

import pytest

from analysis.draw import write_overview
from analysis.overview import Dot, dot
from analysis.verdicts import write_verdicts
from experiments import registry


def claim(*effects: tuple[Any, Any, str], verdict: str, needed: int | None = None) -> dict[str, Any]:
    return {
        "threshold": 0.1,
        "needed": needed or len(effects),
        "verdict": verdict,
        "effects": [{"value": v, "resolution": r, "verdict": own} for v, r, own in effects],
    }


def test_a_dot_stands_where_the_verdict_hangs() -> None:
    strong, weak = (0.5, 0.1, "reproduced"), (0.15, 0.1, "inconclusive")
    assert dot(claim(strong, weak, verdict="inconclusive")) == Dot("inconclusive", pytest.approx(0.5), "")  # type: ignore[arg-type]
    assert dot(claim(strong, weak, verdict="reproduced", needed=1)).distance == pytest.approx(4.0)  # type: ignore[union-attr]


def test_divergence_is_far_and_unknown_noise_nowhere() -> None:
    assert dot(claim(("diverged", None, "reproduced"), verdict="reproduced")).distance == float("inf")  # type: ignore[union-attr]
    assert dot(claim((0.3, 0, "not reproduced"), verdict="not reproduced")).distance == -float("inf")  # type: ignore[union-attr]
    assert dot(claim((0.3, None, "inconclusive"), verdict="inconclusive")).distance is None  # type: ignore[union-attr]
    assert dot(claim((0.3, 0.1, "not run"), verdict="not run")) is None


def test_numbers_stand_beside_the_papers() -> None:
    found = dot(
        {**claim((0.3, 0.1, "reproduced"), verdict="reproduced"), "number": {"paper": "10", "ours": "6"}}
    )
    assert found is not None
    assert found.number == "10 → 6"


def test_a_scale_that_judges_nothing_has_no_page(tmp_path: Path) -> None:
    entry = {"figure": "figure-12", "scale": "smoke", "noise": {}, "claims": []}
    write_verdicts(tmp_path / "claims.json", {"figure-12": entry})
    assert write_overview(registry.artifacts(), tmp_path, tmp_path) == []
