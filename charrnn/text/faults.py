"""The table of faults that a text may have: how each is found, and how it is repaired.

All of it is linear in the length of the text. Repairs that are always made keep its lines.
"""

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from unicodedata import is_normalized, normalize

from charrnn.errors import ConfigError
from charrnn.extras import require_extra
from charrnn.text import form
from charrnn.text.form import Find, Place, form_of

Level = Literal["fault", "note"]

MIN_CHARS = 1000
# How hints begin that name options of charrnn train.
TRAIN = "train with "
# Lines of prose or verse that occur twice by chance are shorter.
_LONG_LINE = 60
# Project Gutenberg's header and license are at most this long, in characters.
_MAX_BOILERPLATE = 25_000


@dataclass(frozen=True)
class Fault:
    """A row of the table.

    name    of the fault and of its repair
    find    yields places in a text; the text itself if it is the fault of the whole
    what    the message
    fix     what to put there instead, or a function of what is there; None: repaired by hand
    where   yields the places to repair, if they are not those found
    safe    True: always repaired, because no reader would miss what is lost
    hint    what to do by hand; {} stands for what is there, quoted for a shell
    level   "fault": training suffers from it; "note": worth knowing
    """

    name: str
    what: str
    find: Find
    fix: str | Callable[[str], str] | None = None
    where: Find | None = None
    safe: bool = False
    hint: str = ""
    level: Level = "fault"

    def repair(self, text: str) -> str:
        """Return a text without this fault. Raises ConfigError if ftfy is needed and missing."""
        parts: list[str] = []
        end = 0
        for at, old in (self.where or self.find)(text):
            new = self.fix(old) if callable(self.fix) else self.fix or ""
            parts += [text[end:at], new]
            end = at + len(old)
        return "".join([*parts, text[end:]])


def _all(pattern: str, flags: int = 0) -> Find:
    compiled = re.compile(pattern, flags)
    return lambda text: ((match.start(), match[0]) for match in compiled.finditer(text))


_find_lines = _all(".+")


def _if(test: Callable[[str], object]) -> Find:
    """Return what finds a whole text of which something is true."""
    return lambda text: [(0, text)] if test(text) else []


def _fewer(one: str, other: str) -> Find:
    """Return what finds the rarer of two ways to write one thing."""
    ways = _all(one), _all(other)
    return lambda text: min((list(find(text)) for find in ways), key=len)


# Project Gutenberg's header ends with the one marker, the license begins with the other.
_MARKER = re.compile(
    r"^[ \t]*(?:(?P<start>\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG|\*END\*? ?THE SMALL PRINT)"
    r"|(?:\*\*\* ?END OF TH(?:E|IS)|End of (?:the |this )?) ?Project Gutenberg).*\n?",
    re.IGNORECASE | re.MULTILINE,
)


def _find_boilerplate(text: str) -> Iterator[Place]:
    begin: int | None = 0  # where a header or license may begin
    for marker in _MARKER.finditer(text):
        if marker["start"]:
            if begin is not None and marker.end() - begin <= _MAX_BOILERPLATE:
                yield begin, text[begin : marker.end()]
            begin = None
        elif not begin or marker.start() - begin > _MAX_BOILERPLATE:
            begin = marker.start()
    if begin and len(text) - begin <= _MAX_BOILERPLATE:
        yield begin, text[begin:]


# UTF-8 that was read as cp1252 or Latin-1: a lead byte and what its continuation reads as, only
# where no language writes it. Then as Mac Roman or cp1251, and cp1252 read as Latin-1.
_NEXT = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
_MOJIBAKE = (
    f"(?<![A-ZÀ-Þ])[ÂÃ]{_NEXT}|(?<=[a-zß-ÿ])[ÄÅ]{_NEXT}|[ÄÅ]{_NEXT}(?=[a-zß-ÿ])"
    f"|â[\x80-\x88€‚„†ˆ]{_NEXT}|[âð][˜œŸ\x98\x9c\x9f]{_NEXT}|ï¸{_NEXT}"
    f"|(?:[ÐÑ]{_NEXT}){{2,}}|(?:[ÎÏ]{_NEXT}){{2,}}|(?:[ã-é]{_NEXT}{{2}}){{2,}}"
    "|‚Ä[ìíîôúù¶]|(?<=[a-z])√[©®†ß°±º¶¢]|√[©®†ß°±º¶¢](?=[a-z])"
    "|вЂ[“”™¦њќ]|(?:[РС][\xa0-\xbfЂЃѓЉЊЌЋЏђљњќћџЎўЈҐЄЇІіґєјЅѕї№‚„…†‡€‰‹‘’“”•–—™›]){3,}"
    "|[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]"
)


