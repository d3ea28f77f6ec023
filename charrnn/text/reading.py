"""From files, folders and standard input to text: unpacked, decoded, normalized.

A text is read once and in blocks, with at most one block in memory. So pipes, which cannot be read
twice, work like files.
"""

import codecs
import errno
import gzip
import hashlib
import io
import lzma
import os
import re
import sys
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, cast

from charrnn.config import Normalization
from charrnn.errors import ConfigError, CorpusError
from charrnn.text.sniff import HEAD_BYTES, check_head, decoding_hint, marked_encoding

# Small enough for the arrays of a block to stay in the CPU cache: 166 MB/s, against 148 with 4 MB.
BLOCK_BYTES = 1 << 19

# The longest byte-order mark.
MARK_BYTES = 4

# Up to the last character that surely does not combine with one before it: Latin letters, digits
# and spaces, or Chinese. Combining characters start at U+0300.
_UP_TO_A_START = re.compile("(?s:.*)(?=[\0-\u02ff\u3400-\u9fff])")


def list_texts(sources: Sequence[str]) -> tuple[list[str], str]:
    """Return the files to read, with the texts in folders in place of the folders.

    Subfolders count, hidden files do not; within a folder, files are sorted by path. The second is
    a line about the files that are left out, or empty. Raises CorpusError for a folder without a
    text.
    """
    texts: list[str] = []
    others: list[str] = []
    for source in sources:
        if not os.path.isdir(source):  # noqa: PTH112  # which takes a name of any length
            texts.append(source)
            continue
        folder, before = Path(source), len(texts)
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden:
                (texts if _is_text(str(path)) else others).append(str(path))
        if len(texts) == before:
            found = f"none of its {len(others)} files is one" if others else "it has no files"
            raise CorpusError(f"{source}: there is no text in this folder", hint=found)
    number = f"{len(others)} file{'s' * (len(others) > 1)}"
    return texts, f"{number} left out, not a readable text: {others[0]}" if others else ""


def _is_text(path: str) -> bool:
    try:
        with open_bytes(path) as stream:
            head = stream.read(HEAD_BYTES)
        check_head(head, path, marked_encoding(head) or "utf-8")
    except CorpusError:
        return False
    return True


