"""docs/report.png and docs/compare.png, and what pages weigh and how long they take to load.

python -m tools.screenshots        needs playwright (uv pip install -e '.[browser]') and Chromium
"""

import shutil
import statistics
import tempfile
from io import BytesIO
from itertools import islice
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from ademamix.checkout import checkout
from ademamix.records import load_record
from ademamix.scale import scale
from ademamix.store import Store
from analysis.report.compare import write_compare
from analysis.report.comparison import Comparison
from analysis.report.seen import seen
from experiments import registry

LOADS = 5  # of each page, for the median
MANY = 500  # runs on one page; all that `cpu` has would be refused
COLOURS = 192
FIGURE, PANEL = "12", "b"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def main() -> None:
    figures, docs = checkout() / "figures", checkout() / "docs"
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as scratch:
        # The pages are our own, and Chromium refuses its sandbox to root.
        browser = driver.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        compared, many = compare_pages(figures, Path(scratch))
        for path in (*sorted(figures.rglob("index.html")), compared, many):
            measure(page, path)
        page.goto((figures / "cpu" / "index.html").as_uri())
        save(page, docs / "report.png")
        page.goto(compared.as_uri())
        page.get_by_label("from").fill("1000")
        page.locator("#plot").focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        page.locator("#plot").blur()
        save(page, docs / "compare.png", whole=True)
        browser.close()


def compare_pages(figures: Path, scratch: Path) -> tuple[Path, Path]:
    """A page of the runs of a panel, and one of many runs, from committed records."""
    store = Store(scratch / "runs")
    store.open()
    for record in sorted((figures / "cpu" / "records").glob("*.json.gz")):
        load_record(record, store)
    (figure,) = registry.named(FIGURE)
    wanted = {need.run.id for need in figure.needs(scale("cpu")) if need.panel == PANEL}
    found = {
        "compare": [seen(store.run(id)) for id in wanted if (store.run(id).folder / "spec.json").exists()],
        "many": [seen(run) for run in islice(store.runs(), MANY)],
    }
    paths = {name: scratch / f"{name}.html" for name in found}
    for name, runs in found.items():
        runs.sort(key=lambda run: run.loss[1] or 0)
        write_compare(Comparison(runs, [""] * len(runs)), "Runs compared", paths[name])
        print(f"{name}: {len(runs)} runs")
    return paths["compare"], paths["many"]


def measure(page: Page, path: Path) -> None:
    times = []
    for _ in range(LOADS):
        page.goto(path.as_uri())
        times.append(page.evaluate(LOADED) / 1000)
    name = path.relative_to(checkout()) if path.is_relative_to(checkout()) else path.name
    print(f"{name}: {path.stat().st_size / 1e6:.2f} MB, {statistics.median(times):.2f} s")


def save(page: Page, path: Path, whole: bool = False) -> None:
    """A screenshot in few colours: what stands in git should be small."""
    image = Image.open(BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(checkout())}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
