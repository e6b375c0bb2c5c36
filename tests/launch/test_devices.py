"""What this machine has to run on."""

import subprocess

import pytest

from ademamix.errors import UserError
from ademamix.launch import devices as module
from ademamix.launch.devices import count_gpus, devices, gpu_memory
from ademamix.scale import scale


@pytest.mark.parametrize(
    ("visible", "count"),
    [("-1", 0), ("", 0), ("0", 1), ("0,1", 2), ("0, 1", 2), ("0,-1,1", 1), ("GPU-3f", 1)],
)
def test_gpus_that_cuda_will_see(visible: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA reads its list up to the first one it cannot use."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert count_gpus() == count


def test_a_worker_for_each_gpu_or_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices(scale("gpu"), None) == ["cuda:0", "cuda:1"]
    assert devices(scale("gpu"), 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert devices(scale("cpu"), 3) == ["cpu"] * 3
    assert devices(scale("cpu"), 1, "cuda") == ["cuda:0"]
    assert devices(scale("gpu"), None, ranks=2) == ["cuda:0", "cuda:1"]
    assert devices(scale("cpu"), 2, ranks=2) == ["cpu"] * 4
    with pytest.raises(UserError, match="--gpus-per-run 3: this machine shows 2"):
        devices(scale("gpu"), None, ranks=3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert set(devices(scale("gpu"), None, "cpu")) == {"cpu"}
    for name, asked in (("gpu", None), ("cpu", "cuda")):
        with pytest.raises(UserError, match="--device cpu trains on cores instead"):
            devices(scale(name), None, asked)


def test_memory_is_that_of_the_smallest_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    for said, found in (("143771\n81559\n", 81559 * 2**20), ("[N/A]\n", None), ("", None)):
        done = subprocess.CompletedProcess([], 0, stdout=said)
        monkeypatch.setattr(module.subprocess, "run", lambda *_, done=done, **__: done)
        assert gpu_memory() == found
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpu_memory() is None
