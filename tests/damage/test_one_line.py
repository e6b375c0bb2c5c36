"""What a user can get wrong or lose is one line that says what to do: damage, then the real command line."""

import json
from pathlib import Path

import pytest

from tests.damage.world import World, damaged, refused

CSV = "figures/cpu/figure-12.csv"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:  # type: ignore[misc]
    """Nothing has to be trained for these."""
    made = World(tmp_path_factory.mktemp("untrained"))
    yield made  # type: ignore[misc]
    made.close()


def test_a_truncated_record_under_docs(world: World) -> None:
    (record, *_) = sorted((world.root / "figures" / "cpu" / "records").glob("*.gz"))
    with damaged(record, record.read_bytes()[:-40]):
        refused(world("docs", "--check"), "is not a readable record; take it from git again")


def _csv(world: World, change: str) -> str:
    head, first, *rest = (world.root / CSV).read_text().splitlines(keepends=True)
    return {
        "bad number": head + first.rsplit(",", 1)[0] + ",3.x\n" + "".join(rest),
        "no number": head + first.rsplit(",", 1)[0] + ",\n" + "".join(rest),
        "bad header": head.replace("series", "serie") + first + "".join(rest),
        "no header": first + "".join(rest),
        "no rows": head,
        "empty": "",
        "a row too long": head + first.rstrip() + ",1,2,3\n" + "".join(rest),
        "a changed digit": head + first.replace(".", ".1", 1) + "".join(rest),
    }[change]


@pytest.mark.parametrize(
    "change",
    [
        "bad number",
        "no number",
        "bad header",
        "no header",
        "no rows",
        "empty",
        "a row too long",
        "a changed digit",
    ],
)
def test_a_damaged_table(world: World, tmp_path: Path, change: str) -> None:
    with damaged(world.root / CSV, _csv(world, change)):
        for verb in ("plot", "claims"):
            said = world(verb, "--figure", "12", "--scale", "cpu", "--out", tmp_path)
            refused(said, "figure-12.csv")
            assert "make the figure again, or take it from git" in said.err
    assert not list(tmp_path.rglob("*.png"))


def test_a_damaged_table_leaves_the_others_alone(world: World, tmp_path: Path) -> None:
    with damaged(world.root / CSV, ""):
        said = world("plot", "--figure", "12,7", "--out", tmp_path)
        refused(said, "figure-12.csv")
        assert (tmp_path / "exact" / "figure-07.png").exists()


def test_a_missing_table(world: World, tmp_path: Path) -> None:
    with damaged(world.root / CSV, None):
        for verb in ("plot", "claims"):
            refused(
                world(verb, "--figure", "12", "--scale", "cpu", "--out", tmp_path), "figure-12.csv is missing"
            )


@pytest.mark.parametrize("verb", ["plot", "claims"])
def test_a_scale_without_results(world: World, tmp_path: Path, verb: str) -> None:
    refused(world(verb, "--scale", "gpu", "--out", tmp_path), "no table of any figure at scale gpu")
    refused(world(verb, "--figure", "12", "--scale", "gpu"), "no table of Figure 12 at scale gpu")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "",
        '{"schema": 1}',
        '{"figure-12": {}}',
        '{"schema": 1, "verdicts": {"figure-12": {"noise": 3}}}',
    ],
)
def test_broken_verdicts(world: World, tmp_path: Path, content: str) -> None:
    with damaged(world.root / "figures" / "cpu" / "claims.json", content):
        refused(world("docs", "--check"), "claims.json is damaged")
    with damaged(tmp_path / "cpu" / "claims.json", content):
        refused(
            world("claims", "--figure", "12", "--scale", "cpu", "--out", tmp_path), "claims.json is damaged"
        )


