"""What the paper names of its set-ups, against numbers that would not do."""

from typing import Any

import pytest

from analysis.claims import Rules
from analysis.noise import Noise
from experiments.registry import tables
from experiments.setup_tables import claims
from experiments.setup_tables.claims import called, parameters, tokens


def verdict(claim: Any) -> str:
    return str(claim.judge(None, Noise({}, {}), Rules())["verdict"])


def test_names() -> None:
    assert [called(name) for name in ("110M", "1.3B")] == [110e6, 1.3e9]


def test_tokens() -> None:
    assert verdict(tokens("110M", {256_000: 17, 400_000: 26})) == "reproduced"
    assert verdict(tokens("110M", {256_000: 18})) == "not reproduced"
    assert verdict(tokens("110M", {256_000: 17, 400_000: 27})) == "not reproduced"


def test_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(parameters("110M", "1.3B")) == "reproduced"
    monkeypatch.setattr(claims, "counted", lambda model: 134_911_488)  # the 110M with untied embeddings
    assert verdict(parameters("110M")) == "not reproduced"


def test_every_table_of_set_ups_that_names_numbers_is_judged() -> None:
    stated = {
        name: [claim.name for claim in table.claims] for name, table in tables().items() if table.stated
    }
    assert [name for name, of in stated.items() if not of] == ["8"]
