"""A headless Chromium that clicks, types and reads. Tests that use it are skipped without one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OWN = {"file:", "data:", "blob:"}
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
    context = chromium.new_context(reduced_motion="reduce")
    context.on("weberror", lambda it: faults.append(str(it.error)))
    context.on("console", lambda it: faults.extend([it.text] * (it.type == "error")))
    context.on("request", lambda it: faults.extend([it.url] * (it.url[:5] not in OWN)))

    def visit(data: bytes, address: str = "", width: int = 1100, height: int = 800) -> Any:
        (tmp_path / "page.html").write_bytes(data)
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.goto((tmp_path / "page.html").as_uri() + address)
        return page

    yield visit
    context.close()
    assert not faults