def _decode_again(line: str) -> str:
    if not re.search(_MOJIBAKE, line):
        return line
    ftfy = require_extra("ftfy", "doctor")
    return str(ftfy.fixes.fix_c1_controls(ftfy.fix_encoding(line)))


def _find_mojibake(text: str) -> Iterator[Place]:
    """Find what ftfy decodes again, if it is installed."""
    with suppress(ConfigError):
        for start, line in _find_lines(text):
            if _decode_again(line) != line:
                yield from ((start + at, old) for at, old in _all(_MOJIBAKE)(line))


# Marks of direction, which texts with right-to-left letters need, and characters of no width
# between scripts that have no use for them; an emoji may need one.
_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = (
    f"{_DIRECTION}\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\uffa0\ufff9-\ufffc\U000e0001-\U000e007f"
)
_LATIN_CYRILLIC = "\x00-\u052f\u1e00-\u206f"
_find_invisible = _all(
    f"(?<![{_INVISIBLE}])(?<![^{_LATIN_CYRILLIC}])(?<![©®‼⁉])[{_INVISIBLE}]++"
    f"(?![^{_LATIN_CYRILLIC}])"
)


def _find_zero_width(text: str) -> list[Place]:
    needed = f"[{_DIRECTION}]+" if re.search("[א-ת\u0620-\u064a]", text) else "(?!)"
    return [place for place in _find_invisible(text) if not re.fullmatch(needed, place[1])]


_PAGE = re.compile(
    r"^[ \t]*(?P<sure>[-–—\[(] ?\d{1,4} ?[])—–-]|(?i:page|p\.|seite) ?\d{1,4}(?: of \d+)?)[ \t]*\n"
    r"|(?P<inside>(?<=[^\W\d_A-Z]\n)|(?<=,\n))\s*\d{1,4}[ \t]*\n\s*(?=[^\W\d_A-Z])"
    r"|^[ \t]*\d{1,4}[ \t]*\n",
    re.MULTILINE,
)


def _find_page_numbers(text: str) -> list[Place]:
    """Find numbers on lines of their own, if most are marked or interrupt sentences."""
    pages = list(_PAGE.finditer(text))
    sure = sum(page["sure"] is not None or page["inside"] is not None for page in pages)
    return [(page.start(), page[0]) for page in pages] if sure >= max(3, len(pages) / 2) else []


def _find_divided_words(text: str) -> list[Place]:
    """Find hyphens at line ends, if they are more than those of compounds can be."""
    found = list(_all(r"(?<=[^\W\d_]{2})-\n(?=[a-zß-ÿа-я]{2})")(text))
    return found if len(found) >= max(3, 0.03 * text.count("\n")) else []


def _find_copies(text: str) -> list[Place]:
    """Find lines that occurred before: any of a list, long ones elsewhere, or any if most are."""
    any_line = form.has_mostly_copies(text) or form_of(text) == "list"
    seen: set[str] = set()
    copies = []
    for at, line in _all(r"^[^\w\n]*\w.*\n?", re.MULTILINE)(text):
        entry = line.strip()
        if any_line or len(entry) >= _LONG_LINE:
            copies += [(at, line)] if entry in seen else []
            seen.add(entry)
    return copies if any_line or sum(len(line) for _, line in copies) >= 0.02 * len(text) else []


def _find_records(text: str) -> Iterable[Place]:
    field = form.find_field(text)
    return ((at, field) for at, _ in _find_lines(text)) if field else ()


def _find_separators(text: str) -> Iterable[Place]:
    separator = form.find_separator(text)
    return _all(re.escape(separator))(text) if separator else ()


def _unescape(old: str) -> str:
    if old.startswith("\\"):
        halves = str(json.loads(f'"{old}"')).encode("utf-16", "surrogatepass")
        return halves.decode("utf-16", errors="replace")
    return bytes.fromhex(re.sub("[=%]", "", old)).decode(errors="replace")


