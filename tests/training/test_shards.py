"""A run in shards over its processes (FSDP2) is the run that one process trains; so are its checkpoints."""

import shutil
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from ademamix.optimizers import AdamWConfig
from ademamix.quantities import Displacement, MomentumNorm
from ademamix.spec import RunSpec
from ademamix.store import Row, Store
from ademamix.training import checkpoint
from ademamix.training.load import load_model
from ademamix.training.worker import work
from tests.training.test_ranks import SEEN, job, state, together

compiles = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
CPU = torch.device("cpu")
SLOW = MomentumNorm(moment="exp_avg_slow")


def close(rows: list[Row], expected: list[Row], rel: float = 1e-5) -> None:
    assert len(rows) == len(expected)
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=rel)


@pytest.mark.parametrize(("size", "micro_batch"), [(2, None), (2, 1), (4, None)])
def test_shards_learn_what_one_process_does(
    size: int, micro_batch: int | None, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    """Losses, norms before and after clipping, observations and weights, to the rounding of sums."""
    ends = frozenset({10, 20})
    the_job = job(
        ademamix_spec.changed(batch=8, clipping=0.5),
        micro_batch=micro_batch,
        observe={SEEN: ends, Displacement(lag=7): ends, SLOW: ends},
    )
    many, one = tmp_path / "many", tmp_path / "one"
    assert together(the_job, many, data_root, tmp_path / "meet", size=size, shard=True) == [0] * size
    assert work(the_job, one, data_root, "cpu", 1) == 0
    found, expected = (Store(root).run(the_job.spec.id) for root in (many, one))
    assert found.status()[0] == "finished"
    close(found.metrics(), expected.metrics())
    assert found.metrics()[-1]["grad_norm"] > 0.5  # type: ignore[operator]  # it was clipped
    whole, other = (state(root, the_job.spec) for root in (many, one))
    assert whole["optimizer"]["param_groups"] == other["optimizer"]["param_groups"]
    for name, weights in other["model"].items():
        torch.testing.assert_close(whole["model"][name], weights, rtol=1e-3, atol=1e-5)
    for index, moments in other["optimizer"]["state"].items():
        for name in moments:
            torch.testing.assert_close(
                whole["optimizer"]["state"][index][name], moments[name], rtol=1e-3, atol=1e-5
            )
    if micro_batch is None:
        [folder] = found.checkpoints.glob("*.sharded")
        parts = {file.name: file.stat().st_size for file in folder.glob("*.distcp")}
        assert len(parts) == size  # each has written its own, of much the same size
        assert max(parts.values()) < 1.5 * min(parts.values())
        assert isinstance(load_model(found), torch.nn.Module)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (4, 2), (2, 4), (-2, 2), (2, -2)])
