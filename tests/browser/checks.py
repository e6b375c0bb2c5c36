"""What holds of every page, in a browser."""

from pathlib import Path

import pytest

from tests.browser.conftest import Opener

MOST = 10_000_000  # bytes


def check_page(opened: Opener, path: Path) -> None:
    """On a screen and on a phone, light and dark: nothing is asked for or complained of, nothing is cut off,
    and axe, which knows how people without a mouse or good eyes read, finds nothing serious.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    assert path.stat().st_size < MOST
    for phone, dark in ((False, False), (False, True), (True, False), (True, True)):
        found = opened(path.as_uri(), phone=phone, dark=dark)
        assert found.errors == []
        assert [url for url in found.requests if not url.startswith("data:")] == [path.as_uri()]
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert found.page.evaluate(wider) <= 0
        if phone != dark:  # sizes and colours are each seen once
            continue
        violations = axe.run(found.page).response["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"][:200])
            for one in violations
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
