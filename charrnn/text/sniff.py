"""What bytes are that do not read as text: another encoding, damaged UTF-8, or another format.

An encoding is guessed by the package chardet, in one place for all commands.
"""

import codecs
import re
import shlex
from importlib import import_module

from charrnn.errors import CorpusError

HEAD_BYTES = 4096
_GUESS_BYTES = 1 << 16

# Confidence of chardet below which its answer is not told.
_SURE = 0.2

_ZIP, _TO_TEXT = rb"PK\x03\x04.{26}", "convert it to text: pandoc -t plain -o text.txt {}"
_OFFICE = rb"(?:\[Content_Types\]|_rels/|word/|xl/|mimetypeapplication/vnd.oasis)"
# First bytes of formats that are not text: what it is, what to do. The first match counts.
_FORMATS = {
    _ZIP + rb"[^/]{1,80}(?:\.npy|/data\.pkl)|\x93NUMPY": ("a checkpoint or arrays", "name a text"),
    _ZIP + rb"mimetypeapplication/epub|\{\\rtf": ("an e-book or a document", _TO_TEXT),
    _ZIP + _OFFICE + rb"|\xd0\xcf\x11\xe0": ("an Office file", "save it as text, or as .csv"),
    rb"PK\x03\x04": ("a zip archive", "take the texts out: unzip {}"),
    rb".{257}ustar": ("a tar archive", "take the texts out: tar -xf {}"),
    rb"7z\xbc\xaf|Rar!|BZh[1-9]|\x28\xb5\x2f\xfd": ("an archive", "take the texts out: 7z x {}"),
    rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF|OggS|ID3": ("a picture or recording", "name a text"),
    rb"%PDF-": ("a PDF", "convert it to text: pdftotext {} text.txt"),
    rb"PAR1|ARROW1|SQLite format 3": ("a table or a database", "write it as .csv, for --field"),
}
_CONTROLS = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
_MAX_CONTROLS, _MIN_BYTES = 0.05, 8
# The share of lines of a damaged text in UTF-8 that are not valid; of other texts, nearly all are.
_MIXED = 0.9

# Quotation marks, dashes and dots of cp1252, often all that is not ASCII in English: chardet needs
# words.
_MARKS = b"\x85\x91\x92\x93\x94\x96\x97"


def marked_encoding(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if a byte-order mark says so."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None


def check_head(head: bytes, source: str, encoding: str) -> None:
    """Raise CorpusError if the first bytes of a file are those of no text in this encoding."""
    if encoding.startswith(("utf-16", "utf-32")):
        return
    for pattern, (what, hint) in _FORMATS.items():
        if re.match(pattern, head, re.DOTALL):
            todo = hint.format(shlex.quote(source))
            raise CorpusError(f"{source}: is {what}, not a text", hint=todo)
    head = head[:HEAD_BYTES]
    if len(head) >= _MIN_BYTES and len(_CONTROLS.findall(head)) > _MAX_CONTROLS * len(head):
        message = f"{source}: is not a text in {encoding}: it is full of control characters"
        hint = decoding_hint(head, source, encoding)
        is_wide = hint.startswith("--encoding utf")
        raise CorpusError(message, hint=hint if is_wide else "is it the right file?")


def decoding_hint(data: bytes, source: str, tried: str) -> str:
    """Return what bytes may be that cannot be decoded: damaged, or in which encoding.

    data    bytes of the text around the fault
    tried   the encoding that they are not in
    """
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    bad = sum("\ufffd" in line.decode(errors="replace") for line in lines)
    if 0 < bad < _MIXED * len(lines):
        damaged = f"damaged UTF-8, or joined with another encoding ({bad} of {len(lines)} lines)"
        command = f"iconv -c -f utf-8 -t utf-8 {shlex.quote(source)} > fixed.txt"
        return f"{damaged}; to leave out the bytes at fault: {command}"
    try:
        encoding = _guess_encoding(data)
        text = codecs.getincrementaldecoder("" if encoding == tried else encoding)().decode(data)
    except ImportError:
        return "try another --encoding; to guess it: pip install 'charrnn[doctor]'"
    except (LookupError, UnicodeError):
        return "try another --encoding; is it a text, and is it complete?"
    sample = re.search(r".{0,20}[^\0-\x7f].{0,30}", text) or re.search(".{0,50}", text)
    return f"--encoding {encoding} if this reads right: {sample[0].strip() if sample else ''}"


def _guess_encoding(data: bytes) -> str:
    """Return the encoding of a text, "" if that is in doubt. Raises ImportError without chardet."""
    if b"\0" not in data:  # lines in ASCII lower the confidence
        data = b"\n".join(line for line in data.split(b"\n") if not line.isascii()) or data
    if not data.isascii() and data.translate(None, _MARKS).isascii():
        return "cp1252"
    chardet = import_module("chardet")
    every = chardet.EncodingEra.ALL
    found = chardet.detect(data[:_GUESS_BYTES], encoding_era=every, compat_names=False)
    return found["encoding"] or "" if found["confidence"] >= _SURE else ""
