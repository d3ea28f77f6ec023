"""Takes docs/images/page-*.png: pictures of exported pages, from real runs, in headless Chromium.

pip install . playwright pillow && python docs/tools/page_pictures.py
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent.parent
IMAGES = ROOT / "docs" / "images"
COMMANDS = [
    "charrnn train corpora/moulin.txt --time 1m --random-seed 1",
    'charrnn export checkpoints/moulin.npz --to html --title "Le moulin de Vaubœuf" -o text.html',
    "charrnn train corpora/dinosaurs.txt --lines --time 1m --random-seed 1",
    "charrnn export checkpoints/dinosaurs.npz --to html -o lines.html",
]
TEXT = "#prompt=Le%20moulin&seed=7&amount=420"
LIST = "#seed=7"


def main() -> None:
    """Run the commands in new folders and take pictures of the pages."""
    with after(COMMANDS) as folder:
        text, lines = ((folder / f"{kind}.html").as_uri() for kind in ("text", "lines"))
        with opened(text + TEXT) as page:
            page.get_by_label("Show surprise").check()
            page.locator("#written .letter").nth(60).hover()
            page.screenshot(path=IMAGES / "page-text.png")
        with opened(lines + LIST) as page:
            page.screenshot(path=IMAGES / "page-lines.png")


@contextmanager
def after(commands: list[str]) -> Iterator[Path]:
    """Yield a folder in which these commands have run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpora").symlink_to(ROOT / "corpora")
        for command in commands:
            subprocess.run(["bash", "-c", command], cwd=folder, check=True)
        yield folder


@contextmanager
def opened(address: str) -> Iterator[Any]:
    """Yield a page that has written its first text."""
    with sync_playwright() as driver:
        path = shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        size: Any = {"width": 1180, "height": 800}
        page = browser.new_page(viewport=size, color_scheme="light", reduced_motion="reduce")
        page.goto(address)
        page.locator("#write", has_text="Write").wait_for()
        yield page
        browser.close()


if __name__ == "__main__":
    main()
