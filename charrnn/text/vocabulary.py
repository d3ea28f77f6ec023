"""The vocabulary: the distinct characters of a corpus, sorted, with their counts."""

from functools import cached_property
from itertools import pairwise
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import VocabularyError

Ids = NDArray[np.unsignedinteger]

# The most unknown characters that an error message lists; it only counts the rest.
LISTED = 50


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text, shape (len(text),).

    Raises VocabularyError if the text contains a lone surrogate, which is not a character.
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
    r"""Return the text with unprintable characters escaped (\n, \x1b, \u202e ...), safe to show."""
    shown = (it if it.isprintable() and it != "\\" else ascii(it)[1:-1] for it in text)
    return "".join(shown)


class Vocabulary:
    """A vocabulary of V characters: ``characters[i]`` has id i.

        vocabulary = Vocabulary.from_text("hello")
        vocabulary.decode(vocabulary.encode("hell"))     # "hell"

    characters   distinct characters, sorted by code point
    counts       occurrences of each in the corpus, shape (V,); None: zeros
    points       their code points, shape (V,)

    Raises VocabularyError for characters that are repeated or not sorted, if there are none, and
    for ``counts`` of another shape.
    """

    def __init__(self, characters: str, counts: NDArray[np.int64] | None = None) -> None:
        if not characters:
            raise VocabularyError("a vocabulary needs at least one character")
        if any(a >= b for a, b in pairwise(characters)):
            raise VocabularyError("the characters of a vocabulary must be distinct and sorted")
        self.characters = characters
        self.points = code_points(characters)
        self.counts = np.zeros(len(characters), np.int64) if counts is None else counts
        if self.counts.shape != (len(characters),):
            raise VocabularyError("a vocabulary needs one count for each character")

    @classmethod
    def from_text(cls, text: str) -> "Vocabulary":
        """Build the vocabulary of a text, with counts.

        Raises VocabularyError if the text is empty or contains a lone surrogate.
        """
        points, counts = np.unique(code_points(text), return_counts=True)
        return cls("".join(map(chr, points.tolist())), counts.astype(np.int64))

    def merge(self, other: "Vocabulary") -> "Vocabulary":
        """Return the characters of both, with these counts."""
        characters = "".join(sorted({*self.characters, *other.characters}))
        counts = np.zeros(len(characters), np.int64)
        merged = Vocabulary(characters, counts)
        counts[merged.encode(self.characters)] = self.counts
        return merged

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
        return f"Vocabulary(size {len(self)}, counted {int(self.counts.sum())})"

    @cached_property
    def index(self) -> dict[str, int]:
        """The id of each character."""
        return {char: i for i, char in enumerate(self.characters)}

    def in_words(self) -> NDArray[np.bool_]:
        """Return which characters words consist of: letters, marks, digits and the space, (V,)."""
        return np.array([char == " " or category(char)[0] in "LMN" for char in self.characters])

    def unknown(self, text: str) -> str:
        """Return the distinct characters of the text that are not in the vocabulary, sorted."""
        return "".join(sorted(set(text) - self.index.keys()))

    def encode(self, text: str) -> Ids:
        """Return the id of each character, shape (len(text),), in the smallest unsigned type.

        Raises VocabularyError, listing the unknown characters.
        """
        ids = encode_known(text, self)
        if (ids == len(self)).any():
            missing = self.unknown(text)
            listed = " ".join(f"'{escape(char)}' (U+{ord(char):04X})" for char in missing[:LISTED])
            if missing[LISTED:]:
                listed += f" and {len(missing) - LISTED} more"
            known = "'charrnn inspect-vocab' lists the known ones"
            raise VocabularyError(
                f"unknown character{'s' if missing[1:] else ''}: {listed}",
                hint=f"{known}; '--unknown skip' leaves the others out",
            )
        return ids.astype(id_dtype(len(self)), copy=False)

    def decode(self, ids: Ids | NDArray[np.integer]) -> str:
        """Return the text of an array of ids of any shape: the inverse of ``encode``.

        Raises VocabularyError for an id out of range.
        """
        ids = np.asarray(ids)
        if not ids.size:  # NumPy makes an empty list an array of floats
            return ""
        if int(ids.min()) < 0 or int(ids.max()) >= len(self):
            raise VocabularyError(f"ids must be from 0 to {len(self) - 1}")
        return bytes(self.points[ids].astype("<u4")).decode("utf-32-le")

    def one_hot(self, ids: Ids | NDArray[np.integer]) -> NDArray[np.float32]:
        """Return one-hot vectors in float32, 1 at the id and 0 elsewhere, (*ids.shape, V)."""
        return np.eye(len(self), dtype=np.float32)[np.asarray(ids)]


def encode_known(text: str, vocabulary: Vocabulary) -> Ids:
    """Return the id of each character, and V, one past the last id, for unknown ones."""
    points, known = code_points(text), vocabulary.points
    ids = np.searchsorted(known, points).clip(max=len(known) - 1)
    ids[known[ids] != points] = len(known)
    return ids.astype(id_dtype(len(known) + 1))


def start_ids(vocabulary: Vocabulary) -> Ids:
    """Return the default prompt: a line break, or else the most frequent character; shape (1,)."""
    first = vocabulary.index.get("\n", int(vocabulary.counts.argmax()))
    return np.array([first], np.uint32)
