"""The corpus: one or more texts as a compact array of ids."""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

import numpy as np
from numpy.typing import NDArray

from charrnn.config import FILE, DataConfig
from charrnn.errors import CorpusError
from charrnn.text.cut import cut_text, mark_ends
from charrnn.text.reading import Reader, list_texts
from charrnn.text.storage import blocks_of, store
from charrnn.text.vocabulary import Ids, Vocabulary, code_points, escape, id_dtype

STREAM = DataConfig()


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
        ids = store(table.take(block) for block in blocks_of(self.ids))
        return replace(self, ids=ids, vocabulary=vocabulary)


def read_corpus(
    sources: Sequence[str], data: DataConfig = STREAM, *, encoding: str = "utf-8"
) -> Corpus:
    r"""Read one or more texts into one array of ids.

    sources    paths, read one after the other; "-" is standard input. Of a folder, all texts in it
               are read, sorted; gzip and xz are unpacked. A line break is put between two texts if
               there is none
    data       Unicode normalization, and what separates pieces. If anything does, \r\n and \r
               become \n, and each piece ends with ``data.end``
    encoding   encoding of the files; a byte-order mark is removed

    Texts that need more than 16 MB of ids are kept in a temporary file. Raises CorpusError if a
    file cannot be read, decoded or cut, if all are empty, or if the temporary file does not fit on
    the disk; ConfigError for an unknown encoding.
    """
    reader = Reader(encoding, data.normalize, lines=data.end is not None)
    files, left_out = list_texts(sources)
    texts = ((path, reader.blocks(path)) for path in files)
    corpus = _encode(", ".join(sources), texts, data)
    warnings = (left_out, *corpus.warnings) if left_out else corpus.warnings
    sha256 = reader.sha256.hexdigest()
    return replace(corpus, sha256=sha256, sources=tuple(sources), warnings=warnings)


def corpus_of(text: str, data: DataConfig = STREAM) -> Corpus:
    """Return a text in memory as a corpus; see ``read_corpus``.

    Raises CorpusError for a text that is empty or cannot be cut, VocabularyError for one with lone
    surrogates.
    """
    sha256 = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    reader = Reader(normalize=data.normalize, lines=data.end is not None)
    return replace(_encode("the text", [("", reader.prepare([text]))], data), sha256=sha256)


def _encode(name: str, texts: Iterable[tuple[str, Iterable[str]]], data: DataConfig) -> Corpus:
    """Return texts, each with its path, as a corpus.

    Raises CorpusError if there is nothing, or nothing is separated.
    """
    if data.end in {None, "\n"}:
        blocks = _join(blocks for _, blocks in texts)
    else:
        cut = (cut_text(blocks, data, path) for path, blocks in texts)
        blocks = mark_ends(chain.from_iterable(cut), data.end or "")
    ids, vocabulary = encode_blocks(blocks)
    if not len(ids):
        hint = "give it a text of at least a few hundred characters"
        raise CorpusError(f"{name}: the corpus is empty", hint=hint)
    separator, end = data.separator or FILE, vocabulary.index.get(data.end or "")
    ends = 0 if end is None else vocabulary.counts[end]
    if separator != FILE and ends < (1 if separator == "\n" else 2):  # the last line may have none
        message = f"'{escape(separator)}' separates nothing in the text"
        hint = "leave out --lines" if separator == "\n" else "check --separator"
        raise CorpusError(message, hint=hint)
    warnings = []
    if len(vocabulary) == 1:
        warnings.append("the corpus repeats a single character: the model can only say that one")
    if "\0" in vocabulary:
        warnings.append("the corpus holds NUL characters: is it a text?")
    return Corpus(ids, vocabulary, warnings=tuple(warnings))


def _join(texts: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield texts one after the other, with a line break between those that have none there."""
    last = "\n"
    for blocks in texts:
        for number, block in enumerate(filter(None, blocks)):
            if number == 0 and last not in "\r\n":
                yield "\n"
            yield block
            last = block[-1]


def encode_blocks(blocks: Iterable[str]) -> tuple[Ids, Vocabulary]:
    """Encode blocks of text with the vocabulary of those blocks.

    Code points are stored first, in arrays of growing type, and mapped to ids at the end.
    """
    counts = np.zeros(sys.maxunicode + 1, np.int64)  # of each code point
    parts = groupby(_count_points(blocks, counts), lambda points: points.dtype)
    stored = [store(points) for _, points in parts]
    points = np.flatnonzero(counts)
    if not len(points):
        return np.empty(0, np.uint8), Vocabulary("\0")
    table: Ids = np.zeros(points[-1] + 1, id_dtype(len(points)))
    table[points] = np.arange(len(points))
    ids = store(table.take(block) for part in stored for block in blocks_of(part))
    return ids, Vocabulary("".join(map(chr, points.tolist())), counts[points])


def _count_points(blocks: Iterable[str], counts: NDArray[np.int64]) -> Iterator[Ids]:
    """Yield code points in the smallest type that holds all so far, and add to their counts."""
    size = 1
    for block in blocks:
        is_ascii = block.isascii()  # much faster
        points: Ids = np.frombuffer(block.encode(), "u1") if is_ascii else code_points(block)
        found = np.bincount(points)
        counts[: len(found)] += found
        size = max(size, len(found))
        yield points.astype(id_dtype(size), copy=False)
