"""Checks of single characters: by their counts in the whole text, and where they stand first."""

import re
import unicodedata
from collections.abc import Collection, Iterator

from charrnn.text.doctor import characters as known
from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding, Place
from charrnn.text.doctor.mojibake import misread_controls, sequences
from charrnn.text.doctor.wording import around, in_file, listed, lot

# Characters seen less often are hardly learned.
RARE = 5
# Weights that one character costs an LSTM of 256 units: four gates' inputs, and an output.
WEIGHTS_PER_CHARACTER = 5 * 256 + 1

_CONTROL_NAMES = {
    "\0": "NUL",
    "\x08": "backspace",
    "\x0c": "form feed",
    "\x1a": "end of file (Ctrl-Z)",
    "\x1b": "escape",
    "\x7f": "delete",
}
# Spaces that typesetters put between a word and its punctuation, number or preposition; elsewhere
# they come from web pages and word processors. No other space is for running text.
_TYPESET = "\xa0\u2009\u202f"
_ODD_SPACE = re.compile(
    rf"(?<=\s)[{_TYPESET}]|[{_TYPESET}](?=\s)|(?<=[^\W\d_]{{3}})[{_TYPESET}](?=[^\W\d_])"
    rf"|(?![{_TYPESET}]){known.OTHER_SPACE}"
)
_APOSTROPHES = {name: re.compile(rf"(?<=[^\W\d_]){name}(?=[^\W\d_])") for name in "'’"}
_DOUBLE_DASH = re.compile(r"(?<![-\n])--(?!-)")


def total(text: Examined, characters: Collection[str]) -> int:
    """Return how often these characters occur together."""
    return sum(text.counts.get(char, 0) for char in characters)


def first(text: Examined, characters: Collection[str]) -> Place | None:
    """Return where the first of these characters stands first."""
    order = {source: number for number, source in enumerate(text.sources)}
    places = [text.first[char] for char in characters if char in text.first]
    return min(places, key=lambda place: (order[place.source], place.line), default=None)


def byte_order_marks(text: Examined) -> Iterator[Finding]:
    """A mark at the beginning of a file is skipped; one elsewhere is learned."""
    inside = text.counts.get("\ufeff", 0)
    count = inside + (len(text.boms) if text.encoding.startswith("utf-8") else 0)
    if count:
        where = "inside the text" if inside else "at the beginning, which training skips"
        place = first(text, "\ufeff") or Place(text.boms[0], 1)
        level = "fault" if inside else "note"
        yield Finding(
            "bom", level, f"{lot(count, 'byte-order mark')} {where}", "", count, place, repair="bom"
        )


def controls(text: Examined) -> Iterator[Finding]:
    """Control characters other than tab, line feed and carriage return."""
    found = [char for char in text.counts if known.CONTROL.match(char) and char != "\x85"]
    found = [char for char in found if not misread_controls(char)]
    if found:
        names = [f"{_CONTROL_NAMES.get(char, f'U+{ord(char):04X}')}" for char in found]
        count = total(text, found)
        yield Finding(
            "controls",
            "fault",
            f"{lot(count, 'control character')}: {listed(names)}",
            "",
            count,
            first(text, found),
            repair="controls",
        )


def invisible(text: Examined) -> Iterator[Finding]:
    """Characters of no width where nothing needs them."""
    if text.counts.keys().isdisjoint(known.INVISIBLE):
        return
    yield from in_file(
        text,
        "zero-width",
        re.compile(known.ZERO_WIDTH),
        lambda count, match: (
            f"{lot(count, 'invisible character')}, first {_named(match[0][0])}",
            "",
        ),
        repair="zero-width",
    )


