"""Headless Chromium, where there is one and playwright to drive it; otherwise these tests are skipped.

Playwright is no part of the environment: `uv pip install -e '.[browser]'` adds it;
the browser is the system's.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra 'browser')")
    binary = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if binary is None:
        pytest.skip(f"no browser on the path: {', '.join(CHROMIUM)}")
    # Chromium refuses its sandbox to root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=binary, args=arguments)
        yield found
        found.close()


@dataclass
class Opened:
    """A page in the browser, with what it complained of and asked for."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@dataclass
class Opener:
    """Opens pages in the browser, each in a context of its own."""

    browser: Any
    contexts: list[Any] = field(default_factory=list)

    def __call__(self, url: str, phone: bool = False, dark: bool = False) -> Opened:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        scheme = "dark" if dark else "light"
        context = self.browser.new_context(viewport=size, color_scheme=scheme, has_touch=phone)
        self.contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda said: said.type == "error" and found.errors.append(said.text))
        found.page.on("pageerror", lambda error: found.errors.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(url)
        return found


@pytest.fixture
def opened(browser: Any) -> Iterator[Opener]:
    opener = Opener(browser)
    yield opener
    for context in opener.contexts:
        context.close()
