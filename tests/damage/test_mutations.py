"""Any damage to any kind of file: no traceback, no exit 0 with a wrong result, nothing left afterwards."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ademamix.store import write_measurement
from tests.damage.world import FIGURE, Said, World, damaged, fingerprint

Result = Callable[[World, Path], bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of file, what reads it, and what must not come out wrong.

    Attributes:
        where: the file, from the world and its run ids.
        reads: the command, with a folder to write to.
        result: what it made; None: it makes nothing, or other values make another right result.
    """

    where: Callable[[World], Path]
    reads: Callable[[World, Path], Said]
    result: Result | None = None


def _of_run(name: str) -> Callable[[World], Path]:
    return lambda world: world.runs / world.run_ids()[0] / name


def _in_checkout(name: str) -> Callable[[World], Path]:
    return lambda world: world.root / name


def _table(world: World, out: Path) -> bytes:
    return (out / "smoke" / "figure-09.csv").read_bytes()


def _draw(world: World, out: Path) -> Said:
    return world.draw(out)


def _show(world: World, out: Path) -> Said:
    return world("show", world.run_ids()[0], "--runs", world.runs)


def _list(world: World, out: Path) -> Said:
    return world("runs", "--figure", FIGURE, "--runs", world.runs)


def _export(world: World, out: Path) -> Said:
    return world("export", "--scale", "smoke", "--runs", world.runs, "--out", out)


def _import(world: World, out: Path) -> Said:
    return world("import", "--from", world.out / "smoke" / "records", "--runs", out)


def _rows(world: World, out: Path) -> bytes:
    return b"".join((out / id / "metrics.jsonl").read_bytes() for id in world.run_ids())


def _plan(world: World, out: Path) -> Said:
    return world("plan", "--figure", "12", "--scale", "smoke", "--runs", world.runs)


def _claims(world: World, out: Path) -> Said:
    return world("claims", "--figure", "12", "--scale", "cpu", "--out", out)


def _verdicts(world: World, out: Path) -> bytes:
    return (out / "cpu" / "claims.json").read_bytes()


def _docs(world: World, out: Path) -> Said:
    return world("docs", "--check")


def _measurement(world: World, out: Path) -> bytes:
    return (out / "smoke" / "records" / "smoke-figure-05a.json").read_bytes()


KINDS = {
    "outcome": Kind(_of_run("outcome.json"), _draw, _table),
    "rows": Kind(_of_run("metrics.jsonl"), _draw, _table),
    "rows, shown": Kind(_of_run("metrics.jsonl"), _show),
    "spec, shown": Kind(_of_run("spec.json"), _show),
    "spec, listed": Kind(_of_run("spec.json"), _list),
    "outcome, listed": Kind(_of_run("outcome.json"), _list),
    "store's marker": Kind(lambda world: world.runs / "store.json", _draw, _table),
    "measurement": Kind(
        lambda world: world.runs / "measurements" / "smoke-figure-05a.json", _export, _measurement
    ),
    "record": Kind(lambda world: sorted((world.out / "smoke" / "records").glob("*.gz"))[0], _import, _rows),
    "table": Kind(_in_checkout("figures/cpu/figure-12.csv"), _claims, _verdicts),
    "what is beside a table": Kind(_in_checkout("figures/cpu/figure-12.json"), _claims, _verdicts),
    "noise": Kind(_in_checkout("figures/cpu/noise.csv"), _claims, _verdicts),
    "verdicts": Kind(_in_checkout("figures/cpu/claims.json"), _docs),
    "scale": Kind(_in_checkout("configs/scales/smoke.yaml"), _plan),
    "models": Kind(_in_checkout("configs/models/language.yaml"), _plan),
    "model": Kind(_in_checkout("configs/models/language/110M.yaml"), _plan),
    "figure": Kind(_in_checkout("experiments/fig12_alpha_beta3/figure.py"), _plan),
    "dials": Kind(_in_checkout("experiments/fig04_10_forgetting/dials.yaml"), _plan),
    "catalogue": Kind(_in_checkout("experiments/catalogue.yaml"), _docs),
    "page": Kind(_in_checkout("README.md"), _docs),
    "lock": Kind(_in_checkout("requirements.lock"), _plan),
}

WRONG = [b"", b"[]", b"null", b"3", b'"text"', b"{}", b"\x00\xff\xfe", b"{"]


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, Callable[[bytes], bytes | None], str]:
    """A kind of file, what happens to its content, and that in words."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    how = draw(
        st.sampled_from(["truncate", "flip", "delete", "empty", "wrong type", "insert", "drop a line"])
    )
    place, bit = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 7))
    wrong = draw(st.sampled_from(WRONG))

    def change(content: bytes) -> bytes | None:
        at = int(place * len(content))
        lines = content.splitlines(keepends=True) or [b""]
        return {
            "truncate": content[:at],
            "flip": content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :],
            "delete": None,
            "empty": b"",
            "wrong type": wrong,
            "insert": content[:at] + wrong + content[at:],
            "drop a line": b"".join(lines[: int(place * len(lines))] + lines[int(place * len(lines)) + 1 :]),
        }[how]

    return kind, change, f"{how} at {place:.4f}, bit {bit}, {wrong!r}"


@pytest.fixture(scope="module")
def ready(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, bytes]]:
    """The world with a measurement, records and checksums in it, and what each kind gives undamaged."""
    from analysis.tables import write_with_checksum

    found = {"figure": "figure-05a", "scale": "smoke", "iterations": 64, "sizes": {}}
    write_measurement(world.runs / "measurements" / "smoke-figure-05a.json", found)
    for name in ("figure-12.csv", "noise.csv"):
        path = world.root / "figures" / "cpu" / name
        write_with_checksum(path, path.read_bytes())
    assert _export(world, world.out).code == 0
    expected = {}
    for name, kind in KINDS.items():
        if kind.result:
            out = tmp_path_factory.mktemp("expected")
            said = kind.reads(world, out)
            assert said.code == 0, said
            expected[name] = kind.result(world, out)
    return world, expected


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mutation=mutations())
def test_mutations(
    ready: tuple[World, dict[str, bytes]],
    tmp_path: Path,
    mutation: tuple[str, Callable[..., bytes | None], str],
) -> None:
    world, expected = ready
    name, change, words = mutation
    kind = KINDS[name]
    path = kind.where(world)
    before = fingerprint(world.root, world.runs)
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    content = change(path.read_bytes())
    # A run that lost its outcome is trained on, which is right; a record that is not there is none to import.
    reads = _list if name == "outcome" and content is None else kind.reads
    gone = content is None and name in ("outcome", "record", "measurement")
    with damaged(path, content):
        said = reads(world, out)
    seen = f"{name}: {words}: {json.dumps(said.__dict__)}"
    assert "Traceback" not in said.whole, seen
    assert said.code != 70, seen
    if said.code == 0 and kind.result and not gone:
        assert kind.result(world, out) == expected[name], seen
    elif said.code not in (0, 2):
        assert "ademamix: " in said.err, seen
    assert fingerprint(world.root, world.runs) == before, seen


def test_afterwards_everything_is_as_before(ready: tuple[World, dict[str, bytes]], tmp_path: Path) -> None:
    world, expected = ready
    for name in ("rows", "record", "table"):
        kind = KINDS[name]
        assert kind.reads(world, tmp_path / name).code == 0
        assert kind.result
        assert kind.result(world, tmp_path / name) == expected[name]
