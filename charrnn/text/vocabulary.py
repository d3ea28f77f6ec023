"""The vocabulary: the distinct characters of a corpus, in order, with how often each occurs."""

from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import VocabularyError

Ids = NDArray[np.unsignedinteger]

# Every code point is below this; tables indexed by code point have this many entries.
CODE_POINTS = 0x110000

# Unknown characters that a message names before it only counts them.
LISTED = 50


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text, shape (len(text),).

    Raises VocabularyError if the text holds a lone surrogate, which is no character.
    """
    try:
        return np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint32, copy=False)
    except UnicodeEncodeError as error:
        raise VocabularyError(
            f"character {error.start + 1} of the text is a lone surrogate "
            f"(U+{ord(text[error.start]):04X}), not a character",
            hint="check the encoding of the terminal or of the file it came from",
        ) from error


def id_dtype(size: int) -> type[np.uint8 | np.uint16 | np.uint32]:
    """Return the smallest unsigned type that holds the ids 0 to size - 1."""
    if size <= 2**8:
        return np.uint8
    return np.uint16 if size <= 2**16 else np.uint32


def escape(text: str) -> str:
    r"""Return the text with all that is not printable as \n, \x1b, \u202e ...: safe to show."""
    return "".join(
        char
        if char.isprintable() and char != "\\"
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


class Vocabulary:
    """Characters and their ids: ``characters[i]`` has id i.

    characters   distinct characters, sorted by code point
    counts       occurrences of each in the corpus, shape (V,); zeros when not given
    """

    def __init__(self, characters: str, counts: NDArray[np.int64] | None = None) -> None:
        if not characters:
            raise VocabularyError("a vocabulary needs at least one character")
        if any(a >= b for a, b in pairwise(characters)):
            raise VocabularyError("the characters of a vocabulary must be distinct and sorted")
        self.characters = characters
        self._points = code_points(characters)
        self.counts = np.zeros(len(characters), np.int64) if counts is None else counts
        if self.counts.shape != (len(characters),):
            raise VocabularyError("a vocabulary needs one count for each character")

    @classmethod
    def from_text(cls, text: str) -> "Vocabulary":
        """Build the vocabulary of a text."""
        points, counts = np.unique(code_points(text), return_counts=True)
        return cls("".join(map(chr, points.tolist())), counts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, char: object) -> bool:
        return char in self.index

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.characters == other.characters and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # holds an array

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} characters, {int(self.counts.sum())} counted)"

    @cached_property
    def index(self) -> dict[str, int]:
        """The id of each character."""
        return {char: i for i, char in enumerate(self.characters)}

    def unknown(self, text: str) -> str:
        """Return the distinct characters of the text that the vocabulary lacks, sorted."""
        return "".join(sorted(set(text) - self.index.keys()))

    def encode(self, text: str) -> Ids:
        """Return the id of each character, shape (len(text),), in the smallest type.

        Raises VocabularyError naming every character that the vocabulary lacks.
        """
        points = code_points(text)
        ids = np.searchsorted(self._points, points).clip(max=len(self) - 1)
        if not np.array_equal(self._points[ids], points):
            missing = self.unknown(text)
            listed = " ".join(f"'{escape(char)}' (U+{ord(char):04X})" for char in missing[:LISTED])
            if missing[LISTED:]:
                listed += f" and {len(missing) - LISTED} more"
            raise VocabularyError(
                f"unknown character{'s' if missing[1:] else ''}: {listed}",
                hint="'charrnn inspect-vocab' lists the known ones; "
                "'--unknown skip' leaves the others out",
            )
        return ids.astype(id_dtype(len(self)))

    def decode(self, ids: Ids | NDArray[np.integer]) -> str:
        """Return the text of an array of ids of any shape, the inverse of encode.

        Raises VocabularyError for an id out of range.
        """
        ids = np.asarray(ids).ravel()
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= len(self)):
            raise VocabularyError(f"ids must be from 0 to {len(self) - 1}")
        return bytes(self._points[ids].astype("<u4")).decode("utf-32-le")

    def one_hot(self, ids: Ids | NDArray[np.integer]) -> NDArray[np.float32]:
        """Return vectors that are 1 at the id and 0 elsewhere, shape (*ids.shape, V)."""
        return np.eye(len(self), dtype=np.float32)[np.asarray(ids)]
