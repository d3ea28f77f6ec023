"""Everything that reaches the terminal: data on stdout, all else on stderr.

Text that was read or generated is never given to rich as markup, and on a terminal its control
characters are shown escaped, so that no text can recolor, move or clear the screen.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Never, TextIO, cast

from charrnn.cli.output import OutputClosedError, OutputFailedError
from charrnn.text.vocabulary import escape

# rich and tqdm are imported where they are used: a sample in a pipe needs neither.
if TYPE_CHECKING:
    from rich.text import Text
    from tqdm import tqdm

    from charrnn.training.loop import Event

# A piece of a row of a drawing: text, and the style of rich that it has in color.
Piece = tuple[str, str]


# Invisible characters that change the direction of what follows: a way to make a text lie.
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


# What writes a note above a drawing on stderr, while there is one.
_above: "Callable[[str], None] | None" = None


def is_terminal(stream: TextIO | None) -> bool:
    """Return True if a person is looking at this stream."""
    return stream is not None and not stream.closed and stream.isatty()


def visible(text: str) -> str:
    """Return the text as a terminal may see it: line breaks and tabs work, other controls show."""
    return "".join(
        escape(char)
        if (char < " " and char not in "\n\t") or "\x7f" <= char < "\xa0" or char in _BIDI
        else char
        for char in text
    )


@contextmanager
def output() -> Iterator[TextIO]:
    """Give stdout, and translate its failures."""
    if sys.stdout is None:
        raise OutputFailedError("standard output is closed")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosedError from None
    except OSError as error:
        raise OutputFailedError(error.strerror or str(error)) from error


def write(text: str) -> None:
    """Write data to stdout as it is; on a terminal, with control characters escaped."""
    with output() as stdout:
        stdout.write(visible(text) if is_terminal(stdout) else text)


def write_styled(text: str) -> None:
    """Write text that contains styles: what it shows of others must be ``visible`` already."""
    with output() as stdout:
        stdout.write(text)


def colors() -> Literal["truecolor", "256"] | None:
    """Return how many colors stdout has; None for fewer than 256, for NO_COLOR, and in a pipe."""
    if not is_terminal(sys.stdout) or os.environ.get("NO_COLOR"):
        return None
    from rich.console import Console

    found = Console(file=sys.stdout).color_system
    return cast("Any", found) if found in {"truecolor", "256"} else None


def write_labeled(label: str, text: str, style: str) -> None:
    """Write a line that begins with a label in a style of rich, where the terminal has colors."""
    from rich.console import Console
    from rich.text import Text

    with output() as stdout:
        console = Console(file=stdout, highlight=False, emoji=False, soft_wrap=True)
        console.print(Text.assemble((visible(label), style), visible(text)))


def write_bytes(data: bytes) -> None:
    """Write data that is no text to stdout."""
    with output() as stdout:
        stdout.flush()
        stdout.buffer.write(data)


def note(message: str) -> None:
    """Write a line for the user to stderr."""
    if sys.stderr is None:
        return
    with nobody_to_tell():
        if _above is not None:
            _above(visible(message))
            return
        from tqdm import tqdm

        tqdm.write(visible(message), file=sys.stderr)


def write_notes_with(above: "Callable[[str], None] | None") -> None:
    """Have this write notes, because there is a drawing on stderr; None: there is none any more."""
    global _above  # noqa: PLW0603  # there is one terminal
    _above = above


def note_styled(message: str) -> None:
    """Write a line that contains styles to stderr, if a person is looking."""
    if is_terminal(sys.stderr):
        with nobody_to_tell():
            sys.stderr.write(f"{message}\n")


@contextmanager
def nobody_to_tell() -> Iterator[None]:
    """Go silent when stderr can no longer be written: that must not end a run."""
    try:
        yield
    except OSError:
        sys.stderr = None  # as Python itself has it when it is closed


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Write a table to stdout: drawn on a terminal, tab-separated in a pipe."""
    if not is_terminal(sys.stdout):
        write("".join("\t".join(row) + "\n" for row in (columns, *rows)))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, title_justify="left")
    for number, column in enumerate(columns):
        cells = [row[number] for row in rows]
        right = bool(rows) and all(map(_is_numeric, cells))
        justify: Literal["left", "right"] = "right" if right else "left"
        longest = max(map(len, cells)) if right else None  # digits are never folded
        table.add_column(column, justify=justify, overflow="fold", min_width=longest)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    with output() as stdout:
        console = Console(file=stdout, highlight=False, emoji=False)
        unlimited = console.options.update(width=10_000)
        if console.measure(table, options=unlimited).minimum > console.width:
            table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)
        console.print(table, crop=False)


def print_rows(rows: "Sequence[Sequence[Piece]]") -> None:
    """Write rows of a drawing to stdout: in color on a terminal that has it."""
    from rich.console import Console

    with output() as stdout:
        Console(file=stdout, highlight=False, emoji=False).print(styled(rows), soft_wrap=True)


def styled(rows: "Sequence[Sequence[Piece]]") -> "Text":
    """Return rows of a drawing for rich."""
    from rich.text import Text

    lines = (Text.assemble(*((visible(text), style) for text, style in row)) for row in rows)
    return Text("\n").join(lines)


def _is_numeric(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").rstrip("%").strip().isdigit()


def duration(seconds: float) -> str:
    """Return seconds as 0:42, 12:05 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
    silent = not is_terminal(sys.stderr)
    with make_bar(unit=unit, unit_scale=True, delay=1, disable=silent) as bar:
        yield bar


def make_bar(**settings: Any) -> "tqdm[Never]":  # noqa: ANN401
    """Return a progress bar on stderr."""
    from tqdm import tqdm

    # Without its monitor thread: workers are forked, and threads do not survive that.
    tqdm.monitor_interval = 0
    return tqdm(leave=False, file=sys.stderr, **settings)
