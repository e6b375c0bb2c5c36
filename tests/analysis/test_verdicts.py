"""claims.json: its schema, and what reads it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ademamix.checkout import checkout
from ademamix.cli import cli
from ademamix.errors import UserError
from analysis.claims import VERDICTS
from analysis.verdicts import SCHEMA, read_claims, write_verdicts

ENTRY = {
    "figure": "figure-12",
    "scale": "cpu",
    "noise": {"110M adamw": 0.005},
    "claims": [
        {
            "claim": "alpha",
            "statement": "Larger is better.",
            "statistic": "difference",
            "threshold": 0,
            "needed": 1,
            "verdict": "reproduced",
            "why": "1 of 1 comparisons hold",
            "effects": [
                {"what": "5 − 2", "value": "diverged", "interval": None, "resolution": None, "seeds": 3,
                 "verdict": "reproduced"}
            ],
            "also": {},
            "number": None,
        }
    ],
}  # fmt: skip


def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    write_verdicts(path, {"figure-12": ENTRY, "figure-01": {**ENTRY, "figure": "figure-01"}})
    assert list(read_claims(path)) == ["figure-01", "figure-12"]
    assert read_claims(path)["figure-12"] == ENTRY


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("value", True),
        ("value", "lost"),
        ("interval", [1.0]),
        ("verdict", "maybe"),
        ("seeds", "3"),
        ("sedes", 3),
    ],
)
def test_what_does_not_follow_the_schema_is_refused(tmp_path: Path, where: str, value: object) -> None:
    path = tmp_path / "claims.json"
    changed = json.loads(json.dumps(ENTRY))
    changed["claims"][0]["effects"][0][where] = value
    write_verdicts(path, {"figure-12": changed})
    with pytest.raises(UserError, match="is damaged"):
        read_claims(path)


def test_a_newer_schema_says_so(tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    path.write_text(json.dumps({"schema": SCHEMA + 1, "verdicts": {}}))
    with pytest.raises(UserError, match="newer version"):
        read_claims(path)


def test_a_script_can_ask_whether_claims_failed(tmp_path: Path) -> None:
    known = read_claims(checkout() / "figures" / "exact" / "claims.json")["figure-02"]["claims"]
    for verdict in VERDICTS:
        count = sum(claim["verdict"] == verdict for claim in known)
        asked = ["claims", "--figure", "2", "--fail-on", verdict, "--out", str(tmp_path)]
        done = CliRunner().invoke(cli, asked)
        assert done.exit_code == (3 if count else 0)
        assert (f"{count} claims are judged {verdict}" in done.stderr) == bool(count)


def test_cite() -> None:
    said = CliRunner().invoke(cli, ["cite"]).output
    assert "journal = {arXiv preprint arXiv:2409.03137}" in said
    assert said.count("@") == 2
    assert said.count("{") == said.count("}")
