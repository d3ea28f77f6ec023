"""Former names of what ``charrnn.cli.console`` has, and what only ``train`` shows."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Never

from charrnn.cli.console import console, duration, is_terminal, visible

if TYPE_CHECKING:
    from tqdm import tqdm

    from charrnn.training.loop import Event

# A piece of a row of a drawing: text, and the style of rich that it has in color.
Piece = tuple[str, str]

__all__ = ["Piece", "duration", "is_terminal", "visible"]

write, write_bytes, note = console.write, console.write_bytes, console.note
print_table, make_bar, output = console.table, console.bar, console.stdout


def write_labeled(label: str, text: str, style: str) -> None:
    """Write a line that begins with a label in a style of rich, where the terminal has colors."""
    from rich.text import Text

    console.print(Text.assemble((visible(label), style), visible(text)), soft_wrap=True)


def write_notes_with(above: Callable[[str], None] | None) -> None:
    """Have this write notes, because there is a drawing on stderr; None: there is none any more."""
    console.above = above


def nobody_to_tell() -> AbstractContextManager[object]:
    """Go silent when stderr can no longer be written: that must not end a run."""
    return console.stderr()


def status(event: "Event", val_loss: float | None) -> str:
    """Return one line on how training goes."""
    remaining = event.seconds * (1 - event.progress) / max(event.progress, 1e-9)
    parts = [f"ETA {duration(remaining)}", f"step {event.step}", f"loss {event.train_loss:.3f}"]
    if val_loss is not None:
        parts.append(f"val {val_loss:.3f}")
    return ", ".join([*parts, f"{event.chars_per_s / 1000:.1f}k chars/s"])


@contextmanager
def counting(*, unit: str) -> "Iterator[tqdm[Never]]":
    """Show a count on stderr, on a terminal and for long work only."""
    with console.counter(unit) as bar:
        yield bar
