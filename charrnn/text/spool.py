"""Ids put by, in memory while they are few, then in a file without a name.

Nothing is left of such a file however the program ends.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from charrnn.errors import CorpusError
from charrnn.text.vocabulary import Ids

# Ids of up to this many bytes are kept in memory, those of longer texts in a file.
IN_MEMORY = 1 << 26


class Spool:
    """Arrays put by, to be read back in order."""

    def __init__(self) -> None:
        self.length = 0
        self._pieces: list[tuple[np.dtype[Any], int]] = []
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, ids: Ids) -> None:
        """Put a piece behind the others. Raises CorpusError if there is no room."""
        with _room():
            self._file.write(ids.data)
        self._pieces.append((ids.dtype, ids.nbytes))
        self.length += len(ids)

    def pieces(self) -> Iterator[Ids]:
        """Yield all pieces as they were put in."""
        self._file.seek(0)
        for dtype, size in self._pieces:
            yield np.frombuffer(self._file.read(size), dtype)


def stored(pieces: Iterable[Ids], length: int, dtype: DTypeLike) -> Ids:
    """Return pieces as one array: in memory, or mapped from a file that has no name if it is long.

    Raises CorpusError if there is no room for the file.
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
