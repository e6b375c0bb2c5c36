"""What may not be imported: torch for planning and drawing, anything but torch for the optimizer."""

import subprocess
import sys

import pytest

from ademamix.checkout import checkout


def imported(code: str) -> set[str]:
    """The top-level modules that are loaded after `code`, in a new interpreter at the checkout."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=checkout(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


PLAN = """
from ademamix.plan import in_order, unite
from ademamix.scale import scale
from analysis.artifacts import needs
from experiments import registry
in_order(unite(needs(registry.figures().values(), scale("cpu"))))
"""
PLOT = """
from pathlib import Path
import matplotlib
matplotlib.use("agg")
from matplotlib import pyplot as plt
from ademamix.scale import scales
from analysis.caption import caption
from analysis.tables import read_table
from experiments import registry
for figure in registry.figures().values():
    for folder in ("cpu", "exact"):
        table = Path("figures") / folder / f"{figure.name}.csv"
        if table.exists():
            figure.module.draw(read_table(table))
            plt.close("all")
    if not figure.exact:
        caption(figure, scales()["cpu"])
"""


@pytest.mark.parametrize(
    ("code", "banned"),
    [
        ("import ademamix.cli", {"torch", "pandas", "matplotlib", "scipy", "datasets", "submitit", "timm"}),
        (PLAN, {"torch", "pandas", "matplotlib", "scipy", "datasets", "submitit", "timm"}),
        (PLOT, {"torch", "datasets", "submitit", "timm"}),
        ("import ademamix.training.worker", {"datasets", "submitit", "pandas", "matplotlib", "timm"}),
        ("from ademamix import AdEMAMix", {"pydantic", "yaml", "click", "rich", "filelock", "pandas"}),
    ],
    ids=["cli", "plan", "plot", "training", "optimizer"],
)
def test_lazy(code: str, banned: set[str]) -> None:
    assert not imported(code) & banned


def test_the_package_alone_says_that_the_suite_needs_a_checkout(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from ademamix import checkout as module
    from ademamix.errors import UserError

    monkeypatch.setattr(module, "__file__", str(tmp_path / "ademamix" / "checkout.py"))
    with pytest.raises(UserError, match="used from a checkout"):
        module.checkout.__wrapped__()
