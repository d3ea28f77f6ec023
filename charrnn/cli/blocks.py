"""How text is written while it is made: at once on a terminal, in blocks on a pipe."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from charrnn.cli import terminal

# A write of its own for every character would take a fifth of the time that a character takes. No
# reader of a pipe notices this delay.
SECONDS = 0.1

# So many characters have at most 4,000 bytes in UTF-8, which a pipe of Linux takes in one piece:
# what a reader gets never ends within a character.
CHARACTERS = 1000


class Blocks:
    """Collects text for a pipe, and writes it when the last write is long enough ago."""

    def __init__(self) -> None:
        self._pending: list[str] = []
        self._written_at = time.monotonic()
        self._wait = 0.0 if terminal.is_terminal(sys.stdout) else SECONDS

    def write(self, text: str) -> None:
        """Write a text now or soon, always whole characters."""
        self._pending += text
        late = time.monotonic() - self._written_at >= self._wait
        if late or len(self._pending) >= CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        text = "".join(self._pending)
        self._pending.clear()
        for begin in range(0, len(text), CHARACTERS):
            terminal.write(text[begin : begin + CHARACTERS])
        self._written_at = time.monotonic()


@contextmanager
def blocks() -> Iterator[Blocks]:
    """Give what writes text, and write what is pending in the end, even after Ctrl-C."""
    made = Blocks()
    try:
        yield made
    finally:
        made.flush()
