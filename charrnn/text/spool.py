"""Storage for ids: in memory up to a limit, then in an unnamed temporary file.

The system deletes such a file however the program ends.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from charrnn.errors import CorpusError
from charrnn.text.vocabulary import Ids

# Ids of up to this many bytes stay in memory; those of longer texts go to a file.
IN_MEMORY = 1 << 26


class Spool:
    """A store of arrays, written and read back in order."""

    def __init__(self) -> None:
        self.length = 0
        self._pieces: list[tuple[np.dtype[Any], int]] = []
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, ids: Ids) -> None:
        """Append a piece. Raises CorpusError if the disk is full."""
        with _room():
            self._file.write(ids.data)
        self._pieces.append((ids.dtype, ids.nbytes))
        self.length += len(ids)

    def pieces(self) -> Iterator[Ids]:
        """Yield all pieces in the order in which they were appended."""
        self._file.seek(0)
        for dtype, size in self._pieces:
            yield np.frombuffer(self._file.read(size), dtype)


def stored(pieces: Iterable[Ids], length: int, dtype: DTypeLike) -> Ids:
    """Return pieces as one array: in memory, or memory-mapped from an unnamed file if it is long.

    Raises CorpusError if the file does not fit on the disk.
    """
    if length * np.dtype(dtype).itemsize <= IN_MEMORY:
        ids: Ids = np.empty(length, dtype)
        at = 0
        for piece in pieces:
            ids[at : at + len(piece)] = piece
            at += len(piece)
        return ids
    with _room(), tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece.data)
        file.flush()
        return np.asarray(np.memmap(file, dtype, "r", shape=(length,)))


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"no room for the ids of the text in {tempfile.tempdir or 'a temporary folder'}: "
            f"{error.strerror}",
            hint="name a folder with more room: TMPDIR=...",
        ) from error
