"""The console: everything that reaches the terminal. Data goes to stdout, all else to stderr.

Text that was read or generated is never given to rich as markup. On a terminal its control
characters are escaped, so that no text can recolor, move or clear the screen.
"""

import json
import os
import re
import shlex
import shutil
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Never, TextIO, cast

# rich and tqdm are imported where they are used: a sample in a pipe needs neither.
if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from tqdm import tqdm

# Invisible characters that change the direction of what follows: a way to make a text lie.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

# Text on a pipe is written in blocks: a write for every character would take a fifth of the time
# that a character takes. So many characters have at most 4,000 bytes in UTF-8, which a pipe takes
# in one piece, so that a reader never gets half a character.
BLOCK_SECONDS, BLOCK_CHARS = 0.1, 1000

# Durations from which on, and below which, they are a number of seconds.
LONG_SECONDS, SHORT_SECONDS = 1e7, 10


class OutputClosedError(Exception):
    """The reader of stdout has seen enough, as in ``charrnn sample | head``: not an error."""


class OutputFailedError(Exception):
    """Stdout cannot take what is written: a full disk, a closed descriptor."""


def is_terminal(stream: TextIO | None) -> bool:
    """Return True if a person is looking at this stream."""
    return stream is not None and not stream.closed and stream.isatty()


def visible(text: str) -> str:
    """Return the text as a terminal may see it: line breaks and tabs work, other controls show."""
    return "".join(
        _escaped(char)
        if (char < " " and char not in "\n\t") or "\x7f" <= char < "\xa0" or char in BIDI
        else char
        for char in text
    )


def duration(seconds: float) -> str:
    """Return seconds as 4.2 s, 0:42, 12:05 or 1:02:03."""
    if not 0 <= seconds < LONG_SECONDS:  # also for NaN
        return f"{seconds:.3g} s"
    if 0 < seconds < SHORT_SECONDS:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def program() -> str:
    """Return how to call charrnn from here."""
    if shutil.which("charrnn"):
        return "charrnn"
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m charrnn"
    return shlex.quote(sys.argv[0])


def count(number: float, noun: str = "") -> str:
    """Return a count as 1,234 or with its noun: 1 character, 1,234 characters."""
    text = f"{number:,}"
    return f"{text} {noun}{'' if number == 1 else 's'}" if noun else text


