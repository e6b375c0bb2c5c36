"""The page of runs in a browser: the cursor, what is drawn, and the live view."""

import csv
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ademamix.checkout import checkout
from ademamix.records import load_record
from ademamix.scale import scale
from ademamix.spec import RunSpec
from ademamix.store import Store, line
from analysis.report.compare import write_compare
from analysis.report.comparison import Comparison
from analysis.report.live import LivePage, server
from analysis.report.seen import seen
from experiments import registry
from tests.browser.checks import check_page
from tests.browser.conftest import Opener

FIGURES = checkout() / "figures" / "cpu"


@pytest.fixture(scope="module")
def needs() -> dict[str, Any]:
    """The runs of Figure 12 at `cpu` of which there is a record: id → what the figure wants of it."""
    (figure,) = registry.named("12")
    found = {need.run.id: need for need in figure.needs(scale("cpu"))}
    return {id: need for id, need in found.items() if (FIGURES / "records" / f"{id}.json.gz").exists()}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, needs: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    store = Store(folder / "runs")
    store.open()
    for id in needs:
        load_record(FIGURES / "records" / f"{id}.json.gz", store)
    path = folder / "compare.html"
    write_compare(Comparison([seen(run) for run in store.runs()], [""] * len(needs)), "Runs compared", path)
    return path


def shown(page: Any) -> dict[str, str]:
    """Run → what the table says of its value, without notes."""
    cells = page.locator("#lines tr").all()
    return {cell.get_attribute("data-run"): cell.locator(".value").text_content() for cell in cells}


def test_every_page(opened: Opener, page: Path) -> None:
    check_page(opened, page)