def replacement_characters(text: Examined) -> Iterator[Finding]:
    """What stands for characters that were lost before, and what is no character."""
    lost = text.counts.get("\ufffd", 0)
    if lost:
        yield Finding(
            "lost-characters",
            "fault",
            f"{lot(lost, 'character')} lost: U+FFFD stands for what was decoded wrongly before",
            "decode the original again, if there is one",
            lost,
            first(text, "\ufffd"),
            around(text, "\ufffd"),
        )
    odd = [char for char in text.counts if unicodedata.category(char) in {"Co", "Cn"}]
    if odd:
        yield Finding(
            "private-characters",
            "fault",
            f"{lot(total(text, odd), 'character')} without a standard meaning: "
            f"{listed([f'U+{ord(char):04X}' for char in odd])}",
            "symbols of a font, or a wrong encoding: replace them",
            total(text, odd),
            first(text, odd),
        )


def mojibake(text: Examined) -> Iterator[Finding]:
    """Text that was decoded wrongly before it was saved."""
    count, place, example = 0, None, ""
    for passage in text.passages:
        if passage.text.isascii():
            continue
        found = sequences(passage.text) + misread_controls(passage.text)
        count += len(found)
        if found and place is None:
            offset, wrong, meant = min(found)
            place, example = passage.place(offset), f"{wrong} for {meant}"
    if count:
        wrongly = "" if text.encoding.startswith("utf") else f", or it is not {text.encoding}"
        yield Finding(
            "mojibake",
            "fault",
            f"{lot(count, 'character')} decoded wrongly before the file was written{wrongly}",
            "" if not wrongly else "try --encoding utf-8",
            count,
            place,
            example,
            "mojibake",
        )


def normal_form(text: Examined) -> Iterator[Finding]:
    """Characters that could be composed: for a model, é and e + U+0301 have nothing in common."""
    composed = any(
        "\xc0" <= char < "\u1f00" and unicodedata.decomposition(char)[:1] not in {"", "<"}
        for char in text.counts
    )
    for passage in text.passages:
        if unicodedata.is_normalized("NFC", passage.text):
            continue
        offset, line = 0, ""
        for line in passage.text.split("\n"):
            if not unicodedata.is_normalized("NFC", line):
                break
            offset += len(line) + 1
        marks = total(text, [char for char in text.counts if unicodedata.combining(char)])
        form = "composed and decomposed characters mixed" if composed else "decomposed characters"
        some = f": {lot(marks, 'combining mark')}" if marks else ""
        yield Finding(
            "normal-form",
            "fault",
            f"{form}, not in normal form C{some}",
            "train with --normalize NFC",
            marks or None,
            passage.place(offset),
            line.strip()[:40],
            "normal-form",
        )
        return


def look_alikes(text: Examined) -> Iterator[Finding]:
    """Letters of one script in a word of another."""
    if not any("\u0370" <= char < "\u0530" for char in text.counts):
        return
    count, place, examples = 0, None, []
    for passage in text.passages:
        if known.SCRIPTS_MEET.search(passage.text) is None:
            continue
        for match in known.MIXED_WORD.finditer(passage.text):
            if (meant := known.unmixed(match[0])) != match[0]:
                count += 1
                place = place or passage.place(match.start())
                odd = [a for a, b in zip(match[0], meant, strict=True) if a != b]
                examples.append(f"{match[0]} ({_named(odd[0])})")
    if count:
        yield Finding(
            "look-alikes",
            "fault",
            f"{lot(count, 'word')} with letters of another script that look alike",
            "",
            count,
            place,
            examples[0],
            "look-alikes",
        )


def quotes(text: Examined) -> Iterator[Finding]:
    """Curly and straight quotation marks or apostrophes in one text."""
    if text.kind == "code":
        return
    curly, straight = total(text, known.CURLY_DOUBLE), text.counts.get('"', 0)
    curly -= sum(text.misread[char] for char in known.CURLY_DOUBLE)
    if curly > 0 and straight:
        yield Finding(
            "quotes",
            "fault",
            f"curly and straight quotation marks mixed: {curly:,} curly, {straight:,} straight",
            "",
            min(curly, straight),
            first(text, known.CURLY_DOUBLE if curly < straight else '"'),
            repair="quotes",
        )
    counts = {
        name: sum(len(pattern.findall(passage.text)) for passage in text.passages)
        for name, pattern in _APOSTROPHES.items()
        if name in text.counts
    }
    if len(counts) > 1 and all(counts.values()):
        rarer = min(counts, key=lambda name: counts[name])
        yield Finding(
            "apostrophes",
            "fault",
            f"curly and straight apostrophes mixed: {counts['’']:,} curly, "
            f"{counts[chr(39)]:,} straight",
            "",
            counts[rarer],
            _place_of(text, _APOSTROPHES[rarer]),
            repair="quotes",
        )


