"""The table of faults that a text may have: how each is found, and how it is repaired.

All of it is linear in the length of the text. Repairs that are always made keep its lines.
"""

import html
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from unicodedata import is_normalized, normalize

from charrnn.errors import ConfigError
from charrnn.extras import require_extra
from charrnn.text.form import Span, find_separator, find_wraps, form_of

Level = Literal["fault", "note"]
Find = Callable[[str], Iterable[Span]]

# Lines of prose or verse that occur twice by chance are shorter.
_LONG_LINE = 60


@dataclass(frozen=True)
class Fault:
    """A row of the table.

    name     of the fault and of its repair
    what     the message
    find     yields what is at fault
    fix      what to put there instead, or a function of what is there; None: repaired by hand
    safe     True: always repaired, because no reader would miss what is lost
    beside   it is a fault only where this pattern occurs too, such as the other way to write it
    share    it is a fault only if it occurs more often than this, per line
    hint     what to do by hand
    level    "fault": training suffers from it; "note": worth knowing
    """

    name: str
    what: str
    find: Find
    fix: str | Callable[[str], str] | None = None
    safe: bool = False
    beside: str = ""
    share: float = 0.0
    hint: str = ""
    level: Level = "fault"

    @property
    def options(self) -> str:
        """The options of ``charrnn doctor`` that repair it; empty: it is done by hand."""
        by_name = f"--fix --also {self.name}" if self.fix is not None else ""
        return "--fix" if self.safe else by_name

    def repair(self, text: str) -> str:
        """Return a text without this fault. Raises ConfigError if ftfy is needed and missing."""
        parts: list[str] = []
        end = 0
        for at, old in self.find(text):
            new = self.fix(old) if callable(self.fix) else self.fix or ""
            parts += [text[end:at], new]
            end = at + len(old)
        return "".join([*parts, text[end:]])


def _all(pattern: str) -> Find:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda text: ((match.start(), match[0]) for match in compiled.finditer(text))


# Project Gutenberg's header ends with the one marker, the license begins with the other.
_START = re.compile(
    r"(?im)^[ \t]*\*(?:\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG|END\*? ?THE SMALL PRINT).*\n?|\Z"
)
_END = re.compile(r"(?im)^[ \t]*(?:\*\*\* ?END OF|End of|Ende|Fin)(?: \w+){,2} Project Gutenberg")
_MAX_LICENSE = 25_000  # characters; a header is shorter


def _find_gutenberg(text: str) -> Iterable[Span]:
    """Find the header, and each license up to the end or, of books joined, the next header's."""
    at = 0
    for start in _START.finditer(text):  # or the end of the text
        near = max(at, start.start() - _MAX_LICENSE)
        end = _END.search(text, near, start.start())
        begin = end.start() if end else near
        if end or (start[0] and begin == 0):
            yield begin, text[begin : start.end()]
        at = start.end()


# What no language writes: UTF-8 that was read as cp1252 or Latin-1 (a lead byte and what its
# continuation reads as), as cp1251, as Mac Roman or cp437; then cp1252 that was read as Latin-1.
_NEXT = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
_MOJIBAKE = re.compile(
    f"(?<![A-ZÀ-Þ])(?:[ÂÃ]{_NEXT}|Ã )|Ã[\xa1-\xaa\xac-\xba\xbc-\xbf]|(?<=[.,;:!?])Â "
    f"|(?<=[a-zß-ÿ])[ÄÅ]{_NEXT}|[ÄÅ]{_NEXT}(?=[a-zß-ÿ])"
    f"|â[\x80-\x88€‚„†ˆ]{_NEXT}|[âð][˜œŸ\x98\x9c\x9f]{_NEXT}|ï¸{_NEXT}"
    f"|(?:[Ì-Û]{_NEXT}){{2,}}|(?:[à-ï]{_NEXT}{{2}}){{2,}}"
    f"|(?:[РС](?:{_NEXT}|[Ё-Џё-џҐґ№])){{2,}}|√[©®†´ßªº≠≥¥§±°∫∂]|‚Ä[ìîòôúù¶]|├[⌐¿¬º]"
    "|[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]"
)


