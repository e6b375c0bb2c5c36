"""Cluster files: what they say, and mistakes in one line."""

from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.launch.cluster import Cluster, read_cluster, size_of
from ademamix.paper.runs import setups
from ademamix.scale import scale

FILES = sorted((checkout() / "configs" / "clusters").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_those_of_the_repository_are_right(path: Path) -> None:
    assert read_cluster(path).name == path.stem


def test_the_example_names_every_field_and_its_default() -> None:
    text = (checkout() / "configs" / "clusters" / "example.yaml").read_text()
    missing = [
        name for name in Cluster.model_fields if f"\n{name}:" not in text and f"\n# {name}:" not in text
    ]
    assert not missing
    for line in text.splitlines():
        name, _, value = line.removeprefix("# ").partition(": ")
        default = Cluster.model_fields[name].default if name in Cluster.model_fields else None
        if line.startswith("# ") and isinstance(default, bool | int):
            assert value.partition(" #")[0].strip() == str(default).lower()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpu: 1", "unknown key 'gpu' (did you mean 'gpus'?)"),
        ("gpus: -1", "gpus: Input should be greater than or equal to 0 (got -1)"),
        ("sizes: {110m: {gpus: 2}}", "sizes: unknown set-up '110m' (did you mean '110M'?)"),
        ("sizes: {110M: {gpu: 2}}", "sizes: 110M: unknown key 'gpu' (did you mean 'gpus'?)"),
        ("minutes: 2\nsignal_seconds: 120", "must be shorter than the time limit of 2 minutes"),
        ("gpus: [", "is not valid YAML"),
        ("- gpus", "holds no fields"),
    ],
)
def test_mistakes(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as problem:
        read_cluster(path)
    assert message in str(problem.value)
    assert str(path) in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(UserError, match=r"did you mean '.*/mine.yaml'\?"):
        read_cluster(tmp_path / "mien.yaml")


@pytest.mark.parametrize("name", ["smoke", "cpu", "gpu", "paper"])
def test_a_run_asks_for_what_its_size_needs(name: str) -> None:
    at = scale(name)
    cluster = Cluster(name="c", gpus=1, minutes=100, sizes={"1.3B": {"gpus": 8, "minutes": 3000}})
    specs = {
        size: at.models.get(size) or setups()[size].run("adamw", 256_000).model for size in ("110M", "1.3B")
    }
    assert {size: size_of(model, at) for size, model in specs.items()} == {"110M": "110M", "1.3B": "1.3B"}
    small, large = (cluster.resources(specs[size], at) for size in ("110M", "1.3B"))
    on_gpus = at.device != "cpu"  # a scale that trains on CPUs asks for no GPU
    assert (small.gpus, large.gpus) == ((1, 8) if on_gpus else (0, 0))
    assert (small.minutes, large.minutes) == (100, 3000)
    assert large.brief == ("8 GPU · 50 h" if on_gpus else "1 CPU · 50 h")
