"""Repairs of a text, each done once, in order; by ftfy where it has them."""

import html
import re
import unicodedata
from collections.abc import Callable, Collection

from charrnn.errors import ConfigError
from charrnn.extras import require_extra

LINE_END = re.compile("\r\n|[\r\v\u2028\u2029]")
# Control characters, with the escape sequences of terminals and overstruck characters.
CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|[ -~]\x08|[\x00-\x08\x0c\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d]"
)
# White space at the end of a line, but for the two spaces that are a line break in Markdown.
TRAILING_SPACE = re.compile(r"(?<![ \t])(?!(?<=\S) {2}\n)[ \t]+(?=\n)")

# Characters of no width, between scripts that have no use for them; an emoji may need one.
_INVISIBLE = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\uffa0\ufff9-\ufffc\U000e0001-\U000e007f"
)
_WITHOUT = "\x00-\u052f\u1e00-\u206f"
INVISIBLE = re.compile(
    f"(?<![{_INVISIBLE}])(?<![^{_WITHOUT}])(?<![©®‼⁉])[{_INVISIBLE}]++(?![^{_WITHOUT}])"
)

# Spaces that look like the usual one: typesetters put some before punctuation, or after a number.
_TYPESET = "\xa0\u2009\u202f"
ODD_SPACE = re.compile(
    rf"(?<=\s)[{_TYPESET}]|[{_TYPESET}](?=\s)|(?<=[^\W\d_]{{3}})[{_TYPESET}](?=[^\W\d_])"
    "|[\u1680\u2000-\u2008\u200a\u205f]"
)
_DASHES = {"‐": "-", "‑": "-", "‒": "–", "―": "—", "﹘": "-"}
DASH = re.compile(f"[{''.join(_DASHES)}]")
LIGATURE = re.compile("[ﬀ-ﬆ]")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24}\d{0,2});")

# UTF-8 that was read as cp1252 or Latin-1: a lead byte and what its continuation reads as, only
# where no language writes it. Then cp1252 that was read as Latin-1.
_NEXT = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
MOJIBAKE = re.compile(
    f"(?<![A-ZÀ-Þ])[ÂÃ]{_NEXT}|(?<=[a-zß-ÿ])[ÄÅ]{_NEXT}|[ÄÅ]{_NEXT}(?=[a-zß-ÿ])"
    f"|â[\x80-\x88€‚„†ˆ]{_NEXT}|[âð][˜œŸ\x98\x9c\x9f]{_NEXT}|ï¸{_NEXT}"
    f"|(?:[ÐÑ]{_NEXT}){{2,}}|(?:[ÎÏ]{_NEXT}){{2,}}|(?:[ã-é]{_NEXT}{{2}}){{2,}}"
    "|[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]"
)

# Project Gutenberg's header ends with one marker, its license begins with the other. They are near
# the beginning, the end or each other if at most so many lines are between.
MARKER = re.compile(
    r"^[ \t]*(?:(?P<start>\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG|\*END\*? ?THE SMALL PRINT)"
    r"|(?:\*\*\* ?END OF TH(?:E|IS)|End of (?:the |this )?) ?Project Gutenberg).*\n?",
    re.IGNORECASE | re.MULTILINE,
)
_NEAR = 700


def fix_line_ends(text: str) -> str:
    """Return a text whose lines end with a line feed."""
    return LINE_END.sub("\n", text) if LINE_END.search(text) else text


def gutenberg_parts(text: str) -> list[tuple[int, int]]:
    """Return begin and end of Project Gutenberg's headers and licenses in a text."""
    parts = []
    begin: int | None = 0  # where a header or license may begin
    in_license = False
    for marker in MARKER.finditer(text):
        if begin is not None and text.count("\n", begin, marker.start()) > _NEAR:
            begin, in_license = None, False
        if marker["start"] is None:
            begin, in_license = begin if in_license else marker.start(), True
        elif begin is not None:
            parts.append((begin, marker.end()))
            begin, in_license = marker.end(), False
    if in_license and begin is not None and text.count("\n", begin) <= _NEAR:
        parts.append((begin, len(text)))
    return parts


def _without_gutenberg(text: str) -> str:
    parts = gutenberg_parts(text)
    if not parts:
        return text
    ends, begins = [0, *(end for _, end in parts)], [*(begin for begin, _ in parts), len(text)]
    books = (text[end:begin].strip("\n") for end, begin in zip(ends, begins, strict=True))
    return "\n".join(f"{book}\n" for book in books if book)


# Safe repairs: nothing is lost that anyone would miss. A reader sees the optional ones.
SAFE = (
    "bom", "mojibake", "line-ends", "controls", "zero-width", "normal-form", "trailing-space",
    "gutenberg",
)  # fmt: skip
OPTIONAL = ("quotes", "dashes", "spaces", "ligatures", "entities")


def _repairs() -> dict[str, Callable[[str], str]]:
    """Return all repairs, in order. Raises ConfigError if ftfy is not installed."""
    ftfy = require_extra("ftfy", "doctor")

    def decode_again(text: str) -> str:
        lines = re.findall(r".*\n|.+\Z", text)
        fixed = (ftfy.fix_encoding(line) if MOJIBAKE.search(line) else line for line in lines)
        return str(ftfy.fixes.fix_c1_controls("".join(fixed)))

    return {
        "bom": lambda text: text.replace("\ufeff", ""),
        "mojibake": decode_again,
        "line-ends": fix_line_ends,
        "controls": lambda text: CONTROL.sub("", text),
        "zero-width": lambda text: INVISIBLE.sub("", text),
        "normal-form": lambda text: unicodedata.normalize("NFC", text),
        "trailing-space": lambda text: TRAILING_SPACE.sub("", text),
        "gutenberg": _without_gutenberg,
        "quotes": ftfy.fixes.uncurl_quotes,
        "dashes": lambda text: DASH.sub(lambda dash: _DASHES[dash[0]], text),
        "spaces": lambda text: ODD_SPACE.sub(" ", text),
        "ligatures": ftfy.fixes.fix_latin_ligatures,
        "entities": lambda text: ENTITY.sub(lambda entity: html.unescape(entity[0]), text),
    }


def repair(text: str, also: Collection[str] = ()) -> tuple[str, list[str]]:
    """Return a text repaired, and the names of the repairs that changed it.

    also   names of OPTIONAL repairs to do

    Raises ConfigError for an unknown name, or if ftfy is not installed.
    """
    for name in set(also) - set(OPTIONAL):
        raise ConfigError(f"no such repair: {name!r}", hint=f"one of {', '.join(OPTIONAL)}")
    done = []
    for name, fix in _repairs().items():
        if name in {*SAFE, *also}:
            fixed = fix(text)
            done += [name] if fixed != text else []
            text = fixed
    return text, done