def _decode_again(old: str) -> str:
    ftfy = require_extra("ftfy", "doctor")
    return str(ftfy.fix_encoding(old))


def _find_mojibake(text: str) -> list[Span]:
    """Find ends of lines, from a character on that is not ASCII, which ftfy decodes again."""
    ends = _all("[^\0-\x7f].*")(text)
    found = [(at, old) for at, old in ends if _MOJIBAKE.search(text, at, at + len(old))]
    with suppress(ConfigError):  # ftfy is not installed
        return [(at, old) for at, old in found if _decode_again(old) != old]
    return found


# Marks of direction and characters of no width, between scripts that have no use for them; an
# emoji may need one.
_INVISIBLE = "\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufffc"
_SCRIPTS = "\x00-\u052f\u1e00-\u206f\u3000-\u302f\u3040-\u30ff\u3400-\u9fff\uff00-\uffef"
_find_invisible = _all(
    f"(?<![{_INVISIBLE}])(?<![^{_SCRIPTS}])(?<![©®‼⁉])[{_INVISIBLE}]++(?![^{_SCRIPTS}])"
)
_RIGHT_TO_LEFT = re.compile("[א-ת\u0620-\u064a]")  # such texts need them


def _find_copies(text: str) -> list[Span]:
    """Find lines that occurred before: any of a list, none of verse, long ones elsewhere."""
    any_line = form_of(text) == "list"
    if not any_line and find_separator(text, least=2):
        return []
    seen: set[str] = set()
    copies = []
    for at, line in _all(r"^[^\w\n]*\w.*\n?")(text):
        entry = line.strip()
        if any_line or len(entry) >= _LONG_LINE:
            copies += [(at, line)] if entry in seen else []
            seen.add(entry)
    return copies if any_line or sum(len(line) for _, line in copies) >= 0.02 * len(text) else []


def _find_copied_pieces(text: str) -> Iterable[Span]:
    """Find pieces that occurred before, each with what separates it from the next one."""
    if (separator := find_separator(text)) is None:
        return
    seen: set[str] = set()
    for at, old in _all(rf"(?s).+?(?:{re.escape(separator)}\n*|\Z)")(text):
        piece = old.strip(separator)
        if piece in seen:
            yield at, old
        seen.add(piece)


_LETTER = r"[^\W\d_]"
# Not part of a line, an arrow, or a comment of HTML, and no option of a command.
_TWO_HYPHENS = r"(?<![-\n])(?<!<!)(?!(?<=[\s`(\[])--\w)--(?![-\n>])"
_TYPESET = "[\xa0\u2009\u202f]"  # before punctuation, or after a number
_PAGE = (
    r"^[ \t]*(?:[-–—\[(] ?(?:Pg )?\d{1,4} ?[])—–-]|(?i:page) \d{1,4}(?: of \d{1,4})?)[ \t]*\n"
    r"|(?<=[a-zß-ÿ,]\n)\s*\d{1,4}[ \t]*\n\s*(?=[a-zß-ÿ])"
)
_TAG = (
    r"(?i)</?(?:a|article|b|blockquote|body|br|button|code|div|em|font|footer|h[1-6]|head|header|hr|html"
    r"|i|img|li|main|meta|nav|[ou]l|p|pre|script|section|span|strong|style|su[bp]|t[dhr]|table|title"
    r"|u)(?:\s[^<>]{0,500})?/?>|<!(?:--|doctype)[^<>]{0,500}>"
)

