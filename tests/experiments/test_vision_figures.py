"""Figures 6 and 30 on made losses: what is taken as a run's end, what is judged, what is drawn."""

import math
from typing import Any

import pandas as pd
import pytest

from ademamix.scale import scale
from analysis.claims import Rules
from analysis.noise import Noise
from analysis.tables import tabulate
from experiments.fig06_30_vision import figure_06, figure_30, runs

AT = scale("cpu")


def made(gain: dict[str, float]) -> pd.DataFrame:
    """Figure 6 where every AdEMAMix run is lower than the best AdamW by `gain`, by panel; training always."""
    rows = []
    for trial in runs.trials(AT):
        slow = trial.label.startswith("AdEMAMix")
        for i, seed in enumerate(trial.seeds(AT)):
            test = 2.0 - gain[trial.panel] * slow + 0.3 * (not slow and not trial.best) + 0.002 * (i % 2)
            rows.append((trial.panel, trial.label, seed, 1.0 - 0.1 * slow, test))
    return tabulate(rows)


def verdicts(figure: Any, frame: pd.DataFrame) -> dict[str, str]:
    judged = [claim.judge(frame, Noise({}, None), Rules()) for claim in figure.CLAIMS]
    return {found["claim"]: found["verdict"] for found in judged}


def test_the_papers_pattern_is_reproduced() -> None:
    found = verdicts(figure_06, made({"a": 0.1, "b": 0.1, "c": -0.1}))
    assert set(found.values()) == {"reproduced"}


def test_the_opposite_is_not() -> None:
    found = verdicts(figure_06, made({"a": -0.1, "b": -0.1, "c": 0.1}))
    assert found.pop("training-loss-lower-with-little-data") == "reproduced"
    assert set(found.values()) == {"not reproduced"}


def test_little_data_take_the_model_of_the_lowest_test_loss() -> None:
    at = runs.measures(AT)
    curves = {at.train: [(1, 3.0), (2, 2.0), (3, 0.1)], at.test: [(1, 3.5), (2, 2.5), (3, 2.9)]}
    assert runs.end(curves, "c", at) == (2.0, 2.5)
    assert runs.end(curves, "a", at) == (0.1, 2.9)
    diverged = {quantity: [*curve[:2], (3, math.inf)] for quantity, curve in curves.items()}
    assert runs.end(diverged, "c", at) == (math.inf, math.inf)


def test_trials_are_the_papers_with_seeds_of_their_own() -> None:
    trials = list(runs.trials(AT))
    counts = {panel: sum(t.panel == panel and "AdamW" in t.label for t in trials) for panel in "abc"}
    assert counts == {"a": 7, "b": 6, "c": 9}  # one coordinate at a time of Table 6
    assert sum("AdEMAMix" in t.label for t in trials) == 30
    assert [t.seeds(AT) for t in trials if t.best] == [[100, 0, 1, 2]] * 6
    assert {tuple(t.seeds(AT)) for t in trials if not t.best} == {(100,)}
    assert len({t.label for t in trials if t.panel == "a"}) == 17


def test_figure_30_judges_the_last_losses() -> None:
    rows = []
    for trial in runs.shown(AT, best_only=True):
        slow = trial.label.startswith("AdEMAMix")
        for i, seed in enumerate(trial.seeds(AT)):
            for row in figure_30.ROWS:
                panel = figure_30.panel_of(trial.panel, row)
                rows += [
                    (panel, trial.label, seed, x, 3.0 - x / 100 - 0.1 * slow + 0.001 * i) for x in (10, 50)
                ]
    frame = tabulate(rows)
    assert sorted(frame["panel"].unique()) == list(figure_30.PANELS)
    assert set(verdicts(figure_30, frame).values()) == {"reproduced"}


@pytest.mark.parametrize("panel", ["a", "c"])
def test_what_is_far_out_does_not_flatten_the_rest(panel: str) -> None:
    low, high = figure_06._limits([1.0, 1.1, 1.2, 1.3, 9.0])
    assert low < 1.0
    assert 1.3 < high < 2.0
    frame = made({"a": 0.1, "b": 0.1, "c": 0.1})
    frame.loc[frame.index[0], "y"] = math.inf
    drawing = figure_06.draw(frame[frame["panel"] == panel])
    assert len(drawing.axes) == 1
