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
    """A text as ids, with its vocabulary; see ``read_corpus``.

    ids          one id per character, shape (N,), in the smallest unsigned integer type
    vocabulary   the characters that occur in the text, with their counts
    sha256       hash of the bytes read, in hexadecimal
    warnings     messages about unusual content, such as NUL characters
    sources      where it was read from, as paths; "-" is standard input
    """

    ids: Ids
    vocabulary: Vocabulary
    sha256: str = ""
    warnings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def encoded_with(self, vocabulary: Vocabulary) -> "Corpus":
        """Return the same corpus with the ids of another vocabulary, which keeps its own counts.

        Raises VocabularyError if a character of the corpus is not in that vocabulary.
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
    """Read one or more text files into one array of ids.

    sources     paths, read one after the other; "-" is standard input
    encoding    encoding of the files; a byte-order mark is removed
    normalize   Unicode normalization: "NFC", "NFKC" or "none"

    Texts that need more than 64 MB of ids are kept in a temporary file. Raises CorpusError if a
    file cannot be read or decoded, if all are empty, or if the temporary file does not fit on the
    disk; ConfigError for an unknown encoding.
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
    return Corpus(ids, vocabulary, reader.sha256.hexdigest(), tuple(warnings), tuple(sources))
