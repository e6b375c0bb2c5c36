"""DDP, FSDP2 (DTensor) and distributed checkpoints, with real processes over gloo."""

import subprocess
import sys
from pathlib import Path

from ademamix.checkout import checkout


def ranks(count: int, what: str, folder: Path) -> None:
    """Run tests/optim/sharded.py on so many ranks; it checks itself against one process."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    done = subprocess.run(
        [*launcher, "tests/optim/sharded.py", what, str(folder)],
        cwd=checkout(),
        env=None,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_data_parallel_and_partial_gradients(tmp_path: Path) -> None:
    ranks(2, "ddp", tmp_path)


def test_saved_on_two_ranks_and_loaded_on_one_and_four(tmp_path: Path) -> None:
    ranks(2, "save", tmp_path)
    ranks(1, "load", tmp_path)
    ranks(4, "load", tmp_path)
