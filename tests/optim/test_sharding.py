"""DDP, FSDP2 (DTensor) and distributed checkpoints, with real processes over gloo."""

from pathlib import Path

from tests.command_line import python


def ranks(count: int, what: str, folder: Path) -> None:
    """Run tests/optim/sharded.py on so many ranks; it checks itself against one process."""
    done = python(f"from tests.optim.sharded import start; start({count}, {what!r}, {str(folder)!r})")
    assert done.returncode == 0, done.stderr[-3000:]


def test_data_parallel_and_partial_gradients(tmp_path: Path) -> None:
    ranks(2, "ddp", tmp_path / "nothing")


def test_saved_on_two_ranks_and_loaded_on_one_and_four(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    ranks(2, "save", saved)
    ranks(1, "load", saved)
    ranks(4, "load", saved)
