"""From files and standard input to a compact array of ids.

A text is read once, in pieces, and encoded as it comes: no more than one piece of it is ever held
as a str, and the ids of a long text lie in a file. Pipes can be read, which cannot be read twice.
"""

import codecs
import hashlib
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.config import Normalization
from charrnn.errors import ConfigError, CorpusError
from charrnn.text.vocabulary import CODE_POINTS, Ids, Vocabulary, code_points, id_dtype

if TYPE_CHECKING:
    from io import BufferedIOBase

# Small enough that what is made of a piece stays in the cache: 166 MB/s against 148 with 4 MB.
PIECE_BYTES = 1 << 19

# Ids of up to this many bytes are kept in memory, those of longer texts in a file.
IN_MEMORY = 1 << 26

BYTE = 256
STDIN = "-"


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
        ids = _stored((_mapped(piece, table) for piece in pieces), len(self.ids), table.dtype)
        return replace(self, ids=ids, vocabulary=vocabulary)


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
class Reader:
    """Decodes byte streams piece by piece and says exactly where one goes wrong.

    prompt   give what is there, instead of waiting until a piece is full
    """

    encoding: str = "utf-8"
    normalize: Normalization = "none"
    prompt: bool = False
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
        # quicker than to count them in the text
        bytewise = codecs.lookup(self.encoding).name == "utf-8"
        first = True
        with _open(source) as stream:
            while True:
                data = _read(stream, source, prompt=self.prompt)
                self.sha256.update(data)
                try:
                    text = decoder.decode(data, final=not data)
                except UnicodeDecodeError as error:
                    carried = len(error.object) - len(data)
                    line += error.object[: error.start].count(b"\n") + 1
                    if bytewise:
                        yield error.object[: error.start].decode()
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
                line += _newlines(data) if bytewise else text.count("\n")
                if first and text:
                    text, first = text.removeprefix("\ufeff"), False
                if text:
                    yield text
                if not data:
                    return

    def _normalized(self, pieces: Iterable[str]) -> Iterator[str]:
        form: Literal["NFC", "NFKC"] = "NFKC" if self.normalize == "NFKC" else "NFC"
        held = ""
        for piece in pieces:
            text = held + piece
            cut = _last_start(text)
            held = text[cut:]
            if cut:
                yield unicodedata.normalize(form, text[:cut])
        if held:
            yield unicodedata.normalize(form, held)


def _last_start(text: str) -> int:
    """Return the place of the last character that nothing before it can combine with, or 0."""
    for place in range(len(text) - 1, -1, -1):
        # Latin letters, digits, blanks; Chinese. Combining characters start at U+0300.
        if text[place] < "\u0300" or "\u3400" <= text[place] <= "\u9fff":
            return place
    return 0


def _read(stream: BinaryIO, source: str, *, prompt: bool) -> bytes:
    read = cast("BufferedIOBase", stream).read1 if prompt else stream.read
    try:
        data: bytes | None = read(PIECE_BYTES)
    except OSError as error:
        raise CorpusError(f"{source}: cannot be read: {error.strerror}") from error
    if data is None:
        raise CorpusError(
            f"{source}: nothing there yet, and it is set not to wait",
            hint="pipe the text in through cat",
        )
    return data