FAULTS = (
    # The first two come first: others look at lines, and not at the header.
    Fault("line-ends", "line ends other than LF", _all("\r?\r\n|[\r\v\u2028\u2029]"), "\n",
          safe=True),
    Fault("gutenberg", "Project Gutenberg's header or license", _find_gutenberg,
          lambda old: "\n" * old.count("\n"), safe=True),  # so that lines keep their numbers
    Fault("bom", "byte-order marks inside the text", _all("\ufeff"), safe=True),
    Fault("mojibake", "lines with characters decoded wrongly before the file was written",
          _find_mojibake, _decode_again, safe=True),
    # With the escape sequences of terminals and overstruck characters.
    Fault("controls", "control characters",
          _all(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)"
               r"|\x1b[()].|[ -~]\x08"
               r"|[\x00-\x08\x0c\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d\ufff9-\ufffb]"), safe=True),
    Fault("zero-width", "invisible characters",
          lambda text: () if _RIGHT_TO_LEFT.search(text) else _find_invisible(text), safe=True),
    Fault("normal-form", "lines with decomposed characters (é as e and an accent)",
          lambda text: (it for it in _all(".+")(text) if not is_normalized("NFC", it[1])),
          lambda old: normalize("NFC", old), safe=True),
    # But for the two spaces that are a line break in Markdown.
    Fault("trailing-space", "lines with white space at the end",
          _all(r"(?<![ \t])(?!(?<=\S) {2}\n)[ \t]+(?=\n)"), safe=True),

    Fault("quotes", "curly quotation marks, beside straight ones", _all("[“”„‟]"), '"', beside='"'),
    Fault("apostrophes", "curly apostrophes, beside straight ones", _all("[‘’‛]"), "'",
          beside=f"{_LETTER}'{_LETTER}"),
    Fault("dashes", "dashes written as --, beside —", _all(_TWO_HYPHENS), "—", beside="—"),
    Fault("spaces", "spaces that are not the usual one",
          _all(rf"(?<=\s){_TYPESET}|{_TYPESET}(?=\s)|(?<={_LETTER}{{3}}){_TYPESET}(?={_LETTER})"
               "|[\u2000-\u2008\u200a\u205f]"), " "),
    Fault("ligatures", "ligatures, or letters of a style",
          _all("[ﬀ-ﬆ\ufe80-\ufefc\U0001d400-\U0001d7ff]+"),
          lambda old: normalize("NFKC", old)),
    Fault("html-tags", "HTML tags", _all(_TAG), ""),
    Fault("html-entities", "HTML entities",
          _all(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24}\d{0,2});"), html.unescape),
    Fault("urls", "URLs", _all(r"https?://[^\s<>\"]+|\bwww\.[\w-]+\.[^\s<>\"]+"), "", level="note"),
    Fault("page-numbers", "page numbers", _all(_PAGE), "", share=0.005),
    # More than the hyphens of compounds can be.
    Fault("hyphenation", "words divided at line ends",
          _all(rf"(?<={_LETTER}{{2}})[-‐¬]\n(?=[a-zß-ÿα-ωа-я]{{2}})"), "", share=0.02),
    Fault("duplicate-lines", "copies of earlier lines, which measure nothing when held out",
          _find_copies, ""),
    Fault("duplicate-pieces", "copies of earlier pieces, or refrains",
          _find_copied_pieces, "", level="note"),
    Fault("wrapped", "line breaks inside sentences, as the model will write them",
          lambda text: find_wraps(text) if form_of(text) == "prose" else (), " ", level="note"),

    # With letters of another alphabet that were read as Latin-1.
    Fault("lost-characters", "characters lost in decoding, or of a symbol font",
          _all("[\ufffd\ue000-\uf8ff\U000f0000-\U0010fffd]|[À-ÖØ-öø-ÿ]{4} [À-ÖØ-öø-ÿ]{4}"),
          hint="convert the original again"),
    Fault("mixed-scripts", "Latin and Cyrillic letters in one word",
          _all("[A-Za-z][\u0400-\u052f]|[\u0400-\u052f][A-Za-z]"),
          hint="type the words again in which one letter looks like another"),
)  # fmt: skip

# Repairs that --fix always makes, and those that --also names.
SAFE = tuple(fault.name for fault in FAULTS if fault.safe)
OPTIONAL = tuple(fault.name for fault in FAULTS if fault.fix is not None and not fault.safe)
