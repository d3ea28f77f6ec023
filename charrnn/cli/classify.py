"""``charrnn classify``: say to which class each line belongs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import completions
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.nn.cells import Array


def classify(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="What charrnn train-classifier wrote.",
            autocompletion=completions.checkpoints,
        ),
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="One text per line; - is stdin.")
    ] = "-",
    *,
    threshold: Annotated[
        float | None,
        typer.Option(help="No label for lines whose likeliest class is less probable than this."),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON object per line, with all probabilities.")
    ] = False,
    encoding: Annotated[str, typer.Option(help="Encoding of the lines.")] = "utf-8",
) -> None:
    """Say to which class each line belongs, and how probable that is: label TAB probability.

    charrnn classify language.npz < lines.txt
    charrnn classify language.npz lines.txt --jsonl --threshold 0.9
    charrnn classify language.npz < lines.txt | paste - lines.txt
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ConfigError(f"threshold must be from 0 to 1, not {threshold}")
    import sys

    from charrnn.cli import terminal
    from charrnn.models import Classifier
    from charrnn.text.reading import read_lines
    from charrnn.text.vocabulary import escape

    loaded = Classifier.load(checkpoint)
    if file == "-" and terminal.is_terminal(sys.stdin):
        terminal.note("reading lines from the terminal; Ctrl-D ends them")

    def described(text: str, probabilities: "Array") -> str:
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        unsure = threshold is not None and probability < threshold
        label = None if unsure or not text else loaded.labels[best]
        if not jsonl:
            return f"{escape(label or '')}\t{probability:.4f}\n"
        every = dict(zip(loaded.labels, map(float, probabilities), strict=True))
        entry = {"text": text, "label": label, "probability": probability, "probabilities": every}
        return json.dumps(entry, ensure_ascii=False) + "\n"

    for lines in read_lines(file, encoding=encoding):
        rows = loaded.predict_proba(lines)
        terminal.write("".join(map(described, lines, rows)))
