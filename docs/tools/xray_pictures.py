"""Draws the pictures of docs/xray.md and docs/gates.md: real runs, in a terminal and in Chromium.

pip install . playwright pillow && python docs/tools/xray_pictures.py [MODEL]

Without a model it trains one for ten minutes, from nothing, on 200,000 characters of Python's
standard library. What it looks at is a file of this project, which that model has not read.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent.parent
IMAGES = ROOT / "docs" / "images"
SOURCE = ROOT / "charrnn" / "generate" / "choice.py"
WIDTH, CHARS = 76, 200_000
SNIPPET = """\
if (len(self.items) > max(limit, 10)):
    raise ValueError("too many (%d)" % len(items))
"""


def main(model: str | None) -> None:
    """Train if need be, and draw."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(model).resolve() if model else _trained(Path(folder))
        (Path(folder) / "python.npz").write_bytes(path.read_bytes())
        (Path(folder) / "choice.py").write_text(SOURCE.read_text("utf-8"), "utf-8")
        (Path(folder) / "snippet.py").write_text(SNIPPET, "utf-8")
        _draw_terminal(Path(folder))
        _draw_gates(Path(folder))
        _draw_page(Path(folder))


def _trained(folder: Path) -> Path:
    library = Path(sysconfig.get_path("stdlib"))
    text = "".join(path.read_text("utf-8") for path in sorted(library.glob("*.py"))[:40])
    (folder / "library.txt").write_text(text[:CHARS], "utf-8")
    line = "train library.txt --time 10m --from none --random-seed 1 -o library.npz"
    subprocess.run([sys.executable, "-m", "charrnn", *line.split()], cwd=folder, check=True)
    return folder / "library.npz"


def _run(line: str, folder: Path) -> str:
    environment = {
        **os.environ,
        "COLUMNS": str(WIDTH),
        "COLORTERM": "truecolor",
        "FORCE_COLOR": "1",
    }
    program = f'charrnn() {{ "{sys.executable}" -m charrnn "$@"; }}; {line}'
    done = subprocess.run(
        ["bash", "-c", program], cwd=folder, env=environment, check=True, text=True,
        encoding="utf-8", stdout=subprocess.PIPE,
    )  # fmt: skip
    return done.stdout


def _counter(folder: Path) -> int:
    """Return the unit that says most about brackets."""
    line = "charrnn xray choice.py -c python.npz --unknown skip --find brackets --json --top 1"
    found: dict[str, int] = json.loads(_run(line, folder))
    return found["unit"]


def _draw_terminal(folder: Path) -> None:
    unit = _counter(folder)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    for line in (
        "charrnn xray snippet.py -c python.npz",
        f"charrnn xray snippet.py -c python.npz --unit {unit}",
        "charrnn xray choice.py --unknown skip --find all --top 1 | cut -f 1,4,5,6",
    ):
        output = _run(line.replace("choice.py", "choice.py -c python.npz"), folder)
        console.print(Text(f"$ {line}", style="bold"))
        console.print(Text.from_ansi(output.rstrip("\n").expandtabs(16)))
        console.print()
    svg = console.export_svg(title="charrnn xray", code_format=_format())
    (IMAGES / "xray-terminal.svg").write_text(svg, "utf-8")


def _draw_gates(folder: Path) -> None:
    unit = _counter(folder)
    (folder / "gates.py").write_text(SNIPPET.splitlines()[0] + "\n", "utf-8")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    for part in ("cell", "forget", "input", "output"):
        line = f"charrnn xray gates.py --unit {unit} --part {part}"
        output = _run(f"{line} -c python.npz", folder)
        console.print(Text(f"$ {line}", style="bold"))
        console.print(Text.from_ansi(output.rstrip("\n")))
        console.print()
        line = f"charrnn xray choice.py -c python.npz --unknown skip --find brackets --part {part}"
        print(_run(f"{line} --top 500 | awk '$4 == {unit} || NR <= 2'", folder))  # noqa: T201  # for the page
    svg = console.export_svg(title="charrnn xray", code_format=_format())
    (IMAGES / "gates.svg").write_text(svg, "utf-8")


def _format() -> str:
    sys.path.insert(0, str(Path(__file__).parent))
    from record import without_font

    return without_font()


def _draw_page(folder: Path) -> None:
    from playwright.sync_api import sync_playwright

    line = "charrnn xray choice.py -c python.npz --html x.html --unknown skip"
    _run(f"{line} --unit {_counter(folder)}", folder)
    with sync_playwright() as driver:
        found = shutil.which("chromium") or shutil.which("chrome")
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1120, "height": 900}, color_scheme="light")
        page.goto((folder / "x.html").as_uri())
        _pose(page)
        save(page.screenshot(), IMAGES / "xray-page.png")
        browser.close()


def _pose(page: Any) -> None:  # Playwright is not typed here
    """Choose what the picture shows: a character inside brackets, some way down."""
    page.evaluate(
        """() => {
          const at = DATA.text.indexOf("filter_p(") + 12;
          const span = document.querySelectorAll("#text > span")[at];
          span.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
        }"""
    )
    page.wait_for_timeout(200)


def save(png: bytes, path: Path) -> None:
    """Write a picture with few colors, which takes a third of the bytes."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else None)
