"""From files and standard input to a compact array of ids.

A text is read once, in pieces, and encoded as it comes: no more than one piece of it is ever held
as a str. Pipes can be read, which cannot be read twice.
"""

import codecs
import hashlib
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Literal

import numpy as np

from charrnn.config import Normalization
from charrnn.errors import ConfigError, CorpusError
from charrnn.vocabulary import CODE_POINTS, Ids, Vocabulary, code_points, id_dtype

PIECE_BYTES = 1 << 22
STDIN = "-"


@dataclass(frozen=True)
class Corpus:
    """A text as ids, and what was noticed while reading it.

    ids          shape (N,), in the smallest type that holds the vocabulary
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
        return replace(self, ids=table[self.ids], vocabulary=vocabulary)


@contextmanager
def _open(source: str) -> Iterator[BinaryIO]:
    if source == STDIN:
        if sys.stdin is None:
            raise CorpusError("standard input is closed", hint="name a file, or pipe a text in")
        yield sys.stdin.buffer
        return
    try:
        with open(source, "rb") as file:  # noqa: PTH123  # Path("") would be the folder
            yield file
    except FileNotFoundError:
        raise CorpusError(
            f"{source or repr(source)}: no such file",
            hint="check the path; '-' reads standard input",
        ) from None
    except IsADirectoryError:
        raise CorpusError(
            f"{source}: is a folder, not a text", hint=f"name its files: {source.rstrip('/')}/*.txt"
        ) from None
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise CorpusError(f"{source!r}: not a valid path: {error}") from error


@dataclass
class _Reader:
    """Decodes byte streams piece by piece and says exactly where one goes wrong."""

    encoding: str = "utf-8"
    normalize: Normalization = "none"
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        try:
            " ".encode(self.encoding)  # the empty text would be encoded by any name
        except (LookupError, UnicodeError):
            raise ConfigError(
                f"unknown encoding {self.encoding!r}", hint="for example utf-8, latin-1, cp1252"
            ) from None

    def pieces(self, source: str) -> Iterator[str]:
        """Yield the text of a source, decoded and normalised, without a leading BOM."""
        decoded = self._decoded(source)
        return decoded if self.normalize == "none" else self._normalized(decoded)

    def _decoded(self, source: str) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)()
        offset = line = 0
        first = True
        with _open(source) as stream:
            while True:
                data = stream.read(PIECE_BYTES)
                self.sha256.update(data)
                try:
                    text = decoder.decode(data, final=not data)
                except UnicodeDecodeError as error:
                    carried = len(error.object) - len(data)
                    line += error.object[: error.start].count(b"\n") + 1
                    raise CorpusError(
                        f"{source}: byte {offset - carried + error.start} (line {line}) is not "
                        f"valid {self.encoding}: 0x{error.object[error.start]:02x}",
                        hint="name the file's encoding, for example --encoding cp1252",
                    ) from error
                except UnicodeError as error:  # UTF-16 without a byte order mark, for example
                    raise CorpusError(
                        f"{source}: is not valid {self.encoding}: {error}",
                        hint="name the file's encoding, for example --encoding utf-8",
                    ) from error
                offset += len(data)
                line += text.count("\n")
                if first and text:
                    text, first = text.removeprefix("\ufeff"), False
                if text:
                    yield text
                if not data:
                    return

    def _normalized(self, pieces: Iterable[str]) -> Iterator[str]:
        # Nothing combines across a line break, so whole lines can be normalised on their own.
        form: Literal["NFC", "NFKC"] = "NFKC" if self.normalize == "NFKC" else "NFC"
        held = ""
        for piece in pieces:
            lines, newline, held = (held + piece).rpartition("\n")
            if newline:
                yield unicodedata.normalize(form, lines + newline)
        if held:
            yield unicodedata.normalize(form, held)


def read_text(source: str, *, encoding: str = "utf-8", normalize: Normalization = "none") -> str:
    """Return the text of a file, or of standard input for ``-``.

    Raises CorpusError if it cannot be read or decoded, ConfigError for an unknown encoding.
    """
    return "".join(_Reader(encoding, normalize).pieces(source))


def read_corpus(
    sources: Sequence[str], *, encoding: str = "utf-8", normalize: Normalization = "none"
) -> Corpus:
    """Read one or more texts, one after the other, into ids.

    Raises CorpusError if one cannot be read or decoded or if all are empty.
    """
    reader = _Reader(encoding, normalize)
    corpus = encode_pieces(piece for source in sources for piece in reader.pieces(source))
    if not len(corpus.ids):
        raise CorpusError(
            f"{', '.join(sources)}: the corpus is empty",
            hint="give it a text of at least a few hundred characters",
        )
    warnings = []
    if len(corpus.vocabulary) == 1:
        warnings.append("the corpus repeats a single character: the model can only say that one")
    if "\0" in corpus.vocabulary:
        warnings.append("the corpus holds NUL characters: is it a text?")
    return Corpus(corpus.ids, corpus.vocabulary, reader.sha256.hexdigest(), tuple(warnings))


def encode_pieces(pieces: Iterable[str]) -> Corpus:
    """Encode pieces of text with the vocabulary that they themselves make up.

    Characters get provisional ids in order of appearance; once all are known, the ids are put in
    the order of the sorted vocabulary.
    """
    provisional = np.full(CODE_POINTS, -1, np.int32)
    seen = np.empty(0, np.uint32)
    counts = np.zeros(0, np.int64)
    encoded: list[Ids] = []
    for piece in pieces:
        points = code_points(piece)
        new = np.unique(points[provisional[points] < 0])
        provisional[new] = np.arange(len(seen), len(seen) + len(new))
        seen = np.concatenate([seen, new])
        ids = provisional[points]
        counts = np.bincount(ids, minlength=len(seen)) + np.pad(counts, (0, len(new)))
        encoded.append(ids.astype(id_dtype(len(seen))))
    if not encoded:
        return Corpus(np.empty(0, np.uint8), Vocabulary("\0"))
    order = np.argsort(seen)
    final = np.empty(len(seen), id_dtype(len(seen)))
    final[order] = np.arange(len(seen))
    vocabulary = Vocabulary("".join(map(chr, seen[order].tolist())), counts[order])
    return Corpus(np.concatenate([final[piece] for piece in encoded]), vocabulary)