@contextmanager
def open_bytes(source: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``, and unpack it if it is compressed.

    Raises CorpusError, also while it is read.
    """
    try:
        if source != "-":
            with open(source, "rb") as file:  # noqa: PTH123  # Path("") is the current folder
                yield _unpack(file)
        elif sys.stdin is not None:
            yield _unpack(sys.stdin.buffer)
        else:
            raise CorpusError("standard input is closed", hint="name a file, or pipe a text in")
    except FileNotFoundError:
        hint = "check the path; '-' reads standard input"
        raise CorpusError(f"{source or repr(source)}: no such file", hint=hint) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        hint = "copy or download it again"
        raise CorpusError(f"{source}: is compressed, and damaged: {error}", hint=hint) from error
    except IsADirectoryError:
        hint = f"name its files: {source.rstrip('/')}/*.txt"
        raise CorpusError(f"{source}: is a folder, not a text", hint=hint) from None
    except OSError as error:
        is_text = error.errno == errno.ENAMETOOLONG
        hint = "a text itself goes through a pipe, or in Python to text="
        hint = hint if is_text else "check the path, and that you may read it"
        raise CorpusError(f"{source}: cannot be read: {error.strerror}", hint=hint) from error


def _unpack(stream: BinaryIO) -> BinaryIO:
    if not isinstance(stream, io.BufferedReader) or stream.isatty():  # which one Ctrl-D must end
        return stream
    head = stream.peek(6)
    if head.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.open(stream))
    return cast("BinaryIO", lzma.open(stream)) if head.startswith(b"\xfd7zXZ\0") else stream


@dataclass
class Reader:
    r"""Decodes byte streams block by block and reports the exact position of a decoding error.

    encoding    encoding of the streams
    normalize   Unicode normalization of the text
    lines       if True, every line break becomes \n
    prompt      if True, yield input as it arrives instead of waiting for a full block
    errors      what to do with bytes that are not valid: "strict", or "replace": U+FFFD each
    sha256      hash of all bytes read
    """

    encoding: str = "utf-8"
    normalize: Normalization = "none"
    lines: bool = False
    prompt: bool = False
    errors: Literal["strict", "replace"] = "strict"
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        try:
            " ".encode(self.encoding)  # encoding an empty string would not look up the name
        except (LookupError, UnicodeError):
            hint = "for example utf-8, latin-1, cp1252"
            raise ConfigError(f"unknown encoding {self.encoding!r}", hint=hint) from None

    def blocks(self, source: str) -> Iterator[str]:
        """Yield the text of a source, decoded and prepared, without a leading byte-order mark."""
        with open_bytes(source) as stream:
            yield from self.prepare(self._decode(stream, source))

    def prepare(self, blocks: Iterable[str]) -> Iterator[str]:
        r"""Yield a text normalized, and with \n for every line break if ``lines``."""
        blocks = normalize_blocks(blocks, self.normalize)
        return unify_line_breaks(blocks) if self.lines else blocks

    def _decode(self, stream: BinaryIO, source: str) -> Iterator[str]:
        at_once = self.prompt or stream.isatty()  # a full block would take a second Ctrl-D
        read = cast("io.BufferedReader", stream).read1 if at_once else stream.read
        data = read(BLOCK_BYTES)
        # A pipe may begin with less than a byte-order mark, but an answer to a line cannot wait.
        while 0 < len(data) < MARK_BYTES and b"\n" not in data and (more := read(BLOCK_BYTES)):
            data += more
        encoding = codecs.lookup(self.encoding).name
        if encoding == "utf-8":
            encoding = marked_encoding(data) or encoding
        check_head(data, source, encoding)
        decoder = codecs.getincrementaldecoder(encoding)(self.errors)
        line_breaks = io.IncrementalNewlineDecoder(None, translate=True)
        offset, line, last = 0, 1, b""
        while True:
            self.sha256.update(data)
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                at = error.start - len(error.object) + len(data)  # below 0: in the block before
                before = decoder.decode(data[: max(at, 0)])
                yield before.removeprefix("\ufeff")
                line += line_breaks.decode(before, final=True).count("\n")
                message = f"{source}: byte {offset + at} (line {line}) is not valid {encoding}: "
                message += f"0x{error.object[error.start]:02x}"
                seen = error.object if data else last  # cut off inside a character
                raise CorpusError(message, hint=decoding_hint(seen, source, encoding)) from error
            except UnicodeError as error:  # UTF-16 without a byte-order mark, for example
                message = f"{source}: is not valid {encoding}: {error}"
                raise CorpusError(message, hint=decoding_hint(data, source, encoding)) from error
            line += line_breaks.decode(text).count("\n")
            yield text if offset else text.removeprefix("\ufeff")
            if not data:
                return
            offset += len(data)
            last, data = data, read(BLOCK_BYTES)


def unify_line_breaks(blocks: Iterable[str]) -> Iterator[str]:
    r"""Yield a text with \n for every line break, which is \n, \r\n or \r, and nothing else."""
    decoder = io.IncrementalNewlineDecoder(None, translate=True)
    yield from map(decoder.decode, blocks)
    yield decoder.decode("", final=True)


def normalize_blocks(blocks: Iterable[str], form: Normalization) -> Iterator[str]:
    """Yield a text in a Unicode normalization form, whatever its blocks."""
    if form == "none":
        yield from blocks
        return
    held = ""
    for block in blocks:
        text = held + block
        before = _UP_TO_A_START.match(text)
        cut = before.end() if before else 0
        held = text[cut:]
        yield normalized(text[:cut], form)
    yield normalized(held, form)


def normalized(text: str, form: Normalization) -> str:
    """Return a text in a Unicode normalization form; "none" leaves it unchanged."""
    return text if form == "none" else unicodedata.normalize(form, text)


def read_text(source: str, *, encoding: str = "utf-8", normalize: Normalization = "none") -> str:
    """Return the text of a file as one string.

    source      path of the file; "-" is standard input
    encoding    encoding of the file; a byte-order mark is removed
    normalize   Unicode normalization: "NFC", "NFKC" or "none"

    Raises CorpusError if the file cannot be read or decoded, ConfigError for an unknown encoding.
    """
    return "".join(Reader(encoding, normalize).blocks(source))
