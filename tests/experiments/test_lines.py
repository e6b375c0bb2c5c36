"""What figures of loss curves share."""

import math
from pathlib import Path

import pytest

from ademamix.errors import UserError
from ademamix.paper.runs import ADAMW, run
from ademamix.scale import Seeds, scale
from experiments import lines, registry
from experiments.lines import Line
from tests.command_line import cli


def test_every_warm_up_takes_part_in_the_check_for_collisions() -> None:
    """β1's too (Figure 19b)."""
    ramps = [
        Line("", str(n), run("110M", ADAMW, 256_000, beta1=0.999, beta1_warmup=n), 256_000)
        for n in (100_000, 100_001)
    ]
    with pytest.raises(UserError, match="steps 100000 and 100001 of the paper are both"):
        lines.needs(ramps, scale("cpu"))


def test_what_is_long_or_varies_widely_has_fewer_seeds() -> None:
    """Figures 3, 8 and 28 and Table 7 (1M steps and more), Mamba, and vision."""
    at = scale("cpu").model_copy(update={"seeds": Seeds(headline=(0, 1, 2, 6, 7), few_repeats=3)})
    seeds = {
        artifact.name: {need.run.seed for need in artifact.needs(at)}
        for artifact in registry.artifacts()
        if artifact.trains
    }
    repeated = {name for name, found in seeds.items() if 2 in found}
    few = {name for name in repeated if not {6, 7} <= seeds[name]}
    assert few == {"figure-03", "figure-03c", "figure-06", "figure-08", "figure-28", "figure-30", "table-7"}
    assert repeated > few
    assert not any({6, 7} & seeds[name] for name in few)


def test_a_branch_names_the_steps_of_its_trunk() -> None:
    trunk = run("110M", ADAMW, 500_000)
    branch = trunk.branch(300_000, beta1=0.999, beta1_warmup=50_000)
    assert lines.steps_named([Line("", "", branch, 500_000)]) == {3_000, 50_000, 300_000, 500_000}


def test_needs_and_table_are_of_the_same_runs() -> None:
    """The one iterates what the other does: a case is built once."""
    of = [Line("a", "AdamW", run("110M", ADAMW, 256_000), 256_000, "headline")]
    at = scale("cpu")
    cases = list(lines.cases(of, at))
    assert [case.need for case in cases] == lines.needs(of, at)
    assert [case.seed for case in cases] == list(at.seeds.headline)

    class Made:
        scale = at

        def wants(self, panel: str) -> bool:
            return True

        def curve(self, spec, quantity, until):  # type: ignore[no-untyped-def]
            assert spec in {case.need.run for case in cases}
            return [(step, 1.0) for step in range(until)] + [(until, math.inf)]

    frame = lines.table(of, Made())  # type: ignore[arg-type]
    assert set(frame["x"]) == set(at.validation_steps(at.steps(256_000)))


def test_overrides_of_the_model_go_through_to_the_drawing(tmp_path: Path) -> None:
    done = cli("run", "--figure", "22", "--scale", "smoke", "--set", "model.layers=2", "--runs",
               str(tmp_path / "runs"), "--out", str(tmp_path))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "smoke" / "figure-22.png").exists()
