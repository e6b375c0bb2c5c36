"""AdEMAMix: Adam with a second, slow momentum (arXiv 2409.03137).

`from ademamix import AdEMAMix` needs torch and nothing else. The rest of the package is the suite
that reproduces the paper; it is used from a checkout through `python -m ademamix`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ademamix.optim.ademamix import AdEMAMix

__all__ = ["AdEMAMix"]
__version__ = "0.1.0"


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import; `--help`, `plan` and `plot` must not wait for it.
    if name == "AdEMAMix":
        from ademamix.optim.ademamix import AdEMAMix

        return AdEMAMix
    raise AttributeError(f"module 'ademamix' has no attribute '{name}'")
