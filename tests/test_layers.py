"""Packages import downwards only: optim, the rest of ademamix, analysis, experiments, the command line."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ademamix.checkout import checkout

ROOT = checkout()


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, but for what only type checkers see."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package: str, *but: str) -> list[Path]:
    left_out = [ROOT / package / name for name in but]
    return [
        p for p in sorted((ROOT / package).rglob("*.py")) if not any(p.is_relative_to(x) for x in left_out)
    ]


@pytest.mark.parametrize("path", files("ademamix/optim"), ids=lambda p: p.name)
def test_the_optimizer_is_a_library(path: Path) -> None:
    """Torch alone (numpy and triton come with it), no spec, no schedule of a learning rate."""
    outside = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    assert outside <= {"torch", "numpy", "triton", "ademamix"}
    assert all(name.startswith("ademamix.optim") for name in imports(path) if name.startswith("ademamix"))


@pytest.mark.parametrize(
    ("package", "but", "above"),
    [
        ("ademamix", ("cli", "__main__.py"), ("analysis", "experiments", "ademamix.cli")),
        ("analysis", (), ("experiments", "ademamix.cli")),
        ("experiments", (), ("ademamix.cli",)),
    ],
)
def test_nothing_imports_upwards(package: str, but: tuple[str, ...], above: tuple[str, ...]) -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(package, *but)
        for name in imports(path)
        if any(name == top or name.startswith(f"{top}.") for top in above)
    ]
    assert not found


def test_no_modules_import_each_other_in_a_circle() -> None:
    """At import time; what is imported inside functions is no circle."""
    graph: dict[str, set[str]] = {}
    for path in [*files("ademamix"), *files("analysis"), *files("experiments")]:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        top = ast.Module(body=[n for n in ast.parse(path.read_text()).body
                               if isinstance(n, ast.Import | ast.ImportFrom)], type_ignores=[])  # fmt: skip
        found = {a.name for n in top.body if isinstance(n, ast.Import) for a in n.names}
        for node in (n for n in top.body if isinstance(n, ast.ImportFrom) and n.module):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
        graph[name] = found - {name}
    graph = {name: {other for other in found if other in graph} for name, found in graph.items()}
    # A package's face imports its modules, which import each other through it: told apart from circles.
    faces = {name for name in graph if (ROOT / name.replace(".", "/") / "__init__.py").exists()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for other in graph[name] - faces:
            visit(other, (*path, name))
        done.add(name)

    for name in graph:
        if name not in faces:
            visit(name, ())