class Console:
    """The one object that writes.

    debug   show a traceback with an error
    above   writes notes above a drawing on stderr while there is one
    """

    def __init__(self) -> None:
        self.debug = False
        self.above: Callable[[str], None] | None = None

    # Where and how

    @property
    def shows_text(self) -> bool:
        """True if stdout is a terminal."""
        return is_terminal(sys.stdout)

    @property
    def width(self) -> int:
        """Columns of the terminal, on whatever stream it is."""
        with suppress(OSError, ValueError, AttributeError):
            if not self.shows_text and "COLUMNS" not in os.environ:
                return os.get_terminal_size(sys.stderr.fileno()).columns
        return shutil.get_terminal_size().columns

    @property
    def colors(self) -> Literal["truecolor", "256"] | None:
        """How many colors stdout has; None: fewer than 256, NO_COLOR, TERM=dumb, or a pipe."""
        if not self.shows_text or os.environ.get("NO_COLOR"):
            return None
        found = self.rich().color_system
        return cast("Any", found) if found in {"truecolor", "256"} else None

    def rich(self, stream: TextIO | None = None, **settings: Any) -> "RichConsole":
        """Return a console of rich on stdout or another stream, to which nothing is markup."""
        from rich.console import Console as RichConsole

        return RichConsole(
            file=stream or sys.stdout, highlight=False, emoji=False, markup=False, **settings
        )

    # Data, on stdout

    @contextmanager
    def stdout(self) -> Iterator[TextIO]:
        """Give stdout. Raises OutputClosedError or OutputFailedError for its errors alone."""
        if sys.stdout is None:
            raise OutputFailedError("standard output is closed")
        try:
            yield sys.stdout
            sys.stdout.flush()
        except (BrokenPipeError, SystemExit):  # which rich makes of it
            raise OutputClosedError from None
        except OSError as error:
            raise OutputFailedError(error.strerror or str(error)) from error

    def write(self, text: str, *, styled: bool = False) -> None:
        """Write text as it is; on a terminal with control characters escaped.

        styled   it has styles: what it shows of others is ``visible`` already
        """
        with self.stdout() as stdout:
            stdout.write(visible(text) if self.shows_text and not styled else text)

    def write_bytes(self, data: bytes) -> None:
        """Write data that is not text."""
        with self.stdout() as stdout:
            stdout.flush()
            stdout.buffer.write(data)

    def write_json(self, value: object) -> None:
        """Write an object on a line of its own."""
        self.write(json.dumps(value, ensure_ascii=False) + "\n")

    @contextmanager
    def blocks(self) -> "Iterator[Callable[[str], None]]":
        """Give a function that writes text as it is made: at once on a terminal, else in blocks.

        What is pending is written in the end, even after Ctrl-C.
        """
        pending: list[str] = []
        wait, written_at = 0.0 if self.shows_text else BLOCK_SECONDS, time.monotonic()

        def flush() -> None:
            nonlocal written_at
            text = "".join(pending)
            pending.clear()
            for begin in range(0, len(text), BLOCK_CHARS):
                self.write(text[begin : begin + BLOCK_CHARS])
            written_at = time.monotonic()

        def write(text: str) -> None:
            pending.extend(text)
            if len(pending) >= BLOCK_CHARS or time.monotonic() - written_at >= wait:
                flush()

        try:
            yield write
        finally:
            flush()

    def print(self, *renderables: Any, **settings: Any) -> None:
        """Write what rich renders."""
        with self.stdout():
            self.rich().print(*renderables, **settings)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = ""
    ) -> None:
        """Write a table: drawn on a terminal, tab-separated in a pipe."""
        if not self.shows_text:
            self.write("".join("\t".join(row) + "\n" for row in (columns, *rows)))
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(title) if title else None, title_justify="left")
        for number, column in enumerate(columns):
            cells = [row[number] for row in rows]
            right = bool(rows) and all(map(_is_number, cells))
            longest = max(map(len, cells)) if right else None  # digits are never folded
            table.add_column(
                column, justify="right" if right else "left", overflow="fold", min_width=longest
            )
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        rich = self.rich()
        if rich.measure(table, options=rich.options.update(width=10_000)).minimum > rich.width:
            table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)
        self.print(table, crop=False)

    # All else, on stderr

    @contextmanager
    def stderr(self) -> Iterator[TextIO | None]:
        """Give stderr. An error there must not end a run: from then on it is silent."""
        try:
            yield sys.stderr
        except OSError:
            sys.stderr = None  # as Python itself has it when it is closed

    def note(self, message: str) -> None:
        """Write a line for the user, wrapped at words on a terminal."""
        with self.stderr() as stderr:
            if stderr is None:
                return
            message = visible(message)
            if is_terminal(stderr):
                message = "\n".join(map(self.wrap, message.split("\n")))
            if self.above is not None:
                self.above(message)
            elif "tqdm" in sys.modules:  # there may be a bar, which has to make room
                sys.modules["tqdm"].tqdm.write(message, file=stderr)
            else:
                stderr.write(f"{message}\n")
                stderr.flush()

    def wrap(self, line: str) -> str:
        """Return a line broken at words, its further lines below what follows its label."""
        indent = " " * len(re.match(r"\s*(\w+: +)?", line)[0])  # type: ignore[index]
        wrapped = textwrap.wrap(
            line, max(self.width, 20), subsequent_indent=indent, break_long_words=False
        )
        return "\n".join(wrapped) or line

    def error(self, message: str, hint: str | None = None) -> None:
        """Write what went wrong in one line, and the next step in another."""
        if sys.stderr is None:
            return
        with suppress(OSError):
            if self.debug and sys.exc_info()[0] is not None:
                traceback.print_exc()
            sys.stderr.write(f"charrnn: error: {_printable(' '.join(message.split()))}\n")
            if hint:
                sys.stderr.write(f"hint: {_printable(hint)}\n")
            sys.stderr.flush()

    def bar(self, **settings: Any) -> "tqdm[Never]":
        """Return a progress bar on stderr."""
        from tqdm import tqdm

        # Without its monitor thread: workers are forked, and threads do not survive that.
        tqdm.monitor_interval = 0
        return tqdm(leave=False, file=sys.stderr, **settings)

    def counter(self, unit: str) -> "tqdm[Never]":
        """Return a count of units, shown for long work on a terminal only."""
        silent = not is_terminal(sys.stderr)
        return self.bar(unit=unit, unit_scale=True, delay=1, disable=silent)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").rstrip("%").strip().isdigit()


console = Console()
