"""Taking out what Project Gutenberg puts around a book: a header, and a license at the end.

A header ends with a marker near the beginning of a file, or near the end of the book before it. A
book ends with a marker that has nothing but the license behind it: the end of the file, or the end
of another header, is near. Near means at most NEAR lines that are not blank.
"""

import io
import re
from collections.abc import Iterable, Iterator
from enum import Enum

BOOK_PARTS = "gutenberg"
NEAR = 700

START = re.compile(
    r"[ \t]*\*\*\* ?START OF (THE|THIS) PROJECT GUTENBERG|\*END\*? ?THE SMALL PRINT", re.IGNORECASE
)
END = re.compile(
    r"[ \t]*(\*\*\* ?END OF (THE|THIS) PROJECT GUTENBERG|End of (the |this )?Project Gutenberg)",
    re.IGNORECASE,
)
_MARKED = re.compile("PROJECT GUTENBERG|THE SMALL PRINT", re.IGNORECASE)


class _Part(Enum):
    HEADER = "what may be a header"
    BOOK = "a book"
    LICENSE = "what may be the license after it"


class Stripper:
    """Takes headers and licenses out of a text.

    lines   that were taken out so far
    """

    def __init__(self) -> None:
        self.lines = 0
        self._part = _Part.HEADER
        self._held: list[str] = []  # what may have to go; of a book, the blank lines at its end
        self._near = 0  # lines of it that are not blank, since its last marker
        self._written = False

    def stripped(self, blocks: Iterable[str]) -> Iterator[str]:
        """Yield the text without them. A block ends with a line, or is a part of a long one."""
        for block in blocks:
            if self._part is _Part.BOOK and _MARKED.search(block) is None:
                text = _but_blank_end(block)
                if text:
                    yield from self._released()
                    yield text
                self._held.append(block[len(text) :])
            else:
                for line in io.StringIO(block, newline="\n"):
                    yield from self._line(line)
        if self._part is _Part.LICENSE:
            self._drop()
        yield from self._released()

    def _line(self, line: str) -> Iterator[str]:
        blank = not line.strip()
        if self._part is not _Part.BOOK and START.match(line):
            self._held.append(line)
            self._drop()
            if self._written and self._part is _Part.LICENSE:
                yield "\n"  # between two books
            self._part = _Part.HEADER
        elif END.match(line):
            if self._part is not _Part.LICENSE:
                yield from self._released(but_blank=True)
            self._held.append(line)
            self._part, self._near = _Part.LICENSE, 0
        elif blank and self.lines and not self._held and self._part is _Part.HEADER:
            self.lines += 1
        elif self._part is _Part.BOOK and not blank:
            yield from self._released()
            yield line
        else:
            self._held.append(line)
            self._near += not blank
            if self._near > NEAR:
                yield from self._released(but_blank=True)
                self._part = _Part.BOOK

    def _released(self, *, but_blank: bool = False) -> Iterator[str]:
        """Yield what is held, because it is the book's; blank lines at its end may be held on."""
        text = "".join(self._held)
        kept = _but_blank_end(text) if but_blank else text
        if kept:
            yield kept
            self._written = True
        self._held, self._near = [text[len(kept) :]], 0

    def _drop(self) -> None:
        self.lines += sum(held.count("\n") for held in self._held)
        self._held, self._near = [], 0


def _but_blank_end(text: str) -> str:
    """Return a text without the blank lines at its end."""
    last = len(text.rstrip())
    end = text.find("\n", last) + 1
    return text[: end or len(text)] if last else ""
