"""Turns the raw text of a package into what its author wrote, with nothing around it.

Clean text is NFC with LF line ends. A paragraph of prose is one line; verse keeps its lines.
"""

import re
import unicodedata
from collections.abc import Callable

# A longer line was not wrapped by hand: it is a paragraph of its own.
LONGEST_WRAPPED = 200
# A line of verse is shorter than this.
LONGEST_VERSE = 60
# Two lines that start with capitals can be a paragraph; more are verse.
LEAST_VERSE = 3

# What no author wrote, and what takes its place, in this order.
MARKS = (
    # what follows the text: license, an editor's note after Northanger Abbey
    (r"(?is)\n\W*End of (?:The |This )?Project Gutenberg.*", ""),
    (r"(?s)\n\n\*Vide a letter from [^\n]*\s*A NOTE ON THE TEXT.*", ""),
    # the first and last line: [Emma by Jane Austen 1816], Finis
    (r"\A\s*\[[^\]\n]*\b(?:by|Bible)\b[^\]\n]*\]", ""),
    (r"(?i)\n\s*(?:\[?The End\]?|Finis\b.*)\W*\Z", ""),
    # the audience of a speech
    (r"(?i)\s*[\[(](?:Applause|Laughter)[^\])]*[\])]", ""),
    # _emphasis_
    (r"(?<!\w)_([^_\n]*(?:\n[^_\n]+)*)_(?!\w)", r"\1"),
    # control characters, invisible characters, spaces at the end of a line
    (r"[\x00-\x08\x0b-\x1f\x7f\u200b\ufeff]", ""),
    (r"\t", " "),
    (r"[ \xa0]+\n", "\n"),
    (r"\n{3,}", "\n\n"),
)


def tidy(text: str) -> str:
    """Remove frames and the marks of editors."""
    text = unicodedata.normalize("NFC", text)
    for pattern, replacement in MARKS:
        text = re.sub(pattern, replacement, text)
    return text.strip() + "\n"


def prose(text: str) -> str:
    """Join the lines of each paragraph; blocks of verse, such as letters, keep theirs."""
    blocks: list[str] = []
    for block in re.split(r"\n\s*\n", tidy(text)):
        lines = block.strip("\n").split("\n")
        if max(map(len, lines)) > LONGEST_WRAPPED:
            blocks += map(_one_line, lines)
        elif _is_verse(lines):
            blocks.append("\n".join(line.strip() for line in lines))
        else:
            blocks.append(_one_line(block))
    return "\n\n".join(filter(None, blocks)) + "\n"


def verse(text: str) -> str:
    """Keep the lines, without indentation, gaps between words and braces at the end."""
    text = re.sub(r"[ \xa0]*\}", "", text)
    return re.sub(r"\n +", "\n", re.sub(r"(?<=\S)  +", " ", tidy(text)))


def scripture(text: str) -> str:
    """Remove verse numbers, brackets and note marks where each line is one verse already."""
    text = re.sub(r"\((?:\d+[:.]\d+|\d+)\)", "", text)
    text = re.sub(r"[\[\]#*\xad>]", "", text)
    return verse(re.sub(r"(?m)^ +", "", re.sub(r"  +", " ", text)))


def bible(text: str) -> str:
    """Remove "chapter:verse"; each verse becomes a line, a blank line begins a chapter."""
    lines = [_one_line(block) for block in re.split(r"\n\n", tidy(text))]
    text = "\n".join(re.sub(r"^\d+:1 ", "\n", line) for line in lines)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\b\d+:\d+ ", "", text)).strip() + "\n"


# The functions that sources.toml names.
CLEANINGS: dict[str, Callable[[str], str]] = {
    "prose": prose,
    "verse": verse,
    "scripture": scripture,
    "bible": bible,
}


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _is_verse(lines: list[str]) -> bool:
    if len(lines) == 1:
        return False
    indented = all(line.startswith("  ") for line in lines[1:])
    capitals = all(line.strip()[:1].isupper() for line in lines)
    short = max(map(len, lines)) < LONGEST_VERSE
    return indented or (capitals and short and len(lines) >= LEAST_VERSE)
