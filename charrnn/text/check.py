"""The doctor: what is wrong with a text, judged as its safe repairs leave it."""

import re
import shlex
import unicodedata
from bisect import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from charrnn.errors import ConfigError
from charrnn.text.faults import FAULTS, OPTIONAL, TRAIN, Level
from charrnn.text.form import are_short, form_of
from charrnn.text.vocabulary import escape

MAX_EXAMPLE = 40


@dataclass(frozen=True)
class Finding:
    """A fault of a text, or a note.

    count     how often it occurs
    file      where it occurs first, and the line, from 1; None: it is the text as a whole
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
    names, texts = [name for name, _ in files], [text for _, text in files]
    texts[:-1] = [text if text[-1:] in {"", "\r", "\n"} else f"{text}\n" for text in texts[:-1]]
    found = []
    for fault in FAULTS:
        text, starts = "".join(texts), [0, *accumulate(map(len, texts))]
        parts = zip(starts, texts if fault.safe else [text], strict=False)
        places = [(start + at, old) for start, part in parts for at, old in fault.find(part)]
        if not places:
            continue
        at, old = places[0]
        is_optional = fault.fix is not None and not fault.safe
        is_data = is_optional and form_of(text) in {"code", "records"}
        level = "note" if is_data else fault.level
        options = "--fix" if fault.safe else f"--fix --also {fault.name}" if is_optional else ""
        hint = fault.hint.format(shlex.quote(escape(old)))
        finding = Finding(fault.name, level, fault.what, repair=options, hint=hint)
        if places != [(0, text)]:
            file = bisect(starts, at) - 1
            finding = replace(
                finding, message=f"{fault.what}: {len(places):,}", count=len(places),
                file=names[file], line=text.count("\n", starts[file], at) + 1,
                example=_shorten(old),
            )  # fmt: skip
        found.append(finding)
        if fault.safe:
            texts = [fault.repair(text) for text in texts]
    if are_short(texts) and not any(it.hint.startswith(TRAIN) for it in found):
        what = f"short files, of which each can be an example of its own: {len(texts):,}"
        found.append(Finding("files", "note", what, len(texts), hint=f"{TRAIN}--separator file"))
    figures: dict[str, int | str] = {
        "chars": len(text), "distinct": len(set(text)), "lines": text.count("\n"),
        "form": form_of(text),
    }  # fmt: skip
    return figures, sorted(found, key=lambda finding: finding.level != "fault")


def _shorten(example: str) -> str:
    example = example.strip(" \t\n").split("\n")[0]
    if len(example) == 1 and not (example.isascii() and example.isprintable()):
        return f"U+{ord(example):04X} {unicodedata.name(example, '').lower()}".strip()
    return example if len(example) <= MAX_EXAMPLE else f"{example[: MAX_EXAMPLE - 1]}…"


def repair(text: str, also: Collection[str] = ()) -> tuple[str, list[str]]:
    """Return a text repaired, and the names of the repairs that changed it.

    Each repair is done once, in the order of the table.

    also   names of OPTIONAL repairs to do

    Raises ConfigError for an unknown name, or if ftfy is needed and not installed.
    """
    for name in set(also) - set(OPTIONAL):
        raise ConfigError(f"no such repair: {name!r}", hint=f"one of {', '.join(OPTIONAL)}")
    done = []
    for fault in FAULTS:
        if (fault.safe or fault.name in also) and (fixed := fault.repair(text)) != text:
            done.append(fault.name)
            text = fixed
    if "gutenberg" in done:
        text = re.sub("\n{8,}", "\n\n\n", text).strip("\n") + "\n"
    return text, done
