"""The optimizer this project exists for, its readable reference, its schedules, and switching.

- `ademamix.py`   the `AdEMAMix` class: groups, state, which implementation runs
- `reference.py`  the update of one tensor, line by line as in the paper
- `foreach.py`    the same update over lists of tensors
- `schedules.py`  half-lives and the schedules of α, β3 and the learning rate (no torch)
- `build.py`      from a spec to an optimizer; what a branch carries over from its trunk
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
