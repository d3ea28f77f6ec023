"""The corpus: one or more texts as a compact array of ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from charrnn.config import Normalization
from charrnn.errors import CorpusError
from charrnn.text.encoding import encode_pieces, mapped
from charrnn.text.reading import PIECE_BYTES, Reader
from charrnn.text.spool import stored
from charrnn.text.vocabulary import Ids, Vocabulary


@dataclass(frozen=True)
class Corpus:
    """A text as ids, and what was noticed while reading it.

    ids          shape (N,), in the smallest type that holds them
    vocabulary   the characters that occur, with counts
    sha256       of the bytes read, in hexadecimal
    warnings     oddities that a user may want to know of
    """

    ids: Ids
    vocabulary: Vocabulary
    sha256: str = ""
    warnings: tuple[str, ...] = ()

    def encoded_with(self, vocabulary: Vocabulary) -> "Corpus":
        """Return the corpus with the ids of another vocabulary, which keeps its own counts.

        Raises VocabularyError if that lacks a character that occurs.
        """
        table = vocabulary.encode(self.vocabulary.characters)
        if np.array_equal(table, np.arange(len(table))):
            return replace(self, vocabulary=vocabulary)
        pieces = (self.ids[at : at + PIECE_BYTES] for at in range(0, len(self.ids), PIECE_BYTES))
        ids = stored((mapped(piece, table) for piece in pieces), len(self.ids), table.dtype)
        return replace(self, ids=ids, vocabulary=vocabulary)


def read_corpus(
    sources: Sequence[str], *, encoding: str = "utf-8", normalize: Normalization = "none"
) -> Corpus:
    """Read one or more texts, one after the other, into ids.

    Raises CorpusError if one cannot be read or decoded or if all are empty.
    """
    reader = Reader(encoding, normalize)
    pieces = (piece for source in sources for piece in reader.pieces(source))
    ids, vocabulary = encode_pieces(pieces)
    if not len(ids):
        raise CorpusError(
            f"{', '.join(sources)}: the corpus is empty",
            hint="give it a text of at least a few hundred characters",
        )
    warnings = []
    if len(vocabulary) == 1:
        warnings.append("the corpus repeats a single character: the model can only say that one")
    if "\0" in vocabulary:
        warnings.append("the corpus holds NUL characters: is it a text?")
    return Corpus(ids, vocabulary, reader.sha256.hexdigest(), tuple(warnings))
