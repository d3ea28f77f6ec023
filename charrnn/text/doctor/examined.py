"""Reading a text once: its ids, where each character stands first, and passages to look at closely.

Counts of characters and of line ends are those of the whole text. What takes longer looks at
passages: all of the text up to LOOKED_AT characters, and of a longer one as much, from all over it.
"""

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np

from charrnn.config import Normalization
from charrnn.errors import CorpusError
from charrnn.text.corpus import Corpus
from charrnn.text.doctor.finding import Place
from charrnn.text.doctor.kind import Kind, kind_of
from charrnn.text.doctor.mojibake import sequences
from charrnn.text.encoding import encode_pieces
from charrnn.text.reading import PIECE_BYTES, STDIN, Reader, opened
from charrnn.text.vocabulary import CODE_POINTS, Ids, code_points

# Characters that slow checks look at, and where a line without an end is cut.
LOOKED_AT, LONGEST_LINE = 1 << 22, 1 << 22

BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Passage:
    """Whole lines of a text.

    source, line   of which file, and the number of the first line
    """

    source: str
    line: int
    text: str

    def place(self, offset: int) -> Place:
        """Return where the character at this offset stands."""
        return Place(self.source, self.line + self.text.count("\n", 0, offset))


@dataclass(frozen=True)
class Examined:
    """A text, read once.

    sources    names of its files
    encoding   in which it was read
    corpus     its characters as ids, as training reads them
    passages   what to look at closely
    first      where each character stands first
    crlf       line breaks that are CR LF
    boms       files that begin with a byte-order mark
    bytes      of all files
    seconds    that reading took
    """

    sources: tuple[str, ...]
    encoding: str
    corpus: Corpus
    passages: tuple[Passage, ...]
    first: dict[str, Place]
    crlf: int
    boms: tuple[str, ...]
    bytes: int
    seconds: float

    @cached_property
    def counts(self) -> dict[str, int]:
        """How often each character occurs."""
        if not self.size:
            return {}
        vocabulary = self.corpus.vocabulary
        return dict(zip(vocabulary.characters, vocabulary.counts.tolist(), strict=True))

    @property
    def size(self) -> int:
        """Characters of the text."""
        return len(self.corpus.ids)

    @cached_property
    def looked_at(self) -> int:
        """Characters of the passages."""
        return sum(len(passage.text) for passage in self.passages)

    @property
    def whole(self) -> bool:
        """True if the passages are all of the text."""
        return self.looked_at == self.size

    @cached_property
    def misread(self) -> Counter[str]:
        """How often each character of the passages is a part of one that was decoded wrongly."""
        wrong = (sequences(passage.text) for passage in self.passages)
        return Counter(char for found in wrong for _, sequence, _ in found for char in sequence)

    @cached_property
    def kind(self) -> Kind:
        """What sort of text it is."""
        return kind_of(self.passages[0].text if self.passages else "")


def examine(
    sources: Sequence[str],
    names: Sequence[str],
    *,
    encoding: str = "utf-8",
    normalize: Normalization = "none",
) -> Examined:
    """Read a text.

    sources   paths of regular files, see ``readable``
    names     what they are called

    Raises CorpusError if one cannot be read or decoded, ConfigError for an unknown encoding.
    """
    began = time.perf_counter()
    watch = _Watch()
    reader = Reader(encoding, normalize)
    boms = []

    def pieces() -> Iterator[str]:
        for source, name in zip(sources, names, strict=True):
            with opened(source) as stream:
                if stream.read(3).startswith(BOMS):
                    boms.append(name)
            yield from watch.passages(name, reader.pieces(source))

    ids, vocabulary = encode_pieces(pieces())
    return Examined(
        sources=tuple(names),
        encoding=encoding,
        corpus=Corpus(ids, vocabulary, reader.sha256.hexdigest()),
        passages=watch.kept.joined(),
        first=watch.first,
        crlf=watch.crlf,
        boms=tuple(boms),
        bytes=sum(Path(source).stat().st_size for source in sources),
        seconds=time.perf_counter() - began,
    )