# Not part of a line, and no option of a command.
_TWO_HYPHENS = r"(?<![-\n])(?!(?<=[\s`(\[])--\w)--(?![-\n])"
_TYPESET = "\xa0\u2009\u202f"  # before punctuation, or after a number
_PRONOUN = "[Ii]t|[Hh]e|[Ss]he|[Tt]hat|[Ww]hat|I|[Ww]e|[Yy]ou|[Tt]hey|[Ll]et|[Tt]here"
# Cyrillic letters that look like Latin ones, these, and Greek ones that do.
_CYRILLIC, _LATIN = "аеорсухіјѕһАВЕКМНОРСТХУІЅЈ", "aeopcyxijshABEKMHOPCTXYISJ"
_GREEK = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο"
_TAG = (
    r"</?(?:a|b|body|br|code|div|em|font|h[1-6]|head|hr|html|i|img|li|meta|[ou]l|p|pre|script|span"
    r"|strong|style|su[bp]|t[dhr]|table|title|u)(?:\s[^<>]{0,500})?/?>"
)
# UTF-8 in quoted-printable or in URLs, and the escapes of JSON, but for those that it needs.
_ESCAPE = (
    r"(?:=[C-F][\dA-F](?:=[89AB][\dA-F]){1,3})+|(?:%[C-Fc-f][\da-fA-F](?:%[89ABab][\da-fA-F]){1,3})+"
    r"|(?:(?<!\\)\\u(?!00[0-7])[\da-fA-F]{4})+"
)

