"""The doctor: what is wrong with a text, judged as its safe repairs leave it."""

import unicodedata
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

from charrnn.errors import ConfigError
from charrnn.text.faults import FAULTS, Fault, Level
from charrnn.text.form import OF_LINES, Form, Place, find_separator, form_of
from charrnn.text.vocabulary import escape

MIN_CHARS = 1000


@dataclass(frozen=True)
class Finding:
    """A fault of a text, or a note.

    count     how often it occurs
    file      where it occurs first, and the line, from 1; None if it has no place
    example   what is there
    repair    the options of ``charrnn doctor`` that repair it; empty: it is done by hand
    hint      what to do then
    """

    name: str
    level: Level
    message: str
    count: int = 1
    file: str | None = None
    line: int | None = None
    example: str = ""
    repair: str = ""
    hint: str = ""


def check(files: Sequence[tuple[str, str]]) -> tuple[dict[str, int | str], list[Finding]]:
    """Return a text in figures, and what is wrong with it, before what is only worth knowing.

    files   names and texts, judged as one text, one after the other
    """
    names = [name for name, _ in files]
    texts = [text if text[-1:] in {"", "\r", "\n"} else text + "\n" for _, text in files[:-1]]
    texts += [text for _, text in files[-1:]]
    found = []
    for fault in (fault for fault in FAULTS if fault.safe):
        places = [(file, place) for file in range(len(files)) for place in fault.find(texts[file])]
        if places:
            file, place = places[0]
            found.append(_finding(fault, len(places), names[file], texts[file], place, "fault"))
            with suppress(ConfigError):  # ftfy is not installed
                texts = [fault.repair(text) for text in texts]
    text, starts = "".join(texts), [0, *accumulate(map(len, texts))]
    form = form_of(text)
    found += _judge_size_and_form(text, form)
    for fault in (fault for fault in FAULTS if not fault.safe):
        if spots := list(fault.find(text)):
            at, old = spots[0]
            file = bisect(starts, at) - 1
            place, level = (at - starts[file], old), fault.level
            level = "note" if form == "code" else level
            found.append(_finding(fault, len(spots), names[file], texts[file], place, level))
    figures: dict[str, int | str] = {
        "chars": len(text), "distinct": len(set(text)), "lines": text.count("\n"), "form": form,
    }  # fmt: skip
    return figures, sorted(found, key=lambda finding: finding.level != "fault")


def _judge_size_and_form(text: str, form: Form) -> Iterator[Finding]:
    size = len(text)
    if not text.strip():
        what = "nothing but white space" if size else "the text is empty"
        yield Finding("empty", "fault", what, size, hint="is it the right file?")
    elif len(set(text)) == 1:
        yield Finding("one-character", "fault", "one character, again and again", size)
    elif size < MIN_CHARS:
        hint = f"{MIN_CHARS:,} is the minimum, 20,000 a start, 200,000 plenty"
        yield Finding("too-small", "fault", f"only {size:,} characters", size, hint=hint)
    if form in OF_LINES:
        count = sum(1 for line in text.split("\n") if line.strip())
        what = f"a {form} of {count:,} lines: each can be an example of its own"
        yield Finding(form, "note", what, count, hint="train with --lines")
    elif separator := find_separator(text):
        what, hint = "many short pieces: each can be an example of its own", escape(separator)
        count = text.count(separator) + 1
        yield Finding("pieces", "note", what, count, hint=f"train with --separator '{hint}'")


def _finding(fault: Fault, count: int, file: str, text: str, place: Place, level: Level) -> Finding:
    at, example = place
    example = example.strip(" \t\n").split("\n")[0]
    if len(example) == 1 and not (example.isascii() and example.isprintable()):
        example = f"U+{ord(example):04X} {unicodedata.name(example, '').lower()}".strip()
    example = example if len(example) <= 40 else f"{example[:39]}…"
    options = "--fix" if fault.safe else f"--fix --also {fault.name}"
    return Finding(
        fault.name, level, f"{fault.what}: {count:,}", count, file, text.count("\n", 0, at) + 1,
        example, "" if fault.fix is None else options, fault.hint,
    )  # fmt: skip
