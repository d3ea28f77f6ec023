"""Draws docs/images/first-run.svg: a real run of the README's first commands in a terminal.

pip install . && python docs/tools/record.py
"""

import os
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent.parent
COMMANDS = [
    "charrnn train corpora/dinosaurs.txt --lines --time 20s --random-seed 1",
    "charrnn sample --count 5 --new --random-seed 3",
    "charrnn sample --endless --new | grep --line-buffered 'raptor$' | head -n 3",
    "printf 'Tyrannosaurus\\nXylophone\\n' | charrnn score --lines --tsv | cut -f 2,6,8",
]


def main() -> None:
    """Run the commands in a new folder and draw what they print."""
    console = Console(record=True, width=110, file=Path(os.devnull).open("w", encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "corpora").symlink_to(ROOT / "corpora")
        for command in COMMANDS:
            console.print(Text(f"$ {command}", style="bold"))
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=True,
            )  # fmt: skip
            console.print(Text(_shortened(done.stdout.rstrip("\n"))))
    svg = console.export_svg(title="charrnn", code_format=_format())
    (ROOT / "docs" / "images" / "first-run.svg").write_text(svg, encoding="utf-8")


def _shortened(output: str) -> str:
    """Leave out all but the first two and the last line of progress."""
    lines = output.splitlines()
    progress = [number for number, line in enumerate(lines) if "% ETA" in line]
    for number in reversed(progress[3:-1]):
        del lines[number]
    if progress[3:]:
        lines[progress[2]] = " ..."
    return "\n".join(lines)


def _format() -> str:
    from rich._export_format import CONSOLE_SVG_FORMAT  # to leave its web font out

    start, end = (
        CONSOLE_SVG_FORMAT.index("@font-face"),
        CONSOLE_SVG_FORMAT.index(".{unique_id}-matrix"),
    )
    return CONSOLE_SVG_FORMAT[:start] + CONSOLE_SVG_FORMAT[end:]


if __name__ == "__main__":
    main()