@contextmanager
def readable(sources: Sequence[str]) -> Iterator[list[str]]:
    """Give paths that can be read more than once: what comes from a pipe goes to a temporary file.

    Raises CorpusError if a source cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="charrnn-") as folder:
        paths = []
        for number, source in enumerate(sources):
            if source != STDIN and not (os.path.exists(source) and not os.path.isfile(source)):  # noqa: PTH110, PTH113  # Path("") is the current folder
                paths.append(source)
                continue
            path = Path(folder) / str(number)
            with opened(source) as stream, path.open("wb") as copy:
                try:
                    shutil.copyfileobj(stream, copy, PIECE_BYTES)
                except OSError as error:
                    raise CorpusError(
                        f"{source}: cannot be copied to a temporary file: {error.strerror}",
                        hint="name a folder with more room: TMPDIR=...",
                    ) from error
            paths.append(str(path))
        yield paths


class _Watch:
    """Takes note of what passes: first places, line breaks, passages."""

    def __init__(self) -> None:
        self.known = np.zeros(CODE_POINTS, bool)
        self.first: dict[str, Place] = {}
        self.crlf = 0
        self.kept = Kept()

    def passages(self, source: str, pieces: Iterator[str]) -> Iterator[str]:
        line = 1
        for text in whole_lines(pieces):
            passage = Passage(source, line, text)
            self._note(passage)
            self.kept.add(passage)
            self.crlf += text.count("\r\n")
            line += text.count("\n")
            yield text

    def _note(self, passage: Passage) -> None:
        text = passage.text
        points: Ids = (
            np.frombuffer(text.encode("ascii"), np.uint8) if text.isascii() else code_points(text)
        )
        new = np.flatnonzero(~self.known[points])
        if len(new):
            found, first = np.unique(points[new], return_index=True)
            for point, offset in zip(found.tolist(), new[first].tolist(), strict=True):
                self.first[chr(point)] = passage.place(offset)
            self.known[found] = True


def whole_lines(pieces: Iterator[str]) -> Iterator[str]:
    """Cut a text anew, after line breaks; after LONGEST_LINE characters where there is none."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        end = piece.rfind("\n") + 1
        if end:
            yield "".join([*held, piece[:end]])
            held, size = [], 0
        if rest := piece[end:]:
            held.append(rest)
            size += len(rest)
        if size >= LONGEST_LINE:
            text = "".join(held)
            cut = len(text) - text.endswith("\r")
            yield text[:cut]
            held, size = [text[cut:]], len(text) - cut
    if last := "".join(held):
        yield last


class Kept:
    """Passages from all over a text: every one, or every second, fourth ... of a long one."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, Passage]] = []
        self.number = self.size = 0
        self.stride = 1
        self.last: tuple[int, Passage] | None = None

    def add(self, passage: Passage) -> None:
        """Take the next passage of the text."""
        self.last = (self.number, passage)
        if self.number % self.stride == 0:
            self.entries.append(self.last)
            self.size += len(passage.text)
        self.number += 1
        while self.size > LOOKED_AT and len(self.entries) > 1:
            self.stride *= 2
            self.entries = [entry for entry in self.entries if entry[0] % self.stride == 0]
            self.size = sum(len(passage.text) for _, passage in self.entries)

    def joined(self) -> tuple[Passage, ...]:
        """Return the passages, the last one always; neighbors in a file become one."""
        entries = self.entries
        if self.last is not None and entries[-1] != self.last:
            entries = [*entries, self.last]
        runs = groupby(enumerate(entries), lambda at: (at[1][1].source, at[1][0] - at[0]))
        passages = []
        for _, run in runs:
            neighbors = [passage for _, (_, passage) in run]
            text = "".join(passage.text for passage in neighbors)
            passages.append(Passage(neighbors[0].source, neighbors[0].line, text))
        return tuple(passages)
