"""Former names of what ``charrnn.cli.console`` has, and what only ``train`` shows."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Never

from charrnn.cli.console import console, duration, is_terminal, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqdm import tqdm


# A piece of a row of a drawing: text, and the style of rich that it has in color.
Piece = tuple[str, str]

__all__ = ["Piece", "duration", "is_terminal", "visible"]

write, write_bytes, note = console.write, console.write_bytes, console.note
print_table, output = console.table, console.stdout


def write_labeled(label: str, text: str, style: str) -> None:
    """Write a line that begins with a label in a style of rich, where the terminal has colors."""
    from rich.text import Text

    console.print(Text.assemble((visible(label), style), visible(text)), soft_wrap=True)


@contextmanager
def counting(*, unit: str) -> "Iterator[tqdm[Never]]":
    """Show a count on stderr, on a terminal and for long work only."""
    with console.counter(unit) as bar:
        yield bar
