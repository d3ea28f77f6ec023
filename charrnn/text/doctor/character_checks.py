"""Checks of single characters: by their counts in the whole text, and where they stand first."""

import re
import unicodedata
from collections.abc import Iterator

from charrnn.text.doctor import characters as known
from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding, Place
from charrnn.text.doctor.mojibake import misread_controls, sequences
from charrnn.text.doctor.wording import first, listed, lot, named, search, shown, total

# Characters seen less often are hardly learned.
RARE = 5
# Weights that one character costs an LSTM of 256 units: four gates' inputs, and an output.
WEIGHTS_PER_CHARACTER = 5 * 256 + 1

_ZERO_WIDTH = re.compile(known.ZERO_WIDTH)
_LOST = re.compile(".{0,20}\ufffd.{0,20}")
_CONTROL_NAMES = {
    "\0": "NUL",
    "\x08": "backspace",
    "\x0c": "form feed",
    "\x1a": "end of file (Ctrl-Z)",
    "\x1b": "escape",
    "\x7f": "delete",
}


def byte_order_marks(text: Examined) -> Iterator[Finding]:
    """Find byte-order marks: one at the beginning of a file is skipped, others are learned."""
    inside = text.counts.get("\ufeff", 0)
    count = inside + (len(text.boms) if text.encoding.startswith("utf-8") else 0)
    if count:
        where = "inside the text" if inside else "at the beginning, which training skips"
        yield Finding(
            "bom",
            "fault" if inside else "note",
            f"{lot(count, 'byte-order mark')} {where}",
            "",
            count,
            first(text, "\ufeff") or Place(text.boms[0], 1),
            repair="bom",
        )


def controls(text: Examined) -> Iterator[Finding]:
    """Find control characters other than tab, line feed and carriage return."""
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
    """Find characters of no width where nothing needs them."""
    if text.counts.keys().isdisjoint(known.INVISIBLE):
        return
    if found := search(text, _ZERO_WIDTH):
        message = f"{lot(found.times, 'invisible character')}, first {named(found.example[0])}"
        yield Finding("zero-width", "fault", message, "", *found, repair="zero-width")


def lost_characters(text: Examined) -> Iterator[Finding]:
    """Find what stands for characters that were lost before, and what is no character."""
    if lost := text.counts.get("\ufffd", 0):
        where = search(text, _LOST)
        yield Finding(
            "lost-characters",
            "fault",
            f"{lot(lost, 'character')} lost: U+FFFD stands for what was decoded wrongly before",
            "decode the original again, if there is one",
            lost,
            first(text, "\ufffd"),
            shown(where.example) if where else "",
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
    """Find text that was decoded wrongly before it was written."""
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
    """Find characters that could be composed: to a model, é and e + U+0301 are unrelated."""
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
    """Find letters of one script in a word of another."""
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
                examples.append(f"{match[0]} ({named(odd[0])})")
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


def rare_characters(text: Examined) -> Iterator[Finding]:
    """Find characters that are too rare to learn."""
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