FAULTS = (
    # The first two come first: others look at lines, and not at the header.
    Fault("line-ends", "line ends other than LF", _all("\r?\r\n|[\r\v\u2028\u2029]"), "\n",
          safe=True),
    Fault("gutenberg", "Project Gutenberg's header or license", _find_boilerplate,
          lambda old: "\n" * old.count("\n"), safe=True),  # so that lines keep their numbers
    Fault("bom", "byte-order marks inside the text", _all("\ufeff"), "", safe=True),
    Fault("mojibake", "characters decoded wrongly before the file was written", _find_mojibake,
          _decode_again, _find_lines, safe=True),
    # With the escape sequences of terminals and overstruck characters.
    Fault("controls", "control characters",
          _all(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)|\x1b[()]."
               r"|[ -~]\x08|[\x00-\x08\x0c\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d]"), "", safe=True),
    Fault("zero-width", "invisible characters", _find_zero_width,
          lambda old: " " * bool({*old} & {*"\u2800\u3164\uffa0"}), safe=True),  # wide ones
    Fault("normal-form", "lines with decomposed characters (é as e and an accent)",
          lambda text: (it for it in _find_lines(text) if not is_normalized("NFC", it[1])),
          lambda old: normalize("NFC", old), safe=True),
    # But for the two spaces that are a line break in Markdown.
    Fault("trailing-space", "lines with white space at the end",
          _all(r"(?<![ \t])(?!(?<=\S) {2}\n)[ \t]+(?=\n)"), "", safe=True),

    Fault("quotes", "curly and straight quotation marks mixed", _fewer("[“”„‟]", '"'), '"',
          _all("[“”„‟]")),
    Fault("apostrophes", "curly and straight apostrophes mixed",
          _fewer(r"(?<=[^\W\d_])’(?=[^\W\d_])", r"(?<=[^\W\d_])'(?=[^\W\d_])"), "'", _all("[‘’‛]")),
    Fault("long-dashes", "long dashes written as — and --", _fewer("—", _TWO_HYPHENS), "—",
          _all(_TWO_HYPHENS)),
    Fault("dashes", "dashes easily taken for another", _all("[‐‑‒―﹘]"),
          lambda old: {"‒": "–", "―": "—"}.get(old, "-")),
    Fault("spaces", "spaces that are not the usual one",
          _all(rf"(?<=\s)[{_TYPESET}]|[{_TYPESET}](?=\s)|(?<=[^\W\d_]{{3}})[{_TYPESET}](?=[^\W\d_])"
               "|[\u1680\u2000-\u2008\u200a\u205f]|(?<=[A-Za-z.,;:!?])\u3000"), " "),
    Fault("ligatures", "ligatures, or letters of a style", _all("[ﬀ-ﬆ\U0001d400-\U0001d7ff]+"),
          lambda old: normalize("NFKC", old)),
    Fault("escapes", r"characters written as =C3=A9, %C3%A9 or \u00e9", _all(_ESCAPE), _unescape),
    Fault("html-tags", "HTML tags", _all(_TAG, re.IGNORECASE), ""),
    Fault("html-entities", "HTML entities",
          _all(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24}\d{0,2});"), html.unescape),
    Fault("urls", "URLs", _all(r"https?://[^\s<>\"]+|\bwww\.[\w-]+\.[^\s<>\"]+"), "", level="note"),
    Fault("page-numbers", "page numbers", _find_page_numbers, ""),
    Fault("hyphenation", "words divided at line ends", _find_divided_words, ""),
    Fault("duplicate-lines", "copies of earlier lines, which measure nothing when held out",
          _find_copies, ""),
    Fault("wrapped", "line breaks inside sentences, as the model will write them",
          lambda text: form.find_wraps(text) if form_of(text) == "prose" else (), " ",
          level="note"),

    # Found in what the repair above has left.
    Fault("mojibake", "characters decoded wrongly before the file was written", _all(_MOJIBAKE),
          hint="decode the original again; some can be repaired: pip install 'charrnn[doctor]'"),
    Fault("swapped-quotes", "letters such as ì í î where quotation marks belong",
          _all(rf"n[íÕ]t\b|\b(?:{_PRONOUN})[íÕ](?:s|t|m|d|re|ve|ll)\b"
               r"|(?<!\w)[ìÒ](?=[A-Za-z])[^ìîÒÓ\n]{1,300}[.,!?\w][îÓ](?!\w)"),
          hint="decode the original again: cp1252 and mac-roman were mistaken for each other"),
    Fault("lost-characters", "characters lost in decoding", _all("\ufffd"),
          hint="decode the original again"),
    Fault("private-characters", "characters without a standard meaning",
          _all("[\ue000-\uf8ff\U000f0000-\U0010fffd]"), hint="symbols of a font: replace them"),
    Fault("look-alikes", "Latin, Cyrillic or Greek letters that look alike in one word",
          _all(f"[A-Za-z][{_CYRILLIC}{_GREEK}]|[{_CYRILLIC}{_GREEK}][A-Za-z]"
               f"|[{_LATIN}][\u0400-\u052f]|[\u0400-\u052f][{_LATIN}]"),
          hint="type the word again"),
    Fault("gutenberg-inside", "Project Gutenberg's markers inside the text",
          lambda text: ((marker.start(), marker[0]) for marker in _MARKER.finditer(text)),
          hint="remove by hand what is not the book"),
    Fault("empty", "nothing but white space", _if(lambda text: not text.strip()),
          hint="is it the right file?"),
    Fault("one-character", "one character, again and again",
          _if(lambda text: len(set(text)) == 1 and text.strip()), hint="is it the right file?"),
    Fault("too-small", f"less than {MIN_CHARS:,} characters: 20,000 are a start, 200,000 plenty",
          _if(lambda text: 0 < len(text.strip()) < MIN_CHARS), hint="add more text of this kind"),
    Fault("web-page", "a web page", _if(re.compile(r"\s*<(?i:!doctype )?(?i:html)\b").match),
          hint="convert it to text: pandoc -f html -t plain FILE > text.txt", level="note"),
    Fault("lines", "each line can be an example of its own",
          _if(lambda text: form_of(text) in form.OF_LINES), hint=f"{TRAIN}--lines", level="note"),
    Fault("records", "records, of which a field can be an example of its own", _find_records,
          hint=TRAIN + "--field {}", level="note"),
    Fault("pieces", "separators of short pieces, of which each can be an example of its own",
          _find_separators, hint=TRAIN + "--separator {}", level="note"),
)  # fmt: skip

# Repairs that --fix always makes, and those that --also names.
SAFE = tuple(fault.name for fault in FAULTS if fault.safe)
OPTIONAL = tuple(fault.name for fault in FAULTS if fault.fix is not None and not fault.safe)
