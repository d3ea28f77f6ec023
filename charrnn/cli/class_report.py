"""How well a classifier does, as text and as JSON: for ``train-classifier`` and ``classify``."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from charrnn.inference.metrics import Evaluation
from charrnn.text.vocabulary import escape

# Classes up to which the report shows the confusion matrix.
MAX_SHOWN = 20
# Characters of a label that fit into the report.
LABEL_WIDTH = 24


def record_of(labels: Sequence[str], evaluation: Evaluation) -> dict[str, Any]:
    """Return the figures as an object for JSON: null for those that nothing is known of."""
    reports = zip(labels, evaluation.classes, strict=True)
    some = bool(evaluation.confusion.any())
    return {
        "accuracy": evaluation.accuracy if some else None,
        "accuracy_interval": list(evaluation.accuracy_interval) if some else None,
        "macro_f1": evaluation.macro_f1 if some else None,
        "classes": {label: asdict(report) for label, report in reports},
        "confusion": evaluation.confusion.tolist(),
    }


def lines_of(labels: Sequence[str], evaluation: Evaluation, judged: str) -> list[str]:
    """Return figures for all, for each class, and the confusion matrix.

    judged   which texts they are about
    """
    shown = [escape(label)[:LABEL_WIDTH] for label in labels]
    width = max(len("class"), *map(len, shown))
    count, (low, high) = int(evaluation.confusion.sum()), evaluation.accuracy_interval
    interval = f"95 % interval {low:.1%} to {high:.1%}"
    lines = [
        f"accuracy {evaluation.accuracy:.1%} of {count:,} {judged} ({interval})",
        f"macro F1 {evaluation.macro_f1:.3f}",
        f"{'class':<{width}}  precision  recall     f1   count",
    ]
    for label, row in zip(shown, evaluation.classes, strict=True):
        # without examples there is nothing to be right or wrong about
        figures = [f"{f:.3f}" if row.count else "-" for f in (row.precision, row.recall, row.f1)]
        lines.append(
            f"{label:<{width}}  {figures[0]:>9}  {figures[1]:>6}  {figures[2]:>5}  {row.count:6,}"
        )
    return lines + (_matrix(shown, evaluation, width) if len(labels) <= MAX_SHOWN else [])


def _matrix(shown: Sequence[str], evaluation: Evaluation, width: int) -> list[str]:
    rows = evaluation.confusion.tolist()
    cells = max(6, *(len(f"{count:,}") + 1 for row in rows for count in row))
    numbers = "".join(f"{number:>{cells}}" for number in range(1, len(shown) + 1))
    lines = [
        "confusion matrix: true classes in rows, predicted ones in columns",
        f"{'':<{width}}     {numbers}",
    ]
    for number, (label, row) in enumerate(zip(shown, rows, strict=True), 1):
        counts = "".join(f"{count:>{cells},}" for count in row)
        lines.append(f"{label:<{width}} {number:>3} {counts}")
    return lines
