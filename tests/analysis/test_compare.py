"""The page of runs beside each other: what is in it, what it refuses, and how it is served."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ademamix.checkout import checkout
from ademamix.errors import UserError
from ademamix.spec import RunSpec
from ademamix.store import Outcome, Run, Store, line
from ademamix.sweeps import outcomes
from analysis.report import compare
from analysis.report.compare import compare_page
from analysis.report.comparison import Comparison, settings
from analysis.report.live import LivePage, server
from analysis.report.seen import seen
from analysis.report.sweep import write_sweep_page
from analysis.sweeps import write_report
from tests.analysis.test_report import Reader
from tests.command_line import cli
from tests.sweeps import pretend
from tests.sweeps.test_search import GRID, bowl, made

ROWS = [
    {"step": 2, "loss": 3.5, "grad_norm": 0.25, "seconds": 0.5},
    {"step": 4, "loss": 3.125, "validation_loss:8": 3.0625},
]


@pytest.fixture
def store(tmp_path: Path, adamw_spec: RunSpec, ademamix_spec: RunSpec) -> Store:
    """A run that is complete, one that diverged, and one that failed with markup in its message."""
    found = Store(tmp_path / "runs")
    for spec, outcome in (
        (ademamix_spec, Outcome("finished", 4, {"validation_loss:8": [4]}, 7200.0)),
        (adamw_spec, Outcome("diverged", 6, {}, 1.0)),
        (adamw_spec.reseeded(1), None),
    ):
        run = found.run(spec.id)
        run.begin(spec)
        run.write_metrics([*ROWS, {"step": 6, "loss": None}] if spec is adamw_spec else ROWS)
        if outcome:
            run.finish(outcome)
        else:
            run.fail("boom: </script><b>bold</b> & more")
    return found


def page_of(store: Store) -> str:
    runs = [seen(run) for run in store.runs()]
    return compare_page(Comparison(runs, [""] * len(runs)), "Some runs")


def data_in(page: str) -> dict:  # type: ignore[type-arg]
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def test_the_page_holds_what_the_store_holds(store: Store) -> None:
    data = data_in(page_of(store))
    assert {run["id"] for run in data["runs"]} == {run.id for run in store.runs()}
    for run in data["runs"]:
        rows = store.run(run["id"]).rows()
        for name in {name for row in rows for name in row} - {"step"}:
            pairs = [[row["step"], row[name]] for row in rows if name in row]
            assert [list(pair) for pair in zip(*run["columns"][name], strict=True)] == pairs
    assert list(data["quantities"])[:2] == ["validation_loss:8", "loss"]  # what is looked at first


def test_the_page_is_whole_escaped_and_loads_nothing(store: Store, tmp_path: Path) -> None:
    text = page_of(store)
    path = tmp_path / "page.html"
    path.write_text(text)
    page = Reader(path)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert "default-src 'none'" in text
    assert "connect-src 'none'" in text
    assert "boom: &lt;/script&gt;&lt;b&gt;bold&lt;/b&gt; &amp; more" in text
    assert "<b>bold" not in text


def test_how_runs_stand_and_what_they_cost(store: Store, ademamix_spec: RunSpec) -> None:
    text = page_of(store)
    (row,) = re.findall(rf'<tr data-run="{ademamix_spec.id}">(.*?)</tr>', text, re.S)
    for what in (
        "finished",
        "3.0625 <small>validation</small>",
        "2 h",
        f"{4 * ademamix_spec.flops_per_step:.3g}",
    ):
        assert what in row
    assert all(state in text for state in ("<td>diverged", "<td>failed"))


def test_settings_that_differ_come_first(ademamix_spec: RunSpec, tmp_path: Path) -> None:
    """A key that one run lacks and others leave at none tells nothing apart."""
    specs = [ademamix_spec, ademamix_spec.reseeded(1), ademamix_spec.changed(clipping=None)]
    store = Store(tmp_path)
    for spec in specs:
        store.run(spec.id).begin(spec)
    found = Comparison([seen(store.run(spec.id)) for spec in specs], [""] * 3).settings
    assert {setting.key: (list(setting.values), setting.usual) for setting in found if setting.differs} == {
        "seed": (["0", "1", "0"], "0"),
        "clipping": (["0.5", "0.5", "none"], "0.5"),
    }
    assert [setting.differs for setting in found] == sorted((s.differs for s in found), reverse=True)


def test_every_value_of_a_run_is_a_setting(adamw_spec: RunSpec) -> None:
    branch = adamw_spec.branch(4, inject=2)
    found = settings(branch)
    assert found["fork.parent"] == adamw_spec.id
    assert (found["fork.step"], found["fork.inject"]) == ("4", "2")
    assert found["optimizer.beta1"] == "0.9"  # a default, which specs leave out
    assert found["optimizer.beta1_warmup"] == "none"


def test_a_damaged_run_is_shown_beside_the_others(store: Store, adamw_spec: RunSpec) -> None:
    (store.run(adamw_spec.id).folder / "spec.json").write_text("{")
    text = page_of(store)
    assert "<td>damaged<br><small>" in text
    assert len(data_in(text)["runs"]) == 3


def test_too_much_for_a_page_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "MOST", 10_000)
    with pytest.raises(UserError, match=r"3 runs make a page of 0 MB.*choose fewer"):
        page_of(store)


def test_the_verb_names_runs_or_chooses_them(store: Store, tmp_path: Path, adamw_spec: RunSpec) -> None:
    def ids(*args: str) -> list[str]:
        done = cli("compare", *args, "--runs", str(store.root), "--out", str(tmp_path))
        assert done.stdout == f"{tmp_path / 'compare.html'}\n", done.stderr
        return [run["id"] for run in data_in((tmp_path / "compare.html").read_text())["runs"]]

    other = adamw_spec.reseeded(1).id
    assert ids(other[:8], adamw_spec.id) == [other, adamw_spec.id]  # in the order of their naming
    assert ids("--where", "seed=1") == [other]
    assert ids("--state", "diverged") == [adamw_spec.id]
    none = cli("compare", "--figure", "12", "--scale", "smoke", "--runs", str(store.root))
    assert none.returncode == 1
    assert none.stderr == f"ademamix: no such runs in {store.root}; 'ademamix runs' lists those there are\n"


def test_a_page_that_cannot_be_written_is_one_line(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("compare", "--runs", str(store.root), "--out", str(tmp_path / "file" / "page.html"))
    assert done.returncode == 1
    assert "name another with --out FILE" in done.stderr
    assert done.stderr.count("\n") == 1


def begun(store: Store, spec: RunSpec) -> Run:
    run = store.run(spec.id)
    run.begin(spec)
    run.write_metrics(ROWS)
    return run


def live(store: Store) -> LivePage:
    return LivePage(lambda read: [(read(run), "") for run in store.runs()], "Live")


def test_a_live_page_is_made_anew_when_runs_have_gone_on(
    tmp_path: Path, adamw_spec: RunSpec, ademamix_spec: RunSpec
) -> None:
    store = Store(tmp_path)
    page = live(store)
    empty, _ = page.now()
    run = begun(store, adamw_spec)
    first, text = page.now()
    assert page.now() == (first, text)
    with run.metrics_path.open("a") as file:
        file.write(line({"step": 6, "loss": 2.5}))
    second, text = page.now()
    assert data_in(text.decode())["runs"][0]["columns"]["loss"] == [[2, 4, 6], [3.5, 3.125, 2.5]]
    begun(store, ademamix_spec)
    third, text = page.now()
    assert [r["id"] for r in data_in(text.decode())["runs"]] == [adamw_spec.id, ademamix_spec.id]
    assert len({empty, first, second, third}) == 4


@pytest.fixture
def served(store: Store) -> Iterator[int]:
    """The port of a server over the store."""
    with server(live(store), 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield serving.server_port
        serving.shutdown()


def asked(port: int, path: str = "/", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_the_server_answers_this_machine_with_the_page_alone(served: int, store: Store) -> None:
    answer = asked(served)
    text = answer.read().decode()
    assert answer.status == 200
    assert len(data_in(text)["runs"]) == 3
    assert "connect-src 'self'" in text
    tag = answer.headers["ETag"]
    assert asked(served, **{"If-None-Match": tag}).status == 304
    assert asked(served, Host=f"localhost:{served}").status == 200
    assert asked(served, Host=f"elsewhere.example:{served}").status == 403
    assert asked(served, "/store.json").status == 404


def test_a_taken_port_is_one_line(served: int, store: Store) -> None:
    done = cli("watch", "--port", str(served), "--runs", str(store.root))
    assert done.returncode == 1
    assert (
        done.stderr == f"ademamix: port {served} is taken, or not yours to take; name another with --port N\n"
    )


def test_watching_keeps_runs_that_leave_the_state_and_ends_quietly(store: Store, adamw_spec: RunSpec) -> None:
    other = adamw_spec.reseeded(1)
    watching = subprocess.Popen(
        [sys.executable, "-m", "ademamix", "watch", "--state", "failed", "--runs", str(store.root)],
        cwd=checkout(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests as a shell's background job hands down that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert watching.stdout is not None
        found = re.match(r"http://127\.0\.0\.1:(\d+)/", watching.stdout.readline())
        assert found
        assert _rows_of(int(found[1])) == [(other.id, "failed")]
        store.run(other.id).finish(Outcome("finished", 4, {}, 1.0))
        assert _rows_of(int(found[1])) == [(other.id, "finished")]
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=60)
    finally:
        watching.kill()
    assert watching.returncode == 0
    assert errors.strip() == ""


def _rows_of(port: int) -> list[tuple[str, str]]:
    """Run and state of every row of the table of a page that is served."""
    text = asked(port).read().decode()
    rows = re.findall(r'<tr data-run="(\w+)">(.*?)</tr>', text, re.S)
    return [(id, re.findall(r"<td>(\w+)", row)[0]) for id, row in rows]


def test_the_page_of_a_sweep(tmp_path: Path) -> None:
    """Every setting with its loss, the best's neighbours, the drawings, and the curves of the runs."""
    found, store = made(*GRID[:1], seeds=(0, 1)), Store(tmp_path / "runs")
    pretend.finish(found, store, bowl)
    rows = list(outcomes.rows(found, store, found.grid or []))
    report = write_report(found, "what it <is>", rows, tmp_path / "out")
    path = write_sweep_page(found, report, rows, store, tmp_path / "out")
    text, page = path.read_text(), Reader(path)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert "what it &lt;is&gt;" in text
    assert "<code>optimizer.alpha=4</code>" in text
    for tried in report.results.tried:
        assert f">{tried.mean:.4f}" in text
    assert "in optimizer.alpha alone" in text
    assert text.count('aria-label="Drawing: ') == 1
    assert {run["id"] for run in data_in(text)["runs"]} == {row["run"] for row in rows}