def spaces(text: Examined) -> Iterator[Finding]:
    """Spaces that look like the usual one, but where typesetters put them."""
    found = {char for char in text.counts if char > "\x7f" and char.isspace()}
    if "\u3000" in found and _is_east_asian(text):
        found.remove("\u3000")
    if found:
        yield from in_file(
            text,
            "spaces",
            _ODD_SPACE,
            lambda count, match: (
                f"{lot(count, 'space')} that {'is' if count == 1 else 'are'} not the usual one, "
                f"first {_named(match[0])}",
                "",
            ),
            repair="spaces",
        )


def dashes(text: Examined) -> Iterator[Finding]:
    """Dashes that look like another one, and two ways to write a long one."""
    odd = [char for char in known.USUAL_DASHES if char in text.counts]
    if "－" in odd and _is_east_asian(text):
        odd.remove("－")
    if odd:
        count = total(text, odd)
        yield Finding(
            "dashes",
            "fault",
            f"{lot(count, 'dash', 'dashes')} easily taken for another: "
            f"{listed([f'{_named(char)} for {known.USUAL_DASHES[char]}' for char in odd])}",
            "",
            count,
            first(text, odd),
            repair="dashes",
        )
    long = text.counts.get("—", 0) - text.misread["—"]
    if long > 0 and text.kind != "code":
        doubled = sum(len(_DOUBLE_DASH.findall(passage.text)) for passage in text.passages)
        if doubled:
            yield Finding(
                "dashes",
                "fault",
                f"dashes written in two ways: {long:,} as —, {doubled:,} as --",
                "sed 's/--/—/g' makes them one",
                min(long, doubled),
                _place_of(text, _DOUBLE_DASH) if doubled < long else first(text, "—"),
            )


def ligatures(text: Examined) -> Iterator[Finding]:
    """Ligatures that stand for two letters."""
    found = [char for char in known.LIGATURES if char in text.counts]
    if found:
        count = total(text, found)
        yield Finding(
            "ligatures",
            "fault",
            f"{lot(count, 'ligature')}: "
            f"{listed([f'{char} for {known.LIGATURES[char]}' for char in found])}",
            "",
            count,
            first(text, found),
            repair="ligatures",
        )


def rare_characters(text: Examined) -> Iterator[Finding]:
    """Characters that are too rare to learn."""
    rare = [char for char, count in text.counts.items() if count < RARE]
    if not rare:
        return
    count, share = total(text, rare), len(rare) / len(text.counts)
    yield Finding(
        "rare-characters",
        "note",
        f"{len(rare):,} of {len(text.counts):,} characters ({share:.0%}) occur fewer than {RARE} "
        f"times: {count / text.size:.2%} of the text, "
        f"{len(rare) * WEIGHTS_PER_CHARACTER:,} weights of an LSTM of 256 units",
        "charrnn inspect-vocab lists them with --sort count",
        len(rare),
        first(text, rare),
        "".join(char for char in rare if char.isprintable())[:20],
    )


def _is_east_asian(text: Examined) -> bool:
    return any("\u3040" <= char <= "\u9fff" for char in text.counts)


def _named(char: str) -> str:
    return unicodedata.name(char, f"U+{ord(char):04X}").lower()


def _place_of(text: Examined, pattern: re.Pattern[str]) -> Place | None:
    for passage in text.passages:
        if match := pattern.search(passage.text):
            return passage.place(match.start())
    return None