def test_missing_marks_and_pages(world: World) -> None:
    page = world.root / "experiments" / "fig12_alpha_beta3" / "README.md"
    with damaged(page, page.read_text().replace("<!-- end: verdicts of figure-12 -->", "")):
        refused(world("docs"), "lacks the marks <!-- generated: verdicts of figure-12 -->")
    with damaged(page, None):
        refused(world("docs"), f"{page.relative_to(world.root)} is missing")


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("def draw(:\n", "line 1: SyntaxError"),
        ("import nonsense_that_is_not_there\n", "line 1: ModuleNotFoundError"),
        ("NUMBER = 12\n", "it lacks TITLE, PANELS"),
        ("NUMBER, TITLE, PANELS = 12, 'x', 'a'\ndef needs(scale):\n    return 1 / 0\ntable = draw = needs\n",
         "line 3: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_mistake_in_one_figure(world: World, tmp_path: Path, mistake: str, message: str) -> None:
    with damaged(world.root / "experiments" / "fig12_alpha_beta3" / "figure.py", mistake):
        refused(world("plan", "--figure", "12", "--scale", "smoke", "--runs", tmp_path), message)
        other = world("plan", "--figure", "9", "--scale", "smoke", "--runs", tmp_path)
        assert other.code == 0  # the others go on,
        assert "4 runs" in other.out
        assert message in other.err  # and the mistake is named
        assert other.err.count("\n") == 1
        everything = world("plan", "--scale", "smoke", "--runs", tmp_path)
        assert everything.code == 1
        assert "Traceback" not in everything.err


def test_a_mistake_in_a_drawing(world: World, tmp_path: Path) -> None:
    path = world.root / "experiments" / "fig07_beta3_schedule" / "figure.py"
    with damaged(
        path, path.read_text().replace("def draw(", "def draw(frame):\n    return nothing\n\n\ndef _(", 1)
    ):
        said = world("plot", "--figure", "7,25", "--out", tmp_path)
        refused(said, "figure.py, line ")
        assert "NameError" in said.err
        assert (tmp_path / "exact" / "figure-25.png").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("language/110M.yaml", "batch:", "batsh:", "unknown key 'batsh' (did you mean 'batch'?)"),
        ("language.yaml", "warmup:", "warmups:", "unknown key"),
        ("language/110M.yaml", "batch:", "- batch:", "is not valid YAML"),
        ("language.yaml", None, "[1, 2]", "has to hold keys and values"),
        ("language.yaml", None, "\x00\x01", "is not valid YAML"),
    ],
)
def test_a_wrong_key_in_a_model(
    world: World, tmp_path: Path, file: str, old: str | None, new: str, message: str
) -> None:
    path = world.root / "configs" / "models" / file
    with damaged(path, path.read_text().replace(old, new, 1) if old else new):
        said = world("plan", "--figure", "12", "--runs", tmp_path)
        refused(said, message)
        assert str(path) in said.err


def test_hints_name_the_option_that_is_meant(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for option in ("--data", "--runs", "--out"):
        said = world("run", "--figure", "9", "--scale", "smoke", option, tmp_path / "file" / "x")
        refused(said, f"file is a file; name a folder with {option} DIR")
        assert said.err.count("\n") == 1
    refused(world("import", "--from", tmp_path, "--runs", tmp_path / "runs"), "no records in")


def test_the_last_net(world: World) -> None:
    """What nobody thought of is one line, with where the traceback is, and exit code 70."""
    path = world.root / "ademamix" / "cli" / "report.py"
    assert path.exists()
    said = world("plan", "--scale", "smoke", "--figure", "9", "--seeds", "0", "--runs", "/proc/self/mem/x")
    refused(said, "", said.code)
    source = world.root / "analysis" / "costs.py"
    with damaged(source, source.read_text()):  # loaded already: the mistake has to come at run time
        broken = world.root / "benchmarks" / "results" / "optimizer-cpu.json"
        with damaged(broken, json.dumps({"machine": {}})):
            said = world("docs", "--check")
    refused(said, "unexpected KeyError", 70)
    saved = Path(said.err.split("the traceback is in ")[1].split(";")[0])
    assert "Traceback (most recent call last)" in saved.read_text()
    saved.unlink()
    assert said.err.count("\n") == 1


def test_a_pipe_that_closes_early_is_quiet(world: World) -> None:
    import subprocess
    import sys

    command = (
        f"{sys.executable} -m ademamix plan --figure 12 --scale smoke | head -1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], cwd=world.root, env=world.environment, capture_output=True,
                          text=True)  # fmt: skip
    assert done.returncode in (0, 1), done  # 1 is click's
    assert not done.stderr
