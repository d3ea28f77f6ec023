"""``charrnn classify``: say to which class each line belongs, or how often that is right."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import completions
from charrnn.cli.options import require_one_of, require_with
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.models import Classifier
    from charrnn.models.judging import Judgement
    from charrnn.text.labelled import Labelled

LABELLED = "Labeled texts"
SHOWN_ERRORS = 5
# Characters of a text that the report shows.
TEXT_WIDTH = 100


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
        str,
        typer.Argument(metavar="FILE", help="One text per line, or labeled texts; - is stdin."),
    ] = "-",
    *,
    threshold: Annotated[
        float | None,
        typer.Option(help="No label for lines whose likeliest class is less probable than this."),
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON object per line, with all probabilities.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The same; with --labelled, one JSON object.")
    ] = False,
    encoding: Annotated[str, typer.Option(help="Encoding of the lines.")] = "utf-8",
    labelled: Annotated[
        bool,
        typer.Option(
            "--labelled",
            help="Say how often the classifier is right: FILE has labels, as train-classifier "
            "reads them.",
            rich_help_panel=LABELLED,
        ),
    ] = False,
    label_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|N",
            help="Where the label is: name of a column or key, or a number from 1. [default: "
            "label, or 1]",
            rich_help_panel=LABELLED,
        ),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|N",
            help="Where the text is. [default: text, or 2]",
            rich_help_panel=LABELLED,
        ),
    ] = None,
    show_errors: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help=f"Show the N texts that got the wrong label with the highest probability. "
            f"[default: {SHOWN_ERRORS}]",
            rich_help_panel=LABELLED,
        ),
    ] = None,
) -> None:
    """Say to which class each line belongs, and how probable that is: label TAB probability.

    charrnn classify language.npz < lines.txt
    charrnn classify language.npz lines.txt --jsonl --threshold 0.9
    charrnn classify language.npz labelled.tsv --labelled
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ConfigError(f"threshold must be from 0 to 1, not {threshold}")
    require_one_of(jsonl=jsonl, labelled=labelled)
    if not labelled:
        require_with(
            "--labelled",
            label_column=label_column,
            text_column=text_column,
            show_errors=show_errors,
        )
    from charrnn.cli import terminal
    from charrnn.models import Classifier
    from charrnn.text.labelled import Columns, read_labelled

    loaded = Classifier.load(checkpoint)
    if file == "-" and terminal.is_terminal(sys.stdin):
        terminal.note("reading lines from the terminal; Ctrl-D ends them")
    if not labelled:
        _label(loaded, file, encoding, threshold, as_json=jsonl or as_json)
        return
    examples = read_labelled(
        [file],
        encoding=encoding,
        normalize=loaded.config.data.normalize,
        columns=Columns(label_column, text_column),
    )
    shown = SHOWN_ERRORS if show_errors is None else show_errors
    _judge(loaded, examples, threshold, shown, as_json=as_json)


def _label(
    loaded: "Classifier", file: str, encoding: str, threshold: float | None, *, as_json: bool
) -> None:
    """Write the label of each line, and its probability."""
    from charrnn.cli import terminal
    from charrnn.text.reading import read_lines
    from charrnn.text.vocabulary import escape

    for lines in read_lines(file, encoding=encoding):
        answers = []
        for text, probabilities in zip(lines, loaded.predict_proba(lines), strict=True):
            best = int(probabilities.argmax())
            probability = float(probabilities[best])
            unsure = threshold is not None and probability < threshold
            label = None if unsure or not text else loaded.labels[best]
            if not as_json:
                answers.append(f"{escape(label or '')}\t{probability:.4f}\n")
                continue
            every = dict(zip(loaded.labels, map(float, probabilities), strict=True))
            entry = {"text": text, "label": label, "probability": probability}
            answers.append(json.dumps({**entry, "probabilities": every}, ensure_ascii=False) + "\n")
        terminal.write("".join(answers))


def _judge(
    loaded: "Classifier",
    examples: "Labelled",
    threshold: float | None,
    shown: int,
    *,
    as_json: bool,
) -> None:
    """Write how well the classifier does on labeled texts."""
    from charrnn.cli import terminal
    from charrnn.cli.class_report import record_of
    from charrnn.models.judging import judge

    with terminal.counting(unit=" texts") as bar:
        found = judge(loaded, examples, threshold=threshold, on_progress=bar.update)
    if not as_json:
        terminal.write("\n".join(_report(loaded, found, shown)) + "\n")
        return
    record = {
        "texts": found.texts,
        "answered": found.answered,
        **record_of(loaded.labels, found.evaluation),
        "errors": [asdict(mistake) for mistake in found.mistakes[:shown]],
    }
    terminal.write(json.dumps(record, ensure_ascii=False) + "\n")


def _report(loaded: "Classifier", found: "Judgement", shown: int) -> list[str]:
    from charrnn.cli.class_report import lines_of
    from charrnn.text.vocabulary import escape

    lines = []
    if found.answered < found.texts:
        silent = f"{found.texts - found.answered:,} of {found.texts:,} texts got no label"
        if not found.answered:
            return [silent]
        lines.append(f"{silent}; the others:")
    lines += lines_of(loaded.labels, found.evaluation, "texts")
    if wrong := found.mistakes[:shown]:
        lines.append(f"most probable wrong labels, {len(wrong)} of {len(found.mistakes):,}:")
    for it in wrong:
        text = escape(it.text)
        cut = text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 3] + "..."
        where = "" if it.line is None else f"line {it.line}: "
        wrong_label = f"{escape(it.label)} taken for {escape(it.predicted)}"
        lines.append(f"{where}{wrong_label} ({it.probability:.4f}): {cut}")
    return lines
