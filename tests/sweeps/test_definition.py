"""Sweeps as files and flags state them, and the paper's searches among them."""

from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.paper.language import language, language_model
from ademamix.paper.vision import vision
from ademamix.sweeps.axes import Values
from ademamix.sweeps.definition import Sweep, changed, from_flags, read_file

FILES = sorted((checkout() / "configs" / "sweeps").glob("*.yaml"))
FLAGS = {"name": "mine", "size": "110M", "optimizer": "adamw"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_reads_back_as_the_same_sweep(path: Path, tmp_path: Path) -> None:
    found = read_file(path)
    copy = tmp_path / "sweep.yaml"
    copy.write_text(found.as_file())
    assert read_file(copy) == found


def test_a_scale_may_search_otherwise() -> None:
    lion = read_file(checkout() / "configs" / "sweeps" / "table-8-lion.yaml")
    assert lion.search == lion.at("cpu").search == "coordinates"
    assert lion.at("paper").search == "grid"
    few = lion.model_copy(update={"scales": {"smoke": {"set": {"optimizer.lr": "1e-4,4e-4"}}}})
    assert few.at("smoke").settings["optimizer.lr"] == Values((1e-4, 4e-4))
    assert few.at("smoke").settings.keys() == lion.settings.keys()


def _values(name: str) -> dict[str, list[object]]:
    found = read_file(checkout() / "configs" / "sweeps" / f"{name}.yaml")
    return {key: list(axis.values) for key, axis in found.settings.items() if isinstance(axis, Values)}


@pytest.mark.parametrize(("number", "size"), [(2, "110M"), (3, "330M"), (4, "1.3B")])
@pytest.mark.parametrize("optimizer", ["adamw", "ademamix"])
def test_tables_2_to_4_are_what_the_paper_tried(number: int, size: str, optimizer: str) -> None:
    """The same values as the tables are typeset from."""
    tried, shared = language_model(size).tried, language().tried
    expected: dict[str, list[object]] = {
        "optimizer.lr": [*tried.lr[optimizer]],
        "clipping": [*tried.clipping],
        "optimizer.weight_decay": [*shared.weight_decay],
        "schedule.warmup": [shared.warmup.from_, language().warmup, shared.warmup.to],
    }
    if optimizer == "ademamix":
        expected |= {"optimizer.alpha": [*tried.alpha], "optimizer.beta3": [*tried.beta3]}
    else:
        expected |= {"optimizer.beta1": [*shared.beta1["adamw"]], "optimizer.beta2": [*shared.beta2["adamw"]]}
    assert _values(f"table-{number}-{optimizer}") == expected


def test_table_8_is_what_the_paper_tried() -> None:
    lion = language_model("110M").lion
    assert lion is not None
    keys = {name: f"optimizer.{name}" for name in ("lr", "weight_decay", "alpha", "beta")}
    keys["clipping"] = "clipping"
    assert _values("table-8-lion") == {key: getattr(lion, name).tried for name, key in keys.items()}


@pytest.mark.parametrize("setting", vision().settings, ids=lambda setting: setting.name)
def test_table_6_is_what_the_paper_tried(setting) -> None:  # type: ignore[no-untyped-def]
    stem = f"table-6-{setting.size.lower()}-{setting.set}"
    assert _values(f"{stem}-adamw") == {
        "optimizer.lr": setting.lr.tried,
        "optimizer.weight_decay": setting.weight_decay.tried,
    }
    tried = vision().tried
    assert _values(f"{stem}-ademamix") == {"optimizer.alpha": tried.alpha, "optimizer.beta3": tried.beta3}
    for optimizer in ("adamw", "ademamix"):
        file = read_file(checkout() / "configs" / "sweeps" / f"{stem}-{optimizer}.yaml")
        assert (file.size, file.horizon) == (setting.name, vision().steps)


@pytest.mark.parametrize(
    ("settings", "fields", "message"),
    [
        (["lr"], {}, "'lr' is not KEY=VALUES"),
        (["optimizer.lr=log(1e-4,1e-2)"], {}, "a range without a COUNT is for --search tpe"),
        (["optimizer.lr=log(1,1)"], {}, "optimizer.lr: 'log(1,1)': needs LOW < HIGH"),
        (["optimizer.lr=1,2"], {"search": "tpe"}, "--trials N"),
        (["optimizer.lr=1,2"], {"trials": 3}, "leave trials out"),
        (["optimizer.lr=1,2"], {"search": "coordinates", "halving": 1}, "halving goes with grid and tpe"),
        (["optimizer.lr=1,2"], {"name": "a/b"}, "becomes a folder"),
        (["optimizer.lr=1,2"], {"horizon": 0}, "horizon: Input should be greater than"),
    ],
)
def test_flags_that_make_no_sense(settings: list[str], fields: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as problem:
        from_flags(settings, **{**FLAGS, **fields})
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("size: 110M\noptimizer: adamw\nsets: {}", "unknown key 'sets' (did you mean"),
        ("size: [", "is not valid YAML"),
        ("- 1", "is not a sweep"),
        ("size: 110M\noptimizer: adamw\nset: [1]", "needs a mapping"),
        ("size: 110M\noptimizer: adamw\nset: {}", "at least 1"),
    ],
)
def test_files_with_mistakes(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(UserError) as problem:
        read_file(path)
    assert str(path) in str(problem.value)
    assert message in str(problem.value)


def test_flags_change_a_file() -> None:
    file = read_file(FILES[0])
    found = changed(file, ["optimizer.lr=1e-3"], seeds=(7,), name=None, search=None)
    assert found.settings["optimizer.lr"] == Values((1e-3,))
    assert found.seeds == (7,)
    assert found.name == file.name
    assert isinstance(found, Sweep)
