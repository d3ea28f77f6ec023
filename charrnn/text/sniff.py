"""What bytes are that do not read as text: another encoding, damaged UTF-8, or another format.

The one guess of an encoding, by the package chardet, for reading errors and the doctor alike.
"""

import codecs
import re
import shlex
from importlib import import_module
from typing import NamedTuple

from charrnn.errors import CorpusError, DecodingError

HEAD_BYTES = 4096
_GUESS_BYTES = 1 << 16

# Confidence of chardet below which its answer is only mentioned, never put into a command.
_SURE = 0.2

_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

_TO_TEXT = "convert it to text: pandoc -t plain -o text.txt {}"
# First bytes of formats that are not text: pattern, what it is, what to do. The first match counts.
_FORMATS = (
    (
        rb"PK\x03\x04.{26}[^/]{1,80}\.npy|\x93NUMPY",
        "a checkpoint or NumPy array",
        "name a text file",
    ),
    (rb"PK\x03\x04.{26}mimetypeapplication/epub", "an e-book (.epub)", _TO_TEXT),
    (rb"PK\x03\x04.{26}mimetypeapplication/vnd.oasis", "a document (.odt)", _TO_TEXT),
    (rb"PK\x03\x04.{26}(\[Content_Types\]|word/|_rels/)", "an Office document (.docx)", _TO_TEXT),
    (rb"PK\x03\x04", "a zip archive", "take the texts out first: unzip {}"),
    (rb"%PDF-", "a PDF", "convert it to text: pdftotext {} text.txt"),
    (rb"BZh[1-9]1AY&SY", "compressed by bzip2", "unpack it first: bunzip2 {}"),
    (rb"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it first: unzstd {}"),
    (rb"\xd0\xcf\x11\xe0", "an old Office document", "save it as plain text"),
    (
        rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF|\x7fELF|SQLite format 3\x00",
        "binary data",
        "name a text file",
    ),
)
_CONTROLS = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
_MAX_CONTROLS, _MIN_BYTES = 0.05, 8

_DECLARED = re.compile(rb"(?:charset|encoding)[\"'=: ]{1,4}([\w.-]{3,20})", re.IGNORECASE)


class Guess(NamedTuple):
    """The encoding of some bytes.

    encoding   name that Python knows; None if nothing fits
    sure       whether it may be put into a command
    damaged    lines at fault, if it is UTF-8 except for those; otherwise 0
    """

    encoding: str | None
    sure: bool
    damaged: int = 0


def marked_encoding(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if a byte-order mark says so."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), None)


def check_head(head: bytes, source: str, encoding: str) -> None:
    """Raise CorpusError if the first bytes of a file are those of no text in this encoding."""
    if encoding.startswith(("utf-16", "utf-32")):
        return
    for pattern, what, hint in _FORMATS:
        if re.match(pattern, head, re.DOTALL):
            raise CorpusError(
                f"{source}: is {what}, not a text", hint=hint.format(shlex.quote(source))
            )
    head = head[:HEAD_BYTES]
    if wide := _unmarked_encoding(head):
        raise DecodingError(
            f"{source}: is not {encoding}: every other byte is NUL",
            hint=f"it reads as --encoding {wide}",
            guess=wide,
        )
    if len(head) >= _MIN_BYTES and len(_CONTROLS.findall(head)) > _MAX_CONTROLS * len(head):
        raise CorpusError(
            f"{source}: is not a text: it is full of control characters",
            hint="is it the right file?",
        )


def _unmarked_encoding(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if the bytes of most characters that are 0 say so."""
    least = len(head) // 4 * 0.6
    if len(head) < _MIN_BYTES:
        return None
    zeros = "".join("0" if head[at::4].count(0) >= least else "x" for at in range(4))
    names = {"x000": "utf-32-le", "000x": "utf-32-be", "x0x0": "utf-16-le", "0x0x": "utf-16-be"}
    return names.get(zeros)


def guess_encoding(data: bytes) -> Guess:
    """Return the encoding of bytes that are not UTF-8.

    In this order: UTF-8 with some damaged lines, the encoding that the text itself names, what
    chardet says. Raises ImportError if chardet is needed and not installed.
    """
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    broken = sum(not _decodes(line, "utf-8", final=True) for line in lines)
    if broken < len(lines) - broken:
        return Guess("utf-8", sure=not broken, damaged=broken)
    data = b"\n".join(lines)[:_GUESS_BYTES] if len(data) > _GUESS_BYTES else data
    if declared := _DECLARED.search(data[:HEAD_BYTES]):
        name = declared[1].decode("ascii").lower()
        name = "cp1252" if name in {"iso-8859-1", "latin-1", "latin1", "windows-1252"} else name
        if not name.startswith("utf") and _decodes(data, name):
            return Guess(name, sure=True)
    chardet = import_module("chardet")
    eras = chardet.EncodingEra.ALL & ~chardet.EncodingEra.MAINFRAME
    found = chardet.detect(data, encoding_era=eras, prefer_superset=True, compat_names=False)
    encoding = found["encoding"]
    if encoding is None or not _decodes(data, encoding):
        return Guess(None, sure=False)
    return Guess(encoding, sure=found["confidence"] >= _SURE)


def _decodes(data: bytes, encoding: str, *, final: bool = False) -> bool:
    """Return whether bytes are valid, of which the last character may be cut unless final."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(data, final=final)
    except (UnicodeError, LookupError):
        return False
    return True


def decoding_error(message: str, source: str, data: bytes) -> DecodingError:
    """Return the error for bytes that cannot be decoded, with a guess of their encoding.

    data   bytes of the text around the fault
    """
    try:
        guess = guess_encoding(data)
    except ImportError:
        hint = (
            "name the file's encoding with --encoding; to guess it: pip install 'charrnn[doctor]'"
        )
        return DecodingError(message, hint=hint)
    if guess.damaged:
        name = shlex.quote(source)
        hint = f"damaged UTF-8; to leave out the bytes at fault: iconv -c -f utf-8 -t utf-8 {name}"
    elif guess.encoding is None:
        hint = "no encoding fits: is it a text?"
    elif guess.sure:
        hint = f"--encoding {guess.encoding} if this reads right: {_sample(data, guess.encoding)}"
    else:
        hint = (
            f"name the file's encoding with --encoding; perhaps {guess.encoding}, if this reads "
            f"right: {_sample(data, guess.encoding)}"
        )
    return DecodingError(message, hint=hint, guess=guess.encoding if guess.sure else None)


def _sample(data: bytes, encoding: str) -> str:
    """Return how the first line that is not ASCII reads."""
    text = data.decode(encoding, errors="replace")
    at = next((at for at, char in enumerate(text) if char > "\x7f"), 0)
    begin = max(text.rfind("\n", 0, at) + 1, at - 20)
    return text[begin : begin + 50].strip().split("\n")[0]
