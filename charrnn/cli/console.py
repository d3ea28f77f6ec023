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
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

# rich is imported where it is used: a sample in a pipe does not need it.
if TYPE_CHECKING:
    from rich.console import Console as RichConsole

# Control characters but line breaks and tabs, and invisible characters that change the direction of
# what follows: a way to make a text lie.
UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

# A cell of a table that is a number, and what begins a line for the user.
NUMBER, LABEL = re.compile(r"[\d,.]+%?"), re.compile(r"\s*(\w+(: +| {2,}))?")

# json.dumps would make an encoder for each object, which takes longer than its work.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)

# Characters of an error: it may name a text that was taken for a file.
MAX_ERROR = 500


class OutputError(Exception):
    """Stdout cannot take what is written: a full disk, a closed descriptor.

    Without a message, its reader has seen enough, as in ``charrnn sample | head``: no error.
    """


def is_terminal(stream: TextIO | None) -> bool:
    """Return True if a person is looking at this stream."""
    return stream is not None and not stream.closed and stream.isatty()


def is_dumb() -> bool:
    """Return True if terminals here cannot move their cursor."""
    return os.environ.get("TERM") == "dumb" or (os.name == "nt" and "WT_SESSION" not in os.environ)


def visible(text: str) -> str:
    """Return the text as a terminal may see it: line breaks and tabs work, other controls show."""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def duration(seconds: float) -> str:
    """Return seconds as 4.2 s, 0:42, 12:05 or 1:02:03."""
    if seconds and not 10 <= seconds < 1e7:  # also for NaN
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int, noun: str) -> str:
    """Return a count with its noun: 1 character, 1,234 characters."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def to_json(value: Any) -> str:
    """Return a value as JSON, with null for what is not a finite number."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(json.loads(json.dumps(value), parse_constant=lambda _: None))


def command(*words: str | Path) -> str:
    """Return a call of charrnn with these words, to be pasted into a shell."""
    called = [sys.argv[0]]
    if shutil.which("charrnn"):
        called = ["charrnn"]
    elif Path(sys.argv[0]).name == "__main__.py":
        called = [sys.executable, "-m", "charrnn"]
    return " ".join(map(quote, (*called, *words)))


def quote(word: str | Path) -> str:
    r"""Return a word as a shell reads it, whatever bytes it has: a.npz, 'a b.npz', $'\xff.npz'."""
    if str(word).isprintable():  # surrogates, which stand for bytes that are not UTF-8, are not
        return shlex.quote(str(word))
    return f"${repr(os.fsencode(word))[1:]}"  # which bash reads as Python does


class Console:
    """The one object that writes.

    debug   show a traceback with an error
    quiet   of what is noted, show warnings only
    drawn   what is drawn at the bottom of stderr now
    """

    debug = quiet = False
    drawn = ""

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

    def rich(self, stream: TextIO | None = None) -> "RichConsole":
        """Return a console of rich on stdout or another stream, to which nothing is markup."""
        from rich.console import Console as RichConsole

        file = stream or sys.stdout
        return RichConsole(file=file, highlight=False, emoji=False, markup=False)

    @contextmanager
    def stdout(self) -> Iterator[TextIO]:
        """Give stdout. Raises OutputError for its errors alone."""
        if sys.stdout is None:
            raise OutputError("standard output is closed")
        try:
            yield sys.stdout
            sys.stdout.flush()
        except SystemExit:  # which rich makes of a broken pipe
            raise OutputError from None
        except OSError as error:
            with suppress(OSError):  # Python flushes what is left on its way out
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            is_broken = isinstance(error, BrokenPipeError)
            raise OutputError("" if is_broken else error.strerror or str(error)) from error

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
        self.write(to_json(value) + "\n")

    def print(self, *renderables: Any, **settings: Any) -> None:
        """Write what rich renders."""
        with self.stdout():
            self.rich().print(*renderables, **settings)

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, tsv: bool = False
    ) -> None:
        """Write a table: drawn on a terminal, tab-separated in a pipe or if ``tsv`` asks for it."""
        if tsv or not self.shows_text:
            self.write("".join("\t".join(row) + "\n" for row in (columns, *rows)))
            return
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for number, column in enumerate(columns):
            cells = [row[number] for row in rows]
            is_number = bool(rows) and all(map(NUMBER.fullmatch, cells))
            justify: Any = "right" if is_number else "left"
            longest = max(map(len, cells)) if is_number else None  # digits are never folded
            table.add_column(column, justify=justify, min_width=longest, overflow="fold")
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        rich = self.rich()
        if rich.measure(table, options=rich.options.update(width=10_000)).minimum > rich.width:
            table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)
        self.print(table, crop=False)

    @property
    def can_draw(self) -> bool:
        """True if stderr is a terminal that can move its cursor."""
        return is_terminal(sys.stderr) and not is_dumb()

    def draw(self, text: str, above: str = "") -> None:
        """Draw text at the bottom of stderr, in place of what was drawn before, if anything.

        above   stays, before the text

        An error there must not end a run: from then on stderr is silent.
        """
        rows = self.drawn.count("\n")
        erase = f"\x1b[{rows}F\x1b[J" if rows else "\r\x1b[J" if self.drawn else ""
        self.drawn = text
        try:
            if sys.stderr is not None:
                sys.stderr.write(f"{erase}{above}{text}")
                sys.stderr.flush()
        except OSError:
            sys.stderr = None  # as Python itself has it when it is closed

    def note(self, *messages: str) -> None:
        """Write lines for the user, above what is drawn.

        On a terminal they are wrapped at words, what follows below what follows their label.
        """
        told = [it for it in messages if not self.quiet or it.startswith("warning")]
        lines = [line for message in told for line in visible(message).split("\n")]
        self.draw(self.drawn, "".join(f"{self.wrap(line, sys.stderr)}\n" for line in lines))

    def wrap(self, line: str, stream: TextIO | None) -> str:
        """Return a line, on a terminal wrapped at words, below what follows its label."""
        if not is_terminal(stream):
            return line
        indent, width = " " * len(LABEL.match(line)[0]), max(self.width, 20)  # type: ignore[index]
        whole: Any = {"break_long_words": False, "break_on_hyphens": False}
        return textwrap.fill(line, width, subsequent_indent=indent, **whole) or line

    def error(self, message: str, hint: str | None = None) -> None:
        """Write what went wrong in one line, and the next step in another."""
        self.quiet = False
        if self.debug and sys.exc_info()[0] is not None:
            self.draw("", visible(traceback.format_exc()))
        line = " ".join(message.split())
        cut = line if len(line) <= MAX_ERROR else f"{line[:MAX_ERROR]}…"
        self.note(f"charrnn: error: {cut}")
        if hint:
            self.note(f"hint: {hint}")


console = Console()