@pytest.mark.parametrize("kind", ["adamw", "ademamix"])
def test_a_run_goes_on_with_another_number_of_shards(
    kind: str, before: int, after: int, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    """Also by one process, by one that has the whole, and by ranks that all have it (negative here)."""
    if kind == "adamw" and (before, after) not in [(2, 1), (1, 2)]:
        pytest.skip("the same code")
    spec = ademamix_spec
    if kind == "adamw":
        spec = spec.changed(optimizer=AdamWConfig(lr=1e-3, weight_decay=0.1))
    the_job = job(spec)
    straight, halting = tmp_path / "straight", tmp_path / "halting"
    assert work(the_job, straight, data_root, "cpu", 1) == 0

    def train(size: int, readings: int = 0) -> list[int]:
        meet = tmp_path / f"meet {size} {readings}"
        return together(the_job, halting, data_root, meet, readings, abs(size), shard=size > 1)

    assert train(before, readings=8)[-1] == 128 + signal.SIGUSR2
    run = Store(halting).run(spec.id)
    [step] = run.checkpoint_steps()
    assert 1 < step < 20
    assert run.shards_path(step).exists() == (before > 1)
    assert train(after) == [0] * abs(after)
    close(run.metrics(), Store(straight).run(spec.id).metrics())
    assert run.checkpoint_steps() == {20}
    assert len(list(run.checkpoints.iterdir())) == 2  # nothing is left of the other


def test_the_same_number_of_shards_goes_on_bit_for_bit(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    straight, halting = tmp_path / "straight", tmp_path / "halting"
    assert together(job(ademamix_spec), straight, data_root, tmp_path / "0", shard=True) == [0, 0]
    stopped = together(job(ademamix_spec), halting, data_root, tmp_path / "1", readings=8, shard=True)
    assert stopped == [0, 128 + signal.SIGUSR2]
    assert together(job(ademamix_spec), halting, data_root, tmp_path / "2", shard=True) == [0, 0]
    rows = [Store(root).run(ademamix_spec.id).metrics() for root in (halting, straight)]
    assert rows[0] == rows[1]
    weights = [state(root, ademamix_spec)["model"] for root in (halting, straight)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_branches_of_shards_and_shards_of_branches(
    tmp_path: Path, data_root: Path, adamw_spec: RunSpec, ademamix_spec: RunSpec
) -> None:
    """A trunk of AdamW in shards, a branch with AdEMAMix by one process; and the other way round."""
    trunk = job(adamw_spec, 10, observe={})
    branch = adamw_spec.branch(10).changed(optimizer=ademamix_spec.optimizer)
    assert work(trunk, tmp_path / "plain", data_root, "cpu", 1) == 0
    assert work(job(branch), tmp_path / "plain", data_root, "cpu", 1) == 0
    expected = Store(tmp_path / "plain").run(branch.id).metrics()
    for name, sharded in (("trunk", True), ("branch", False)):
        root = tmp_path / name
        for number, (each, shard) in enumerate([(trunk, sharded), (job(branch), not sharded)]):
            meet = tmp_path / f"{name} {number}"
            assert set(together(each, root, data_root, meet, size=1 + shard, shard=shard)) == {0}
        close(Store(root).run(branch.id).metrics(), expected)


def _halted(root: Path, data_root: Path, meet: Path, spec: RunSpec) -> Any:
    """A run in shards with checkpoints of two steps, the later of them from a stop."""
    kept = job(spec, keep=frozenset({5, 20}))
    assert together(kept, root, data_root, meet, readings=9, shard=True)[-1] == 128 + signal.SIGUSR2
    run = Store(root).run(spec.id)
    first, last = sorted(run.checkpoint_steps())
    assert first == 5 < last < 20
    return kept, run, last


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "no metadata", "added", "no folder"])
def test_a_torn_checkpoint_is_passed_over(
    damage: str, tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    kept, run, last = _halted(tmp_path / "torn", data_root, tmp_path / "meet", ademamix_spec)
    folder = run.shards_path(last)
    part = max(folder.glob("__1_*.distcp"))
    content = part.read_bytes()
    if damage == "cut":
        part.write_bytes(content[:-10])
    elif damage == "flipped":
        part.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif damage == "gone":
        part.unlink()
    elif damage == "no metadata":
        (folder / ".metadata").unlink()
    elif damage == "added":
        (folder / "more").touch()
    else:
        folder.rename(folder.with_name("elsewhere"))
    with pytest.warns(UserWarning, match=f"checkpoint .*{last:09d}.* is not usable"):
        assert checkpoint.load(run, last, CPU) is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = checkpoint.latest(run, CPU)
    assert found is not None
    assert found["step"] == 5
    if damage != "flipped":
        return
    assert together(kept, tmp_path / "torn", data_root, tmp_path / "again", shard=True) == [0, 0]
    straight = tmp_path / "straight"
    assert work(kept, straight, data_root, "cpu", 1) == 0
    close(run.metrics(), Store(straight).run(ademamix_spec.id).metrics())


def test_what_a_killed_writer_left_is_removed(
    tmp_path: Path, data_root: Path, ademamix_spec: RunSpec
) -> None:
    """A folder under its temporary name, and one that has its name but no marker, are no checkpoints."""
    kept, run, last = _halted(tmp_path / "left", data_root, tmp_path / "meet", ademamix_spec)
    run.checkpoint_path(last).with_suffix(".json").unlink()
    run.shards_path(last + 1).with_name(f".{last + 1:09d}.sharded.tmp").mkdir()
    assert run.checkpoint_steps() == {5}
    assert together(kept, tmp_path / "left", data_root, tmp_path / "again", shard=True) == [0, 0]
    names = {path.name for path in run.checkpoints.iterdir()}
    assert names == {f"{step:09d}.{kind}" for step in (5, 20) for kind in ("json", "sharded")}


@compiles
def test_shards_compile_block_by_block(tmp_path: Path, data_root: Path, ademamix_spec: RunSpec) -> None:
    compiled = ademamix_spec.changed(compiled=True)
    assert together(job(compiled), tmp_path / "two", data_root, tmp_path / "meet", shard=True) == [0, 0]
    assert work(job(ademamix_spec), tmp_path / "one", data_root, "cpu", 1) == 0
    two, one = (Store(tmp_path / n).run(s.id) for n, s in (("two", compiled), ("one", ademamix_spec)))
    close(two.metrics(), one.metrics(), rel=1e-4)


def test_marks_of_parameters_outlive_sharding(tmp_path: Path) -> None:
    """Mamba's that have no weight decay, and what the optimizer is told of them."""
    from ademamix.models import MambaConfig, build
    from ademamix.training.sharding import shard
    from ademamix.training.trainer import groups

    config = MambaConfig(width=16, layers=2, vocabulary=32)
    expected = [len(group["params"]) for group in groups(build(config, 0))]
    assert len(expected) == 2
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        from torch.distributed.device_mesh import init_device_mesh

        model = build(config, 0)
        shard(model, init_device_mesh("cpu", (1,)), compiled=False)
        assert [len(group["params"]) for group in groups(model)] == expected
    finally:
        torch.distributed.destroy_process_group()
