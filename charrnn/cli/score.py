"""``charrnn score``: how likely a text is, or each of its lines."""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from charrnn.cli.console import console
from charrnn.cli.options import argument, checkpoint_option, exclusive, flag, option, requires
from charrnn.cli.texts import TextReader, expect_text, newest_checkpoint, note_terminal
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from charrnn.scoring.scores import Score

Policy = Literal["error", "skip", "charge"]
_UNKNOWN = "Unknown characters; charge, with --lines: count each as very unlikely."
_LINES = "Score each line, or piece of a model of pieces, on its own, as it arrives."
_MEMORY = "Remember what was read: it helps to predict the rest."
_NO_NGRAM = "The network alone: its n-grams expect each line of the training text."
_WINDOW = "Score independent windows of N characters, each from a zero state."


def score(
    context: typer.Context,
    *,
    file: str = argument("FILE", "The text; - is stdin.", default="-"),
    checkpoint: list[Path] | None = checkpoint_option(
        "Text", "The checkpoint; with --lines, several to compare."
    ),
    window: int | None = option(_WINDOW, "Text", unset="the whole text", min=1),
    no_ngram: bool = flag(_NO_NGRAM, "Text", "--no-ngram"),
    memory: bool = flag(_MEMORY, "Text", "--memory"),
    unknown: Policy | None = option(_UNKNOWN, "Text", unset="error; charge with --lines"),
    encoding: str = option("Encoding of the text.", "Text", default="utf-8", metavar="NAME"),
    lines: bool = flag(_LINES, "Lines", "--lines", "--pieces"),
    threshold: float | None = option(
        "Lines of X bits per character or more.", "Lines", metavar="X"
    ),
    at_most: float | None = option("Lines of X bits per character or less.", "Lines", metavar="X"),
    sort: bool = flag("Most bits per character first, at the end.", "Lines", "--sort"),
    top: int | None = option("The N lines of the most bits per character.", "Lines", min=1),
    json: bool = flag("One JSON object; with --lines, one per line.", "Output", "--json"),
    tsv: bool = flag("With --lines: tab-separated, with a row of names.", "Output", "--tsv"),
) -> None:
    """Say how likely a text is: in nats and bits per character, and as perplexity.

    charrnn score chapter.txt --json
    charrnn score --lines --top 10 < access.log
    charrnn score --lines -c english -c french lines.txt
    """
    requires(context, "--lines", "--threshold", "--at-most", "--sort", "--top", "--tsv")
    exclusive(context, "--lines", "--window", "--memory")
    exclusive(context, "--json", "--tsv")
    expect_text(file)
    paths = checkpoint or [newest_checkpoint()]
    if not lines and (len(paths) > 1 or unknown == "charge"):
        what = "several checkpoints go" if len(paths) > 1 else "--unknown charge goes"
        raise ConfigError(f"{what} with --lines", hint="add --lines")

    from charrnn.models import Model

    note_terminal(file, "text")
    loaded = [Model.load(path) for path in paths]
    if no_ngram:
        loaded = [replace(model, ngram=None) for model in loaded]
    if lines:
        from charrnn.cli.line_scores import choose_lines, score_lines, show_lines, write_lines

        models = dict(zip(name_models(paths), loaded, strict=True))
        piece, scored = score_lines(file, encoding, models, unknown or "charge")
        chosen = choose_lines(scored, threshold=threshold, at_most=at_most, sort=sort, top=top)
        if console.shows_text and not (json or tsv):
            show_lines(chosen)
        else:
            write_lines(chosen, list(models), piece, tsv=tsv)
        return
    reader = TextReader(loaded[0], encoding, "skip" if unknown == "skip" else "error")
    found = score_text(reader, file, window, memory=memory)
    reader.note_skipped()
    measures = ("nats_per_char", "bits_per_char", "perplexity", "chars")
    figures = {name: getattr(found, name) for name in measures}
    if json:
        console.write_json(figures)
        return
    rows = [(name, f"{it:.4f}" if name != "chars" else str(it)) for name, it in figures.items()]
    console.table(("measure", "value"), rows)


def name_models(paths: list[Path]) -> list[str]:
    """Return a name for each checkpoint: its stem, or its path if another has the same stem."""
    stems = [path.stem for path in paths]
    if len(set(paths)) < len(paths):
        raise ConfigError(
            "one checkpoint is named twice: there is nothing to compare",
            hint="give another after each -c",
        )
    return [it.stem if stems.count(it.stem) == 1 else str(it) for it in paths]


def score_text(reader: TextReader, file: str, window: int | None, *, memory: bool) -> "Score":
    """Return how likely a file is: as one text, or in windows, or of a model of pieces by piece."""
    from charrnn.generate.remembering import score_with_memory
    from charrnn.scoring import scores
    from charrnn.text.pieces import flatten_pieces
    from charrnn.text.storage import store

    model = reader.model
    with console.counter("characters") as count:
        if model.config.data.end is not None and window is None and not memory:
            return scores.total(score_pieces(reader, file, count))
        ids, end = store(reader.blocks(file)), None
        if not memory:
            return scores.score(model.distribution(), ids, window=window, on_progress=count)
        if model.config.data.end is not None:
            end = model.vocabulary.index[model.config.data.end]
            ids = flatten_pieces(ids, end)
        return score_with_memory(model.distribution(), ids, end=end, on_progress=count)


def score_pieces(
    reader: TextReader, file: str, on_progress: "Callable[[int], object]"
) -> "Iterator[Score]":
    """Yield how likely each piece of a file is."""
    from charrnn.text.cut import read_pieces

    data = replace(reader.model.config.data, normalize="none")
    blocks = read_pieces(file, data, encoding=reader.encoding)
    pieces = filter(None, chain.from_iterable(blocks))
    policy: Policy = "skip" if reader.unknown == "skip" else "error"
    for piece in reader.model.score_lines(pieces, unknown=policy):
        reader.skipped += piece.unknown
        on_progress(piece.chars)
        yield piece
