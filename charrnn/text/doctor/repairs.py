"""Repairs: from a text with faults to one without.

Each is a function from a block of text to the block without the fault, and how often it had it. A
block is cut where no repair looks across, so it does not matter how a text is cut. All repairs run
over a block until none finds anything more. So what is mended stays as it is when mended again.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from charrnn.errors import ConfigError
from charrnn.text.doctor import characters as known
from charrnn.text.doctor.gutenberg import BOOK_PARTS, Stripper
from charrnn.text.doctor.mojibake import undo

Repair = Callable[[str], tuple[str, int]]

# Where a line without an end is cut: between two words if there are any, or two characters that
# have nothing to do with each other.
LONGEST_BLOCK = 1 << 20
_CUTS = (
    re.compile("[A-Za-z0-9] (?=[A-Za-z0-9])"),
    re.compile("[A-Za-z0-9](?=[A-Za-z0-9])|[\u3400-\u9fff](?=[\u3400-\u9fff])"),
)


def _removed(pattern: str, by: str = "") -> Repair:
    compiled = re.compile(pattern)
    return lambda text: compiled.subn(by, text)


def _mapped(table: dict[str, str]) -> Repair:
    compiled = re.compile("|".join(map(re.escape, table)))
    return lambda text: compiled.subn(lambda match: table[match[0]], text)


def _composed(text: str) -> tuple[str, int]:
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text, 0
    mended = unicodedata.normalize("NFC", text)
    return mended, max(abs(len(text) - len(mended)), 1)


def _replaced(pattern: re.Pattern[str], meant: Callable[[str], str]) -> Repair:
    """Return the repair that replaces each match by what is meant, and counts those that differ."""

    def repair(text: str) -> tuple[str, int]:
        count = 0

        def replace(match: re.Match[str]) -> str:
            nonlocal count
            new = meant(match[0])
            count += new != match[0]
            return new

        return pattern.sub(replace, text), count

    return repair


# Those that are safe: nothing is lost that anyone would miss.
SAFE: dict[str, tuple[str, Repair | None]] = {
    "bom": ("byte-order marks", _removed("\ufeff")),
    "line-ends": ("line ends", _removed("\r+\n|[\r\v\u2028\u2029]", "\n")),
    "mojibake": ("characters decoded wrongly", undo),
    "controls": ("control characters", _removed(known.CONTROLS)),
    "zero-width": ("invisible characters", _removed(known.ZERO_WIDTH)),
    "normal-form": ("characters composed (NFC)", _composed),
    "trailing-space": ("lines with white space at their end", _removed("[ \t]+(?=\n)")),
    BOOK_PARTS: ("lines of Project Gutenberg's header and license", None),  # looks across blocks
}

# Those that change what a reader sees, for who asks for them.
OTHERS: dict[str, tuple[str, Repair | None]] = {
    "quotes": ("curly quotation marks made straight", _mapped(known.STRAIGHT)),
    "dashes": ("hyphens and dashes made one of - – —", _mapped(known.USUAL_DASHES)),
    "spaces": ("other spaces made plain", _removed(known.OTHER_SPACE, " ")),
    "ligatures": ("ligatures taken apart", _mapped(known.LIGATURES)),
    "look-alikes": ("words made of one script", _replaced(known.MIXED_WORD, known.unmixed)),
    "entities": ("HTML entities replaced", _replaced(known.ENTITY, html.unescape)),
}
REPAIRS = SAFE | OTHERS


def chosen(also: Collection[str] = (), skip: Collection[str] = ()) -> list[str]:
    """Return the names of the safe repairs and some others, without some.

    Raises ConfigError for a name that no repair has.
    """
    for name in (*also, *skip):
        if name not in REPAIRS:
            raise ConfigError(
                f"there is no repair {name!r}", hint=f"there are {', '.join(REPAIRS)}"
            )
    return [name for name in REPAIRS if (name in SAFE or name in also) and name not in skip]


@dataclass
class Mender:
    """Mends a text with some of the repairs.

    names    of the repairs
    counts   how often each found something, so far
    """

    names: Collection[str] = tuple(SAFE)
    counts: dict[str, int] = field(default_factory=dict)

    def mended(self, pieces: Iterable[str]) -> Iterator[str]:
        """Yield the pieces of a text without its faults."""
        clean = map(self._mended, _blocks(pieces))
        if BOOK_PARTS not in self.names:
            yield from clean
            return
        stripper = Stripper()
        yield from stripper.stripped(clean)
        self.count(BOOK_PARTS, stripper.lines)

    def _mended(self, text: str) -> str:
        repairs = [(name, repair) for name, (_, repair) in REPAIRS.items() if name in self.names]
        while True:
            before = text
            for name, repair in repairs:
                if repair is not None:
                    text, count = repair(text)
                    self.count(name, count)
            if text == before:
                return text

    def count(self, name: str, count: int) -> None:
        """Take note of what a repair has found."""
        if count:
            self.counts[name] = self.counts.get(name, 0) + count


def repaired(text: str, names: Collection[str] = tuple(SAFE)) -> str:
    """Return a text without its faults; see ``Mender``."""
    return "".join(Mender(names).mended([text]))


def _blocks(pieces: Iterable[str]) -> Iterator[str]:
    """Cut a text where no repair looks across: after a line break, or in a long line."""
    held = ""
    for piece in pieces:
        end = piece.rfind("\n") + 1
        if not end and len(held) + len(piece) > LONGEST_BLOCK:
            held += piece
            cut = _last_cut(held)
            if cut:
                yield held[:cut]
            held = held[cut:]
            continue
        if end:
            yield held + piece[:end]
            held = piece[end:]
        else:
            held += piece
    if held:
        yield held


def _last_cut(text: str) -> int:
    """Return where a text can be cut, as late as possible; 0 if it cannot."""
    for pattern in _CUTS:
        if cuts := [match.end() for match in pattern.finditer(text)]:
            return cuts[-1]
    return 0
