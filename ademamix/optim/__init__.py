"""A library that needs torch alone: the optimizer this project exists for, its reference and schedules.

- `ademamix.py`   the `AdEMAMix` class: groups, state, which implementation runs
- `options.py`    what options may be
- `reference.py`  the update of one tensor, line by line as in the paper
- `foreach.py`    the same update over lists of tensors
- `schedules.py`  half-lives and the schedules of α and β3 (no torch)
- `switch.py`     what a branch, or a user's training, carries over between AdamW and AdEMAMix
- `variants.py`   the paper's other optimizers
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ademamix.optim.ademamix import AdEMAMix

__all__ = ["AdEMAMix"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `ademamix.optim.schedules` can be used without importing torch.
    if name == "AdEMAMix":
        from ademamix.optim.ademamix import AdEMAMix

        return AdEMAMix
    raise AttributeError(f"module 'ademamix.optim' has no attribute '{name}'")
