"""Draws docs/images/*.svg: real runs in a real terminal of their own.

pip install . pyte && python docs/tools/record.py [NAME...]

The names are those of RECORDINGS; a recording needs what those before it have left in the folder.
"""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).parent.parent.parent
ROWS = 48
# Codes of attributes, and those that begin a color of several numbers.
DIM, BLINKING, COLORS = 2, 5, {38, 48}
SENTENCE = "The bell of the harbour rang at six, and the captain woke."
ODD = (
    "cat corpora/towns.txt odd.txt | charrnn score --lines --top 6 --tsv"
    r" | cut -f 1,2,6,8 | column -t -s $'\t'"
)
# Name of the picture: width of the terminal, and the commands.
RECORDINGS: Mapping[str, tuple[int, list[str]]] = {
    "first-run": (
        110,
        [
            "charrnn train corpora/dinosaurs.txt --lines --time 20s --random-seed 1",
            "charrnn sample --count 5 --new --random-seed 3",
            "charrnn sample --endless --new | grep --line-buffered 'raptor$' | head -n 3",
            r"printf 'Tyrannosaurus\nXylophone\n' | charrnn score --lines --tsv | cut -f 2,6,8",
        ],
    ),
    "doctor": (100, ["charrnn doctor corpora/harbour.txt"]),
    "train-plot": (110, ["charrnn train corpora/harbour.txt --time 1m --plot --random-seed 1"]),
    "inspect": (100, ["charrnn inspect"]),
    "sample-xray": (
        100,
        [
            'charrnn sample --seed "The bell" --length 300 --random-seed 1',
            f'charrnn xray --seed "{SENTENCE}" --top 2',
        ],
    ),
    "score-lines": (
        116,
        [
            "charrnn train corpora/towns.txt --lines --time 20s --random-seed 1 --quiet",
            r"printf 'Kwzrvg\nAbercwm\nBread-on-Thames\nTyrannosaurus\n' > odd.txt",
            ODD,
        ],
    ),
}


def main(names: list[str]) -> None:
    """Run the commands in a new folder and draw what they print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpora").symlink_to(ROOT / "corpora")
        for recording, (width, commands) in RECORDINGS.items():
            console = Console(record=True, width=width, file=io.StringIO())
            for command in commands:
                console.print(Text(f"$ {command}", style="bold"))
                if (text := shown(command, folder, width)).plain:
                    console.print(text)
            if not names or recording in names:
                svg = console.export_svg(title="charrnn", code_format=without_font())
                (ROOT / "docs" / "images" / f"{recording}.svg").write_text(svg, encoding="utf-8")


def shown(command: str, folder: Path, columns: int) -> Text:
    """Run a command in a terminal of its own, and return what stands there in the end."""
    screen = Screen(columns, ROWS)
    stream = pyte.ByteStream(screen)
    for chunk in output(command, folder, columns):
        stream.feed(chunk)
    lines = [Text("").join(_pieces(screen.buffer[row], columns)) for row in range(ROWS)]
    for line in lines:
        line.rstrip()
    while lines and not lines[-1].plain:
        lines.pop()
    return Text("\n").join(lines)


def output(command: str, folder: Path, columns: int) -> Iterator[bytes]:
    """Yield what a command writes to a terminal, as it comes."""
    main_end, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment.pop("NO_COLOR", None)
    running = subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=environment,
        stdin=other_end, stdout=other_end, stderr=other_end, start_new_session=True,
    )  # fmt: skip
    os.close(other_end)
    while True:
        try:
            chunk = os.read(main_end, 1 << 16)
        except OSError:  # Linux says so when the last writer is gone
            break
        if not chunk:
            break
        yield chunk
    os.close(main_end)
    if running.wait():
        raise subprocess.CalledProcessError(running.returncode, command)


class Screen(pyte.Screen):
    """A screen that knows dim characters, which pyte does not: it takes them for blinking ones."""

    def select_graphic_rendition(self, *attributes: int) -> None:
        """Apply one escape sequence of colors and attributes."""
        given = list(attributes)
        if not COLORS & set(given):
            given = [BLINKING if code == DIM else code for code in given]
        super().select_graphic_rendition(*given)


def _pieces(cells: Mapping[int, pyte.screens.Char], columns: int) -> Iterator[Text]:
    for style, group in groupby((cells[x] for x in range(columns)), key=_style):
        yield Text("".join(cell.data for cell in group), style=style)


def _style(cell: pyte.screens.Char) -> Style:
    return Style(
        color=_color(cell.fg),
        bgcolor=_color(cell.bg),
        bold=cell.bold or None,
        dim=cell.blink or None,
        italic=cell.italics or None,
        underline=cell.underscore or None,
        reverse=cell.reverse or None,
    )


def _color(name: str) -> str | None:
    if name == "default":
        return None
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return {"brown": "yellow"}.get(name, name.replace("bright", "bright_"))


def without_font() -> str:
    """Return Rich's template for SVG without the web font that it would load."""
    from rich._export_format import CONSOLE_SVG_FORMAT

    start, end = (
        CONSOLE_SVG_FORMAT.index("@font-face"),
        CONSOLE_SVG_FORMAT.index(".{unique_id}-matrix"),
    )
    return CONSOLE_SVG_FORMAT[:start] + CONSOLE_SVG_FORMAT[end:]


if __name__ == "__main__":
    main(sys.argv[1:])
