"""``charrnn score``: how likely a text is, or each of its lines."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Never

import typer

from charrnn.cli import completions
from charrnn.cli.options import exclusive, fit_text, newest_checkpoint, requires
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqdm import tqdm

    from charrnn.models import Model
    from charrnn.scoring.line_scorer import LineScore
    from charrnn.text.vocabulary import Ids

TEXT, LINES, OUTPUT = "Model and text", "Lines", "Output"


def score(
    context: typer.Context,
    *,
    file: Annotated[str, typer.Argument(help="The text; - is stdin.", metavar="FILE")] = "-",
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "-c",
            "--checkpoint",
            metavar="PATH",
            autocompletion=completions.models,
            help="The checkpoint; with --lines, several to compare. [default: newest in "
            "./checkpoints]",
            rich_help_panel=TEXT,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Score independent windows of N characters, each from a zero state. [default: "
            "carry the state through the whole text]",
            rich_help_panel=TEXT,
        ),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip", "charge"] | None,
        typer.Option(
            help="What to do with unknown characters; charge, with --lines: count each as very "
            "unlikely. [default: error; charge if checkpoints are compared]",
            rich_help_panel=TEXT,
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Encoding of the text.", rich_help_panel=TEXT)
    ] = "utf-8",
    lines: Annotated[
        bool,
        typer.Option(
            "--lines",
            help="Score each line on its own, as it arrives: one JSON object per line.",
            rich_help_panel=LINES,
        ),
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Only lines of X bits per character or more.",
            metavar="X",
            rich_help_panel=LINES,
        ),
    ] = None,
    at_most: Annotated[
        float | None,
        typer.Option(
            help="Only lines of X bits per character or less.",
            metavar="X",
            rich_help_panel=LINES,
        ),
    ] = None,
    sort: Annotated[
        bool,
        typer.Option(
            "--sort",
            help="Most bits per character first, at the end of the input.",
            rich_help_panel=LINES,
        ),
    ] = False,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Only the N lines of the most bits per character, in that order.",
            rich_help_panel=LINES,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One JSON object; with --lines, one per line.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    tsv: Annotated[
        bool,
        typer.Option(
            "--tsv",
            help="With --lines: tab-separated, with a row of names.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
) -> None:
    """Say how likely a text is: in nats and bits per character, and as perplexity.

    charrnn score chapter.txt --json
    charrnn score --lines --top 10 --unknown charge < access.log
    charrnn score --lines -c english -c french lines.txt
    """
    from charrnn.cli.console import console, is_terminal
    from charrnn.models import Model

    requires(context, "--lines", "--threshold", "--at-most", "--sort", "--top", "--tsv")
    exclusive(context, "--lines", "--window")
    exclusive(context, "--json", "--tsv")
    paths = checkpoint or [newest_checkpoint()]
    if not lines and (len(paths) > 1 or unknown == "charge"):
        what = "several checkpoints go" if len(paths) > 1 else "--unknown charge goes"
        raise ConfigError(f"{what} with --lines", hint="add --lines")
    names, loaded = _names(paths), [Model.load(path) for path in paths]
    if file == "-" and is_terminal(sys.stdin):
        console.note("reading the text from the terminal; Ctrl-D ends it")
    if not lines:
        _score_text(loaded[0], file, encoding, window, skip=unknown == "skip", as_json=as_json)
        return
    from charrnn.cli.line_scores import Wanted, write_scores

    wanted = Wanted(sort=sort, top=top, at_least=threshold, at_most=at_most, tsv=tsv)
    write_scores(file, encoding, dict(zip(names, loaded, strict=True)), unknown, wanted)


def _names(paths: list[Path]) -> list[str]:
    """Return a name for each checkpoint: its stem, or its path if another has the same stem."""
    stems = [path.stem for path in paths]
    names = [
        stem if stems.count(stem) == 1 else str(path)
        for stem, path in zip(stems, paths, strict=True)
    ]
    if len(set(names)) < len(names):
        raise ConfigError(
            "one checkpoint is named twice: there is nothing to compare",
            hint="give another after each -c",
        )
    return names


def _score_text(
    model: "Model", file: str, encoding: str, window: int | None, *, skip: bool, as_json: bool
) -> None:
    from charrnn.cli.console import console
    from charrnn.scoring.scores import score as score_ids
    from charrnn.scoring.scores import total
    from charrnn.text.reading import Reader, read_lines
    from charrnn.text.storage import store

    vocabulary, skipped = model.vocabulary, 0

    def pieces() -> "Iterator[Ids]":
        nonlocal skipped
        for piece in Reader(encoding, model.config.data.normalize).pieces(file):
            unknown: Literal["skip", "error"] = "skip" if skip else "error"
            fitted = fit_text(piece, vocabulary, normalize="none", unknown=unknown)
            skipped += len(piece) - len(fitted)
            yield vocabulary.encode(fitted)

    def line_scores(bar: "tqdm[Never]") -> "Iterator[LineScore]":
        nonlocal skipped
        lines = (line for block in read_lines(file, encoding=encoding) for line in block if line)
        for line in model.score_lines(lines, unknown="skip" if skip else "error"):
            skipped += line.unknown
            bar.update(line.chars)
            yield line

    with console.counter(" chars") as bar:
        if model.config.data.lines and window is None:
            result = total(line_scores(bar))
        else:
            ids = store(pieces())
            result = score_ids(model.distribution(), ids, window=window, on_progress=bar.update)
    if skipped:
        console.note(f"skipped {skipped} unknown characters")
    figures = {
        "nats_per_char": result.nats_per_char,
        "bits_per_char": result.bits_per_char,
        "perplexity": result.perplexity,
        "chars": result.chars,
    }
    if as_json:
        console.write(json.dumps(figures) + "\n")
        return
    rows = [(name, f"{figure:.4f}") for name, figure in list(figures.items())[:3]]
    console.table(("measure", "value"), [*rows, ("chars", str(result.chars))])
