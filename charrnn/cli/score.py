"""``charrnn score``: how likely a text is, or each of its lines."""

from dataclasses import replace
from pathlib import Path

import typer

from charrnn.cli.console import console
from charrnn.cli.options import argument, checkpoint_option, exclusive, flag, option, requires
from charrnn.cli.texts import expect_text, model_name, newest_checkpoint, read_ids, read_stdin_once
from charrnn.config import UnknownCharacters
from charrnn.errors import ConfigError

_UNKNOWN = "Unknown characters; charge, with --lines: count each as very unlikely."
_LINES = "Score each line, or piece of a model of pieces, on its own, as it arrives."
_MEMORY = "Remember what was read: it helps to predict the rest."
_NO_NGRAM = "Score without the n-grams: on its own training text they know each line."
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
    unknown: UnknownCharacters | None = option(
        _UNKNOWN, "Text", unset="error; charge with --lines"
    ),
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
    from charrnn.text.storage import store

    loaded = [Model.load(path) for path in paths]
    if no_ngram:
        loaded = [replace(model, ngram=None) for model in loaded]
    read_stdin_once(file)
    if lines:
        from charrnn.cli import line_scores

        models = dict(zip(name_models(paths), loaded, strict=True))
        piece, found = line_scores.score_lines(file, encoding, models, unknown or "charge")
        if threshold is not None or at_most is not None:
            found = line_scores.keep_between(found, threshold, at_most)
        if sort or top is not None:
            found = line_scores.sort_lines(found, top)
        if console.shows_text and not (json or tsv):
            line_scores.show_lines(found)
        else:
            line_scores.write_lines(found, list(models), piece, tsv=tsv)
        return
    from tqdm import tqdm

    (model,) = loaded
    blocks = read_ids(model, file, encoding, "skip" if unknown == "skip" else "error")
    with tqdm(unit=" characters", delay=1, leave=False, disable=not console.can_draw) as bar:
        total = model.score_ids(store(blocks), window=window, memory=memory, on_progress=bar.update)
    measures = ("nats_per_char", "bits_per_char", "perplexity", "chars")
    figures = {name: getattr(total, name) for name in measures}
    if json:
        console.write_json(figures)
        return
    rows = [(name, f"{it:.4f}" if name != "chars" else str(it)) for name, it in figures.items()]
    console.table(("measure", "value"), rows)


def name_models(paths: list[Path]) -> list[str]:
    """Return a name for each checkpoint: its own, or its path if another has the same."""
    names = [model_name(path) for path in paths]
    if len(set(paths)) < len(paths):
        raise ConfigError(
            "one checkpoint is named twice: there is nothing to compare",
            hint="give another after each -c",
        )
    return [
        name if names.count(name) == 1 else str(path)
        for name, path in zip(names, paths, strict=True)
    ]
