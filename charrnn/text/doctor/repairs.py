"""Repairs: from a text with faults to one without.

They work on blocks of a text. A block is cut where no repair looks across, so it does not matter
how a text is cut. All repairs run over a block until none finds anything more, so what is mended
stays as it is when mended again.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from charrnn.errors import ConfigError
from charrnn.text.doctor import characters as known
from charrnn.text.doctor.gutenberg import BOOK_PARTS, Stripper
from charrnn.text.doctor.mojibake import SIGNS, undo

Mend = Callable[[str], tuple[str, int]]


@dataclass(frozen=True)
class Repair:
    """A repair.

    about   what it counts, in the plural
    mend    from a block of text to the block without the fault, and how often it had it; None for
            the one that looks across blocks
    signs   a block that has none of these characters has no such fault; None: any may have it
    """

    about: str
    mend: Mend | None
    signs: frozenset[str] | None = None


_TRAILING = re.compile("[ \t]+(?=\r?\n)")

# Where a line without an end is cut: between two words if there are any, or two characters that
# have nothing to do with each other.
LONGEST_BLOCK = 1 << 20
_CUTS = (
    re.compile("[A-Za-z0-9] (?=[A-Za-z0-9])"),
    re.compile("[A-Za-z0-9](?=[A-Za-z0-9])|[\u3400-\u9fff](?=[\u3400-\u9fff])"),
)


def _removed(pattern: str, by: str = "") -> Mend:
    compiled = re.compile(pattern)
    return lambda text: compiled.subn(by, text)


def _stripped(text: str) -> tuple[str, int]:
    if not any(end in text for end in (" \n", "\t\n", " \r\n", "\t\r\n")):
        return text, 0
    return _TRAILING.subn("", text)


def _mapped(table: dict[str, str]) -> Mend:
    compiled = re.compile("|".join(map(re.escape, table)))
    return lambda text: compiled.subn(lambda match: table[match[0]], text)


def _composed(text: str) -> tuple[str, int]:
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text, 0
    mended = unicodedata.normalize("NFC", text)
    return mended, max(abs(len(text) - len(mended)), 1)


def _replaced(pattern: re.Pattern[str], meant: Callable[[str], str]) -> Mend:
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
SAFE = {
    "bom": Repair("byte-order marks", _removed("\ufeff"), frozenset("\ufeff")),
    "line-ends": Repair(
        "line ends", _removed("\r+\n|[\r\v\u2028\u2029]", "\n"), frozenset("\r\v\u2028\u2029")
    ),
    "mojibake": Repair("characters decoded wrongly", undo, SIGNS),
    "controls": Repair("control characters", _removed(known.CONTROLS), known.CONTROL_CHARACTERS),
    "zero-width": Repair("invisible characters", _removed(known.ZERO_WIDTH), known.INVISIBLE),
    "normal-form": Repair("characters composed (NFC)", _composed),
    "trailing-space": Repair("lines with white space at their end", _stripped),
    BOOK_PARTS: Repair("lines of Project Gutenberg's header and license", None),
}

# Those that change what a reader sees, for who asks for them.
OTHERS = {
    "quotes": Repair(
        "curly quotation marks made straight", _mapped(known.STRAIGHT), frozenset(known.STRAIGHT)
    ),
    "dashes": Repair(
        "hyphens and dashes made one of - – —",
        _mapped(known.USUAL_DASHES),
        frozenset(known.USUAL_DASHES),
    ),
    "spaces": Repair("other spaces made plain", _removed(known.OTHER_SPACE, " ")),
    "ligatures": Repair(
        "ligatures taken apart", _mapped(known.LIGATURES), frozenset(known.LIGATURES)
    ),
    "look-alikes": Repair(
        "words made of one script",
        _replaced(known.MIXED_WORD, known.unmixed),
        frozenset(known.OTHER_LETTERS),
    ),
    "entities": Repair(
        "HTML entities replaced", _replaced(known.ENTITY, html.unescape), frozenset("&")
    ),
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
        while True:
            before, there = text, set(text)
            for name in REPAIRS:
                if name in self.names:
                    text = self._repaired(text, name, there)
            if text == before:
                return text

    def _repaired(self, text: str, name: str, there: set[str]) -> str:
        """Return a block after one repair; what that uncovers is left to the next round.

        there   characters of the block
        """
        repair = REPAIRS[name]
        if repair.mend is None or (repair.signs is not None and repair.signs.isdisjoint(there)):
            return text
        text, count = repair.mend(text)
        self.count(name, count)
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
