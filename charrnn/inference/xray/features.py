r"""What a unit may keep track of: functions from a text to a label for each character.

The label of a character is what is known after reading it: behind an opening bracket one is inside,
behind the closing one no longer. A label is a small integer from 0; the functions return one for
each character, as bytes.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

DEEPEST = 3
TAB = 4

# Quotations, alternatives tried in this order: triple quotes of Python; pairs of quotation marks,
# which an empty line ends; an apostrophe that opens before a letter and closes behind one, on one
# line.
_QUOTES = re.compile(
    r"\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"
    r'"(?:\\.|[^"\\\n]|\n(?!\n))*"|“(?:[^“”\n]|\n(?!\n))*”|„(?:[^„“”\n]|\n(?!\n))*[“”]|'
    r"«(?:[^«»\n]|\n(?!\n))*»|「[^「」]*」|"
    r"(?<!\w)'(?:\\.|[^'\\\n]|(?<=\w)'(?=\w))+'(?!\w)|(?<!\w)‘(?:[^’\n]|(?<=\w)’(?=\w))+’"
)  # fmt: skip
_HASH_COMMENT = re.compile(r"(?<!\S)#[^\n]*")
_SLASH_COMMENT = re.compile(r"(?<![:\w])//[^\n]*")
_BLOCK_COMMENT = re.compile(r"/\*[\s\S]*?\*/|<!--[\s\S]*?-->")
_OPENING, _CLOSING = "([{（【「", ")]}）】」"
_SENTENCE_ENDS = ".!?…。！？"


class Feature(NamedTuple):
    """Something that a text has at each character.

    about    what its labels say, in a few words
    labels   the function
    """

    about: str
    labels: Callable[[str], bytes]


def _steps(limits: tuple[int, ...], count: int) -> int:
    """Return how many of the limits are reached."""
    return sum(count >= limit for limit in limits)


def _each(test: Callable[[str], bool]) -> Callable[[str], bytes]:
    """Return the function that tests each character on its own."""

    def labels(text: str) -> bytes:
        known = {char: test(char) for char in set(text)}
        return bytes(known[char] for char in text)

    return labels


def _inside(spans: list[tuple[int, int]], length: int) -> bytes:
    """Return 1 from the first character of each span until before its last."""
    found = bytearray(length)
    for start, end in spans:
        found[start : end - 1] = b"\1" * (end - 1 - start)
    return bytes(found)


def quotes(text: str) -> bytes:
    """1 inside a quotation: of straight or typographic quotation marks, or of a string literal."""
    return _inside([match.span() for match in _QUOTES.finditer(text)], len(text))


def bracket_depth(text: str) -> bytes:
    """How many brackets are open, at most 3. An empty line closes all."""
    found, depth, before = bytearray(), 0, ""
    for char in text:
        if char in _OPENING:
            depth += 1
        elif char in _CLOSING:
            depth = max(depth - 1, 0)
        elif char == before == "\n":
            depth = 0
        found.append(min(depth, DEEPEST))
        before = char
    return bytes(found)


def brackets(text: str) -> bytes:
    """1 inside brackets, however deep."""
    return bytes(map(bool, bracket_depth(text)))


def columns(text: str) -> list[int]:
    """Return how many characters of its line have been read at each character; 0 at its end."""
    found, column = [], 0
    for char in text:
        column = 0 if char == "\n" else column + 1
        found.append(column)
    return found


def line_position(text: str) -> bytes:
    """How far along the line: in quarters that equally many characters of the text are in."""
    found = columns(text)
    ordered = sorted(found)
    limits = tuple(ordered[len(found) * quarter // 4] for quarter in (1, 2, 3)) if found else ()
    known = {column: _steps(limits, column) for column in set(found)}
    return bytes(known[column] for column in found)


def indentation(text: str) -> bytes:
    """How deep the line is indented: not, less than 4 columns, 4 to 7, 8 to 11, 12 or more.

    Before the first character that is no space, as far as is known.
    """
    found, width, leading = bytearray(), 0, True
    for char in text:
        if char == "\n":
            width, leading = 0, True
        elif leading and char in " \t":
            width += TAB if char == "\t" else 1
        else:
            leading = False
        found.append(_steps((1, 4, 8, 12), width))
    return bytes(found)


def comments(text: str) -> bytes:
    """1 inside a comment: /* */ or <!-- -->, or from # or // to the end of the line.

    Of the last two, the one that begins more lines of this text, and not inside a quotation.
    """
    hashes, slashes = (len(re.findall(rf"(?m)^\s*{mark}", text)) for mark in ("#", "//"))
    unquoted = _QUOTES.sub(lambda quoted: re.sub(".", "\0", quoted[0]), text)
    line = _HASH_COMMENT if hashes >= slashes else _SLASH_COMMENT
    # A line's comment ends in front of the line break, so its last character is inside.
    spans = [(match.start(), match.end() + 1) for match in line.finditer(unquoted)]
    spans += [match.span() for match in _BLOCK_COMMENT.finditer(text)]
    return _inside(spans, len(text))


def word_position(text: str) -> bytes:
    """How many letters and digits of a word: none, 1, 2, 3 or 4, 5 to 7, 8 or more."""
    found, length = bytearray(), 0
    for char in text:
        length = length + 1 if char.isalnum() else 0
        found.append(_steps((1, 2, 3, 5, 8), length))
    return bytes(found)


def sentence_start(text: str) -> bytes:
    """1 from the end of a sentence, or an empty line, until the next letter or digit."""
    found, waiting = bytearray(), True
    for before, char in pairwise(("\n", *text)):
        if char in _SENTENCE_ENDS or char == before == "\n":
            waiting = True
        elif char.isalnum():
            waiting = False
        found.append(waiting)
    return bytes(found)


def paragraph_line(text: str) -> bytes:
    """Which line after an empty one: the first, second, third or a later one."""
    found, line, before = bytearray(), 0, "\n"
    for char in text:
        if char == "\n":
            line = 0 if before == "\n" else line + 1
        found.append(min(line, 3))
        before = char
    return bytes(found)


FEATURES = {
    "quotes": Feature("inside a quotation or string literal", quotes),
    "brackets": Feature("inside brackets", brackets),
    "bracket-depth": Feature("how many brackets are open", bracket_depth),
    "line-position": Feature("how far along the line", line_position),
    "indentation": Feature("how deep the line is indented", indentation),
    "comments": Feature("inside a comment", comments),
    "digits": Feature("the character is a digit", _each(str.isdigit)),
    "capitals": Feature("the character is a capital letter", _each(str.isupper)),
    "whitespace": Feature("the character is a space or line break", _each(str.isspace)),
    "punctuation": Feature(
        "the character is no letter, digit or space",
        _each(lambda char: not (char.isalnum() or char.isspace())),
    ),
    "word-position": Feature("how far into the word", word_position),
    "sentence-start": Feature("between two sentences", sentence_start),
    "paragraph-line": Feature("which line of the paragraph", paragraph_line),
}
