"""A headless Chromium that clicks, types and reads. Tests that use it are skipped without one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@contextmanager
def browser_page(
    path: Path, *, width: int = 1100, height: int = 800, scheme: str = "light"
) -> Iterator[Any]:
    """Open a file and yield Playwright's page.

    Fails at the end if the page raised an error or asked for anything but itself.

    scheme   "light" or "dark"
    """
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    faults: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        size = {"width": width, "height": height}
        page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.extend([line.text] * (line.type == "error")))
        own = ("file:", "data:", "blob:")
        page.on("request", lambda sent: faults.extend([sent.url] * (not sent.url.startswith(own))))
        page.goto(path.as_uri())
        yield page
        browser.close()
    assert not faults
