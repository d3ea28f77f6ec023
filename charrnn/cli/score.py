"""``charrnn score``: how likely a text is."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charrnn.cli.options import fit_text, newest_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from charrnn.text.vocabulary import Ids


def score(
    *,
    file: Annotated[str, typer.Argument(help="The text; - is stdin.", metavar="FILE")] = "-",
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--checkpoint",
            help="The checkpoint. [default: newest in ./checkpoints]",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Score independent windows of N characters, each from a zero state. [default: "
            "carry the state through the whole text]",
        ),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip"],
        typer.Option(help="What to do with unknown characters."),
    ] = "error",
    encoding: Annotated[str, typer.Option(help="Encoding of the text.")] = "utf-8",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say how likely a text is: in nats and bits per character, and as perplexity.

    charrnn score chapter.txt --json
    """
    from charrnn.cli import terminal
    from charrnn.inference.scoring import score as score_ids
    from charrnn.models import Model
    from charrnn.text.reading import Reader

    loaded = Model.load(checkpoint or newest_checkpoint())
    if file == "-" and terminal.is_terminal(sys.stdin):
        terminal.note("reading the text from the terminal; Ctrl-D ends it")
    vocabulary, skipped = loaded.vocabulary, 0

    def pieces() -> "Iterator[Ids]":
        nonlocal skipped
        for piece in Reader(encoding, loaded.config.data.normalize).pieces(file):
            fitted = fit_text(piece, vocabulary, normalize="none", unknown=unknown)
            skipped += len(piece) - len(fitted)
            yield vocabulary.encode(fitted)

    with terminal.counting(unit=" chars") as bar:
        result = score_ids(loaded.network(), pieces(), window=window, on_progress=bar.update)
    if skipped:
        terminal.note(f"skipped {skipped} unknown characters")
    figures = {
        "nats_per_char": result.nats_per_char,
        "bits_per_char": result.bits_per_char,
        "perplexity": result.perplexity,
        "chars": result.chars,
    }
    if as_json:
        terminal.write(json.dumps(figures) + "\n")
        return
    rows = [(name, f"{figure:.4f}") for name, figure in list(figures.items())[:3]]
    terminal.print_table(("measure", "value"), [*rows, ("chars", str(result.chars))])
