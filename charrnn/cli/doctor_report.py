"""How ``charrnn doctor`` shows what it found: a report for people, or one JSON object."""

import json
import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

from charrnn.cli import terminal
from charrnn.cli.program import program
from charrnn.models.forecast import Forecast, forecast
from charrnn.text.doctor.diagnosis import Diagnosis, diagnose
from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding
from charrnn.text.doctor.repairs import OTHERS
from charrnn.text.vocabulary import escape

INDENT = 7
STYLES = {"fault": "red", "note": "cyan"}


def report(corpus: list[str], encoding: str, *, as_json: bool) -> bool:
    """Examine a text and show what was found. Return False if it cannot be decoded."""
    diagnosis = diagnose(corpus, encoding)
    text = diagnosis.text
    expected = None
    if text is not None:
        expected = forecast(text.corpus, lines=text.kind == "list", reading=text.seconds)
    plan = _Plan(corpus, diagnosis, expected)
    if as_json:
        terminal.write(json.dumps(_as_object(corpus, plan), ensure_ascii=False) + "\n")
    else:
        _show(corpus, plan)
    return text is not None


class _Plan:
    """What to type next."""

    def __init__(self, corpus: list[str], diagnosis: Diagnosis, expected: Forecast | None) -> None:
        self.diagnosis, self.expected = diagnosis, expected
        text = diagnosis.text
        faults = [found for found in diagnosis.findings if found.level == "fault"]
        repairs = {found.repair for found in faults if found.repair}
        given = [] if text is None or text.encoding == "utf-8" else ["--encoding", text.encoding]
        mended = [word for name in OTHERS if name in repairs for word in ("--also", name)]
        self.mend: str | None = None
        source = corpus
        if repairs and text is not None:
            first = "stdin" if corpus[0] == "-" else Path(corpus[0]).stem
            fixed = f"{first}-fixed.txt"
            words = [program(), "doctor", *corpus, "--fix", *mended, *given]
            self.mend = f"{_joined(words)} > {shlex.quote(fixed)}"
            source, given = [fixed], []
        self.train: str | None = None
        if expected is not None:
            lines = ["--lines"] if expected.recommendation.config.data.lines else []
            time = ["--time", _time(expected.seconds)]
            self.train = _joined([program(), "train", *source, *lines, *given, *time])


def _joined(words: list[str]) -> str:
    return " ".join([words[0], *map(shlex.quote, words[1:])])  # the program is quoted already


def _time(seconds: float) -> str:
    return f"{seconds / 60:g}m" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g}s"  # noqa: PLR2004  # a minute


def _next(finding: Finding) -> str:
    """Return what to do about a finding."""
    if finding.repair is None:
        return finding.next
    also = f" --also {finding.repair}" if finding.repair in OTHERS else ""
    return f"{finding.next}; --fix{also} repairs it".removeprefix("; ")


def _where(finding: Finding, corpus: list[str]) -> str:
    """Return where something stands and what stands there, in parentheses."""
    parts = []
    if finding.place is not None:
        name = "" if len(corpus) == 1 else f"{finding.place.source} "
        parts.append(
            f"{'first in ' if (finding.count or 0) > 1 else ''}{name}line {finding.place.line:,}"
        )
    if finding.example:
        parts.append(escape(finding.example))
    return f" ({': '.join(parts)})" if parts else ""


def _show(corpus: list[str], plan: _Plan) -> None:
    text, expected = plan.diagnosis.text, plan.expected
    names = ", ".join("stdin" if source == "-" else source for source in corpus)
    _line("", f"{names}: {_described(text)}")
    if not any(finding.level == "fault" for finding in plan.diagnosis.findings):
        _line("", "no fault found")
    for finding in plan.diagnosis.findings:
        _line(finding.level, f"{finding.message}{_where(finding, corpus)}")
        if then := _next(finding):
            _line("", f"→ {then}", INDENT)
    if plan.mend is not None:
        _line("mend", plan.mend, wrap=False)
    if expected is None or plan.train is None:
        return
    _line("train", plan.train, wrap=False)
    _line("", _choice(expected), INDENT)
    _line("takes", _duration(expected))
    _line("loss", _loss(expected))


