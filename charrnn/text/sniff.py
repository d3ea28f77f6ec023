"""What bytes are that do not read as text: another encoding, damaged UTF-8, or another format.

An encoding is guessed by the package chardet, in one place for all commands.
"""

import codecs
import re
import shlex
from importlib import import_module

from charrnn.errors import CorpusError, DecodingError

HEAD_BYTES = 4096
_GUESS_BYTES = 1 << 16

# Confidence of chardet below which its answer is only mentioned, never put into a command.
_SURE = 0.2

_ZIP, _TO_TEXT = rb"PK\x03\x04.{26}", "convert it to text: pandoc -t plain -o text.txt {}"
_TO_CSV = "write it as a .csv file, and train on a column of it with --field"
# First bytes of formats that are not text: what it is, what to do. The first match counts.
_FORMATS = {
    _ZIP + rb"[^/]{1,80}\.npy|\x93NUMPY": ("a checkpoint or NumPy array", "name a text file"),
    _ZIP + rb"[^/]{1,80}/data\.pkl|\x80[\x02-\x05]": ("a file of PyTorch", "name a text file"),
    _ZIP + rb"mimetypeapplication/epub": ("an e-book (.epub)", _TO_TEXT),
    rb".{60}BOOKMOBI": ("an e-book (.mobi)", "convert it to text: ebook-convert {} text.txt"),
    _ZIP + rb"mimetypeapplication/vnd.oasis": ("a document (.odt)", _TO_TEXT),
    _ZIP + rb".*xl/|PAR1|ARROW1|SQLite format 3": ("a table or a database", _TO_CSV),
    _ZIP + rb"(\[Content_Types\]|word/|_rels/)": ("an Office document (.docx)", _TO_TEXT),
    rb"PK\x03\x04": ("a zip archive", "take the texts out: unzip {}"),
    rb"7z\xbc\xaf|Rar!": ("an archive", "take the texts out: 7z x {}"),
    rb".{257}ustar": ("a tar archive", "take the texts out: tar -xf {}"),
    rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF|OggS|ID3": ("a picture or recording", "name a text file"),
    rb"%PDF-": ("a PDF", "convert it to text: pdftotext {} text.txt"),
    rb"\{\\rtf": ("a document (.rtf)", _TO_TEXT),
    rb"\xd0\xcf\x11\xe0": ("an old Office document", "save it as plain text"),
    rb"BZh[1-9]1AY&SY": ("compressed by bzip2", "unpack it: bunzip2 {}"),
    rb"\x28\xb5\x2f\xfd": ("compressed by zstd", "unpack it: unzstd {}"),
    rb"\x1f\x8b|\xfd7zXZ": ("compressed twice", "unpack it once: 7z x {}"),
}
_CONTROLS = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
_MAX_CONTROLS, _MIN_BYTES = 0.05, 8
_WIDE = " UTF-16 without a mark: --encoding utf-16-le or utf-16-be"
# Halves of characters, and NUL in two bytes: what Java and JavaScript take for UTF-8.
_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]|\xc0\x80")
# The share of lines of a damaged text in UTF-8 that are not valid; of other texts, nearly all are.
_MIXED = 0.9

# Quotation marks, dashes and dots, often all that is not ASCII in English: chardet needs words.
_MARKS = {"cp1252": b"\x85\x91\x92\x93\x94\x96\x97", "mac-roman": b"\xc9\xd0\xd1\xd2\xd3\xd4\xd5"}
# What is meant by what chardet finds.
_MEANT = {"iso8859-1": "cp1252", "shift_jis_2004": "cp932", "ascii": ""}


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
    is_full = len(head) >= _MIN_BYTES and len(_CONTROLS.findall(head)) > _MAX_CONTROLS * len(head)
    if is_full or (b"\x1b$" in head and encoding == "utf-8"):
        message = f"{source}: is not {encoding}: it is full of control characters"
        error = decoding_error(message, source, head, encoding)
        if error.guess is not None and error.guess.startswith(("utf", "iso2022")):
            raise error
    if is_full:
        hint = "is it the right file?" + _WIDE * (head.count(0) > len(head) / 4)
        raise CorpusError(f"{source}: is not a text: it is full of control characters", hint=hint)


def decoding_error(message: str, source: str, data: bytes, tried: str) -> DecodingError:
    """Return the error for bytes that cannot be decoded, with a guess of their encoding.

    data    bytes of the text around the fault
    tried   the encoding that they are not in
    """
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    bad = sum("\ufffd" in line.decode(errors="replace") for line in lines)
    is_java = bad and "\ufffd" not in _HALF.sub(b"", data).decode(errors="replace")
    if is_java or 0 < bad < _MIXED * len(lines):
        hint = f"damaged UTF-8, or joined with another encoding ({bad} of {len(lines)} lines here)"
        command = f"iconv -c -f utf-8 -t utf-8 {shlex.quote(source)} > fixed.txt"
        return DecodingError(message, hint=f"{hint}; to leave out the bytes at fault: {command}")
    hint = "name the file's encoding with --encoding"
    try:
        encoding, is_sure = _guess_encoding(data)
        text = codecs.getincrementaldecoder("" if encoding == tried else encoding)().decode(data)
    except ImportError:
        hint += "; to guess it: pip install 'charrnn[doctor]'"
        return DecodingError(message, hint=hint)
    except (LookupError, UnicodeError):
        return DecodingError(message, hint="no encoding fits: is it a text, and is it complete?")
    sample = re.search(r".{0,20}[^\0-\x7f].{0,30}", text) or re.search(".{0,50}", text)
    reads = f"if this reads right: {sample[0].strip() if sample else ''}"
    if not is_sure:
        return DecodingError(message, hint=f"{hint}; perhaps {encoding}, {reads}")
    return DecodingError(message, hint=f"--encoding {encoding} {reads}", guess=encoding)


def _guess_encoding(data: bytes) -> tuple[str, bool]:
    """Return an encoding, "" if none fits, and whether it is sure.

    Raises ImportError without chardet.
    """
    if b"\0" not in data:  # lines in ASCII lower the confidence
        data = b"\n".join(line for line in data.split(b"\n") if not line.isascii()) or data
    for name, marks in _MARKS.items():
        if not data.isascii() and data.translate(None, marks).isascii():
            return name, True
    chardet = import_module("chardet")
    eras = chardet.EncodingEra.ALL & ~chardet.EncodingEra.MAINFRAME
    found = chardet.detect(data[:_GUESS_BYTES], encoding_era=eras, compat_names=False)
    name = found["encoding"] or ""
    return _MEANT.get(name, name), found["confidence"] >= _SURE
