"""The corpus of installed sources: splits by file, no tests, identity by versions."""

from importlib import metadata

from ademamix.data.pysource import PACKAGES, is_test, sources, split_of, versions


def test_tests_are_left_out() -> None:
    assert is_test(("numpy", "tests", "helpers.py"))
    assert is_test(("torch", "testing", "_comparison.py"))
    assert is_test(("pandas", "test_io.py"))
    assert not is_test(("torch", "optim", "adamw.py"))


def test_a_files_split_is_fixed() -> None:
    """From the first day on: moving a file between splits would leak text."""
    names = [f"package/module_{i}.py" for i in range(10_000)]
    shares = {split: sum(split_of(n) == split for n in names) / 10_000 for split in ("validation", "reserve")}
    assert 0.025 < shares["validation"] < 0.035
    assert 0.007 < shares["reserve"] < 0.013
    assert [split_of(n) for n in ("torch/optim/adamw.py", "numpy/__init__.py")] == ["train", "reserve"]


def test_the_identity_is_names_and_versions() -> None:
    found = versions()
    assert tuple(found) == PACKAGES
    assert found["torch"] == metadata.version("torch").partition("+")[0]


def test_the_sources_are_real_text_in_a_fixed_order() -> None:
    names = []
    for name, source in sources():
        names.append(name)
        if name == "torch/optim/adamw.py":
            assert b"class AdamW" in source
    assert "torch/optim/adamw.py" in names
    assert len(names) == len(set(names)) > 1_000