def test_the_cursor_shows_the_csvs_values(opened: Opener, page: Path, needs: dict[str, Any]) -> None:
    """Of every run that Figure 12 draws, at the first and at the last step of its table."""
    with (FIGURES / "figure-12.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = opened(page.as_uri()).page
    found.locator("[name=quantity]").select_option(str(scale("cpu").validation_loss))
    found.get_by_label("smoothing").fill("0.9")  # of what is drawn, not of what is said
    plot = found.locator("#plot")
    plot.focus()
    steps = {float(row["x"]) for row in rows}
    for key, at in (("Home", min(steps)), ("End", max(steps))):
        found.keyboard.press(key)
        while float(plot.get_attribute("aria-valuenow") or "nan") < at:  # other figures look more often
            found.keyboard.press("ArrowRight")
        assert float(plot.get_attribute("aria-valuenow") or "nan") == at
        of_series = {(row["panel"], row["series"]): float(row["y"]) for row in rows if float(row["x"]) == at}
        values = shown(found)
        compared = 0
        for id, need in needs.items():
            for (panel, series), y in of_series.items():
                if (panel, series) == (need.panel, need.series):
                    assert float(values[id]) == y
                    compared += 1
        assert compared == len(needs)


def test_pointing_shows_values_and_dots(opened: Opener, page: Path, needs: dict[str, Any]) -> None:
    found = opened(page.as_uri()).page
    assert found.locator("#at").text_content() == "last value"
    found.locator("#plot").hover()
    assert re.match(r"at [\d,]+$", found.locator("#at").text_content() or "")
    assert found.locator("#plot .dot").count() == len(needs)
    found.locator("h1").hover()
    assert found.locator("#at").text_content() == "last value"
    assert found.locator("#plot .dot").count() == 0


def test_a_fingers_cursor_stays(opened: Opener, page: Path, needs: dict[str, Any]) -> None:
    found = opened(page.as_uri(), phone=True).page
    found.locator("#plot").tap()
    assert re.match(r"at [\d,]+$", found.locator("#at").text_content() or "")
    assert found.locator("#plot .dot").count() == len(needs)


def test_what_is_chosen_is_drawn(opened: Opener, page: Path, needs: dict[str, Any]) -> None:
    """Quantity, axes, smoothing, range and runs; reset takes all of it back but the runs."""
    found = opened(page.as_uri()).page
    curves = found.locator("#plot .curve")

    def drawn() -> str:
        return str(curves.first.get_attribute("d"))

    start = drawn()
    seen_before = {start}
    assert curves.count() == len(needs)
    for change in (
        lambda: found.get_by_label("log x").check(),
        lambda: found.get_by_label("log y").check(),
        lambda: found.get_by_label("smoothing").fill("0.9"),
        lambda: found.get_by_label("from").fill("1000"),
        lambda: found.get_by_label("quantity").select_option("loss"),
    ):
        change()
        assert drawn() not in seen_before
        seen_before.add(drawn())
    assert found.locator("#plot .raw").count() == len(needs)
    found.get_by_role("button", name="reset").click()
    found.locator("#plot .raw").first.wait_for(state="detached")
    assert drawn() == start
    found.locator("#lines input").first.uncheck()
    assert curves.count() == len(needs) - 1
    found.get_by_role("button", name="show none").click()
    assert curves.count() == 0
    assert "none of the runs shown" in found.locator("#plot").text_content()
    found.get_by_role("button", name="show all").click()
    assert curves.count() == len(needs)


def test_dragging_looks_closer_and_escape_shows_all(opened: Opener, page: Path) -> None:
    found = opened(page.as_uri()).page
    plot = found.locator("#plot")
    whole = float(plot.get_attribute("aria-valuemax"))
    box = plot.bounding_box()
    found.mouse.move(box["x"] + 300, box["y"] + 100)
    found.mouse.down()
    found.mouse.move(box["x"] + 600, box["y"] + 100)
    found.mouse.up()
    low, high = (float(plot.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
    assert 0 < low < high < whole
    plot.focus()
    found.keyboard.press("Escape")
    assert float(plot.get_attribute("aria-valuemax")) == whole


@pytest.fixture
def live(tmp_path: Path, adamw_spec: RunSpec) -> Iterator[tuple[Store, str]]:
    """A store with a run under way, and where its page is served."""
    store = Store(tmp_path / "runs")
    run = store.run(adamw_spec.id)
    run.begin(adamw_spec)
    run.write_metrics([{"step": step, "loss": 4 / step} for step in (2, 4)])
    page = LivePage(lambda read: [(read(one), "") for one in store.runs()], "Runs, live")
    with server(page, 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield store, f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()


def test_the_live_page_follows_runs(
    opened: Opener, live: tuple[Store, str], adamw_spec: RunSpec, ademamix_spec: RunSpec
) -> None:
    """New rows and new runs come in; what was chosen stays; nothing else is asked than the server itself."""
    store, url = live
    found = opened(url)
    page = found.page
    page.get_by_label("log y").check()
    page.locator("#lines input").first.uncheck()
    assert shown(page) == {adamw_spec.id: "–"}
    with store.run(adamw_spec.id).metrics_path.open("a") as file:
        file.write(line({"step": 6, "loss": 0.625}))
    other = store.run(ademamix_spec.id)
    other.begin(ademamix_spec)
    other.write_metrics([{"step": 2, "loss": 1.25}])
    page.wait_for_selector(f"tr[data-run='{ademamix_spec.id}']")
    assert shown(page) == {adamw_spec.id: "–", ademamix_spec.id: "1.25"}
    assert page.get_by_label("log y").is_checked()
    page.locator("#lines input").first.check()
    assert shown(page)[adamw_spec.id] == "0.625"
    with other.metrics_path.open("a") as file:
        file.write(line({"step": 4, "loss": 0.5}))
    page.locator(f"tr[data-run='{ademamix_spec.id}'] .value", has_text="0.5").wait_for()
    assert found.errors == []
    assert {address for address in found.requests if not address.startswith("data:")} == {url}


def test_a_live_page_begins_before_its_runs(opened: Opener, tmp_path: Path, ademamix_spec: RunSpec) -> None:
    """With nothing to show yet it waits, then shows first what people look at first."""
    store = Store(tmp_path)
    with server(LivePage(lambda read: [(read(one), "") for one in store.runs()], "Runs, live"), 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        page = opened(f"http://127.0.0.1:{serving.server_port}/").page
        assert "none of the runs shown" in page.locator("#plot").text_content()
        run = store.run(ademamix_spec.id)
        run.begin(ademamix_spec)
        run.write_metrics([{"step": 2, "loss": 1.5, "validation_loss:8": 1.25, "beta3": 0.9}])
        page.locator("#lines .value", has_text="1.25").wait_for()
        assert page.get_by_label("quantity").input_value() == "validation_loss:8"
        page.get_by_label("quantity").select_option("loss")
        run.write_metrics([{"step": 2, "loss": 0.75, "grad_norm": 1.0}])
        page.locator("#lines .value", has_text="0.75").wait_for()
        serving.shutdown()


def test_a_live_page_says_that_its_server_has_ended(opened: Opener, tmp_path: Path) -> None:
    with server(LivePage(lambda read: [], "Runs, live"), 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        page = opened(f"http://127.0.0.1:{serving.server_port}/").page
        serving.shutdown()
    page.locator("#live", has_text="has ended").wait_for()
