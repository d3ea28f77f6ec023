"""The doctor: what is wrong with a text, judged as its safe repairs leave it."""

import re
from bisect import bisect
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

from charrnn.errors import ConfigError
from charrnn.text.faults import FAULTS, OPTIONAL, Level
from charrnn.text.form import are_short, form_of, suggest_pieces
from charrnn.text.vocabulary import escape

MIN_CHARS, MAX_EXAMPLE = 1000, 40
# Lines that a text has at least when the share of those at fault is judged.
SHORT_TEXT = 100


@dataclass(frozen=True)
class Finding:
    """A fault of a text, or a note.

    count     how often it occurs
    file      where it occurs first, and the line, from 1; None: it is the text as a whole
    example   how it begins, escaped
    repair    the options of ``charrnn doctor`` that repair it; empty: it is done by hand
    train     the options of ``charrnn train`` that suit such a text
    hint      what to do by hand
    """

    name: str
    level: Level
    message: str
    count: int = 1
    file: str | None = None
    line: int | None = None
    example: str = ""
    repair: str = ""
    train: str = ""
    hint: str = ""


def check(files: Sequence[tuple[str, str]]) -> tuple[dict[str, int | str], list[Finding]]:
    """Return a text in figures, and what is wrong with it, before what is only worth knowing.

    files   names and texts, judged as one text, one after the other
    """
    names, texts = [name for name, _ in files], [text for _, text in files]
    texts[:-1] = [text if text[-1:] in {"", "\r", "\n"} else f"{text}\n" for text in texts[:-1]]
    found = []
    for fault in FAULTS:
        text, starts = "".join(texts), [*accumulate(map(len, texts), initial=0)]
        parts = zip(starts, texts if fault.safe else [text], strict=False)
        spans = [(start + at, old) for start, part in parts for at, old in fault.find(part)]
        enough = len(spans) > fault.share * (SHORT_TEXT + text.count("\n"))
        if enough and re.search(fault.beside, text):
            is_data = "--also" in fault.options and form_of(text) in {"code", "records"}
            at, old = spans[0]
            file = bisect(starts, at) - 1
            finding = Finding(
                name=fault.name,
                level="note" if is_data else fault.level,
                message=f"{fault.what}: {len(spans):,}",
                count=len(spans),
                file=names[file],
                line=text.count("\n", starts[file], at) + 1,
                example=escape(old)[:MAX_EXAMPLE],
                repair=fault.options,
                hint=fault.hint,
            )
            found.append(finding)
        if fault.safe:
            with suppress(ConfigError):  # ftfy is not installed
                texts = [fault.repair(text) for text in texts]
    if len(text.strip()) < MIN_CHARS:
        message = f"less than {MIN_CHARS:,} characters: 20,000 are a start, 200,000 plenty"
        found.append(Finding("too-small", "fault", message, hint="add more text of this kind"))
    looks = suggest_pieces(text)
    if looks is None and are_short(texts):
        looks = f"{len(texts):,} short files", "--separator file"
    if looks is not None:
        message = f"it looks like {looks[0]}: each can be an example of its own"
        found.append(Finding("pieces", "note", message, train=looks[1]))
    figures: dict[str, int | str] = {
        "chars": len(text), "distinct": len(set(text)), "lines": text.count("\n"),
        "form": form_of(text),
    }  # fmt: skip
    return figures, sorted(found, key=lambda finding: finding.level != "fault")


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
