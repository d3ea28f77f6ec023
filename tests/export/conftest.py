"""A headless Chromium that clicks, types and reads. Tests that use it are skipped without one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Yield what writes a page to a file, opens it and returns Playwright's page.

    The test fails at its end if a page raised an error or asked for anything but itself.
    """
    faults: list[str] = []
    own = ("file:", "data:", "blob:")

    def visit(
        data: bytes, address: str = "", width: int = 1100, height: int = 800, scheme: str = "light"
    ) -> Any:
        file = tmp_path / "page.html"
        file.write_bytes(data)
        size = {"width": width, "height": height}
        page = chromium.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.extend([line.text] * (line.type == "error")))
        page.on("request", lambda sent: faults.extend([sent.url] * (not sent.url.startswith(own))))
        page.goto(file.as_uri() + address)
        return page

    yield visit
    for context in chromium.contexts:
        context.close()
    assert not faults