def _described(text: Examined | None) -> str:
    if text is None:
        return "cannot be decoded"
    lines = text.counts.get("\n", 0)
    parts = [f"{text.size:,} characters, {len(text.counts):,} distinct", f"{lines:,} lines"]
    if text.size:
        parts.append({"list": "a list"}.get(text.kind, text.kind))
    if not text.whole:
        parts.append(f"{text.looked_at:,} characters from all over it looked at closely")
    return ", ".join(parts)


def _choice(expected: Forecast) -> str:
    model, passes = expected.recommendation.config.model, expected.recommendation.passes
    times = f"{passes:.2g} times" if passes < 10 else f"{passes:.0f} times"  # noqa: PLR2004
    start = f"starts from the base model {expected.start!r}" if expected.start else "from nothing"
    return f"{start}; {model.shape}, {expected.parameters:,} weights, reads the text {times}"


def _duration(expected: Forecast) -> str:
    early = ", when nothing is left to learn" if expected.takes < expected.seconds else ""
    return f"about {terminal.duration(expected.takes)}{early}"


def _loss(expected: Forecast) -> str:
    text = "held-out text" if expected.held_out else "text that it has not read"
    return (
        f"about {expected.nats:.2f} nats per character ({expected.low:.2f} to "
        f"{expected.high:.2f}), perplexity {expected.perplexity:.1f}, of {text}, without n-grams"
    )


def _line(label: str, text: str, indent: int = 0, *, wrap: bool = True) -> None:
    """Write a line of the report: wrapped and colored on a terminal, whole in a pipe."""
    start = f"{label:<{INDENT}}" if label else " " * indent
    if not terminal.is_terminal(sys.stdout):
        terminal.write(f"{start}{text}\n")
        return
    width = max(shutil.get_terminal_size().columns - 1, 2 * INDENT)
    if wrap:
        rest = " " * (INDENT if label else indent)
        text = textwrap.fill(
            text, width - len(start), subsequent_indent="", break_on_hyphens=False
        ).replace("\n", f"\n{rest}")
    terminal.write_labeled(start, text, STYLES.get(label, ""))


def _as_object(corpus: list[str], plan: _Plan) -> dict[str, Any]:
    text, expected = plan.diagnosis.text, plan.expected
    described: dict[str, Any] = {"files": corpus}
    if text is not None:
        described |= {
            "encoding": text.encoding,
            "bytes": text.bytes,
            "chars": text.size,
            "distinct": len(text.counts),
            "lines": text.counts.get("\n", 0),
            "kind": text.kind if text.size else None,
            "looked_at": text.looked_at,
        }
    described["findings"] = [
        {
            "name": finding.name,
            "level": finding.level,
            "message": finding.message,
            "next": _next(finding),
            "count": finding.count,
            "file": finding.place and finding.place.source,
            "line": finding.place and finding.place.line,
            "example": finding.example,
            "repair": finding.repair,
        }
        for finding in plan.diagnosis.findings
    ]
    described["fix"] = plan.mend
    described["train"] = None if expected is None else _forecast_object(plan.train, expected)
    return described


def _forecast_object(command: str | None, expected: Forecast) -> dict[str, Any]:
    model = expected.recommendation.config.model
    return {
        "command": command,
        "time": expected.seconds,
        "seconds": round(expected.takes, 1),
        "start": expected.start,
        "model": model.cell,
        "hidden_size": model.hidden_size,
        "members": model.members,
        "parameters": expected.parameters,
        "passes": round(expected.recommendation.passes, 3),
        "nats_per_char": round(expected.nats, 3),
        "low": round(expected.low, 3),
        "high": round(expected.high, 3),
        "perplexity": round(expected.perplexity, 2),
        "held_out": expected.held_out,
        "ngram_nats_per_char": round(expected.ngrams, 3),
    }