def _newlines(data: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def normalized(text: str, form: Normalization) -> str:
    """Return a text in a Unicode normalisation form, or as it is."""
    return text if form == "none" else unicodedata.normalize(form, text)


def read_text(source: str, *, encoding: str = "utf-8", normalize: Normalization = "none") -> str:
    """Return the text of a file, or of standard input for ``-``.

    Raises CorpusError if it cannot be read or decoded, ConfigError for an unknown encoding.
    """
    return "".join(Reader(encoding, normalize).pieces(source))


def read_lines(source: str, *, encoding: str = "utf-8") -> Iterator[list[str]]:
    """Yield the lines of a file, or of standard input for ``-``, as they come: all that are there.

    Raises CorpusError and ConfigError as ``read_text`` does, behind the last line before the fault.
    """
    begun: list[str] = []  # the pieces of a line whose end has not come yet
    for piece in Reader(encoding, prompt=True).pieces(source):
        first, *rest = piece.split("\n")
        begun.append(first)
        if rest:
            lines = ["".join(begun), *rest[:-1]]
            begun = [rest[-1]]
            yield [line.removesuffix("\r") for line in lines]
    if last := "".join(begun):
        yield [last.removesuffix("\r")]


def read_corpus(
    sources: Sequence[str], *, encoding: str = "utf-8", normalize: Normalization = "none"
) -> Corpus:
    """Read one or more texts, one after the other, into ids.

    Raises CorpusError if one cannot be read or decoded or if all are empty.
    """
    reader = Reader(encoding, normalize)
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
    encoder = _Encoder()
    with _Spool() as spool:
        for piece in pieces:
            spool.append(encoder.encode(piece))
        if not spool.length:
            return Corpus(np.empty(0, np.uint8), Vocabulary("\0"))
        order = np.argsort(encoder.seen)
        final: Ids = np.empty(len(order), id_dtype(len(order)))
        final[order] = np.arange(len(order))
        characters = "".join(map(chr, encoder.seen[order].tolist()))
        ids = _stored(
            (_mapped(piece, final) for piece in spool.pieces()), spool.length, final.dtype
        )
    return Corpus(ids, Vocabulary(characters, encoder.counts[order]))


class _Encoder:
    """Gives characters provisional ids, in order of appearance, and counts them.

    seen     code points, by id
    counts   occurrences, by id
    """

    def __init__(self) -> None:
        self.seen = np.empty(0, np.uint32)
        self.counts = np.zeros(0, np.int64)
        self._ids = np.full(CODE_POINTS, -1, np.int32)

    def encode(self, piece: str) -> Ids:
        """Return the ids of a piece in the smallest type that holds those known so far."""
        if piece.isascii():
            points = np.frombuffer(piece.encode("ascii"), np.uint8)
            counts = _count(points, BYTE)
            present = np.flatnonzero(counts)
            self._learn(present)
            self.counts[self._ids[present]] += counts[present]
            table: Ids = np.maximum(self._ids[:BYTE], 0).astype(id_dtype(len(self.seen)))
            return _mapped(points, table)
        wide = code_points(piece)
        found = self._ids.take(wide)
        if found.min() < 0:
            self._learn(np.unique(wide[found < 0]))
            found = self._ids.take(wide)
        ids: Ids = found.astype(id_dtype(len(self.seen)))
        self.counts += _count(ids, len(self.seen))
        return ids

    def _learn(self, points: NDArray[np.integer[Any]]) -> None:
        """Give ids to those of these code points that have none."""
        new = points[self._ids[points] < 0]
        self._ids[new] = np.arange(len(self.seen), len(self.seen) + len(new))
        self.seen = np.concatenate([self.seen, new.astype(np.uint32)])
        self.counts = np.pad(self.counts, (0, len(new)))


def _count(ids: Ids, size: int) -> NDArray[np.int64]:
    """Return how often each of the ids 0 to size - 1 occurs."""
    if ids.dtype != np.uint8:
        return np.bincount(ids, minlength=size)
    # In pairs, which halves the work: one byte of a pair is its row, the other its column.
    even = ids[: len(ids) // 2 * 2]
    pairs = np.bincount(even.view(np.uint16), minlength=BYTE**2).reshape(BYTE, BYTE)
    counts: NDArray[np.int64] = pairs.sum(axis=0) + pairs.sum(axis=1)
    counts[ids[len(even) :]] += 1
    return counts[:size]


def _mapped(ids: Ids, table: Ids) -> Ids:
    """Return table[ids]."""
    if ids.dtype == table.dtype == np.uint8:  # bytes can do that several times quicker
        whole = np.zeros(BYTE, np.uint8)
        whole[: len(table)] = table
        return np.frombuffer(ids.tobytes().translate(whole.tobytes()), np.uint8)
    return table[ids]


class _Spool:
    """Arrays put by, to be read back in order: in memory while small, then in a file.

    The file has no name, so nothing is left of it however the program ends.
    """

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


def _stored(pieces: Iterable[Ids], length: int, dtype: DTypeLike) -> Ids:
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
