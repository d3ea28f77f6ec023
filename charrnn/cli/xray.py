"""``charrnn xray``: a text as a model sees it, character by character."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import typer

from charrnn.cli import texts
from charrnn.cli.console import console, is_terminal, to_json
from charrnn.cli.options import argument, checkpoint_option, exclusive, flag, option, requires
from charrnn.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from charrnn.cli.xray_view import View
    from charrnn.scoring.xray import Trace

# Those of charrnn.scoring.features, which NumPy comes with.
FeatureName = Literal[
    "all", "quotes", "brackets", "line-position", "indentation", "digits", "capitals",
    "whitespace", "punctuation", "word-position"
]  # fmt: skip
PartName = Literal[
    "cell", "hidden", "input", "forget", "candidate", "output", "reset", "update"
]  # fmt: skip

_FIND = f"Rank units that keep track of {', '.join(get_args(FeatureName)[1:])} or of all."
_TOP = "The N likeliest characters in each place; with --find, the N best units of each feature."
_PART = f"Its part: {', '.join(get_args(PartName))}."
_TOPS = "3; 5 in --html; 0 with --unit"

TOP = 3
# Of a page: characters, guesses for each of them.
MAX_CHARS, PAGE_TOP = 20_000, 5
# Activations that are held at once to find units, 4 bytes each.
MAX_VALUES = 1 << 25


def xray(
    context: typer.Context,
    *,
    file: str | None = argument("FILE", "The text; - is stdin.", default=None, unset="-"),
    checkpoint: Path | None = checkpoint_option("Text", "The model."),
    seed: str | None = option("The text itself, in place of a file.", "Text", metavar="TEXT"),
    unknown: texts.UnknownPolicy = option(
        "What to do with unknown characters.", "Text", default="error"
    ),
    encoding: str = option("Encoding of the file.", "Text", default="utf-8", metavar="NAME"),
    unit: int | None = option("Show activations of unit N, not surprise.", "Units", min=0),
    layer: int | None = option("Its layer, from 0.", "Units", unset="0; all with --find", min=0),
    part: PartName | None = option(
        _PART, "Units", unset="cell if it has one, else hidden", metavar="PART"
    ),
    find: FeatureName | None = option(_FIND, "Units", metavar="FEATURE"),
    top: int | None = option(_TOP, "Output", unset=_TOPS, min=0),
    html: Path | None = option(
        "Write a page to explore in a browser, or - for stdout.", "Output", metavar="FILE"
    ),
    overwrite: bool = flag("Replace a page.", "Output", "--overwrite"),
    json: bool = flag("One JSON object per character or unit.", "Output", "--json"),
) -> None:
    """Show what surprises a model in a text, what it expected, and what its units do.

    charrnn xray chapter.txt
    charrnn xray chapter.txt --find capitals
    charrnn xray chapter.txt --html chapter.html
    """
    exclusive(context, "--html", "--json")
    exclusive(context, "--html", "--find")
    exclusive(context, "--unit", "--find")
    requires(context, "--html", "--overwrite")
    if file is not None and seed is not None:
        raise ConfigError("a file and --seed contradict each other", hint="give one of them")
    of_units = (unit, find, html) != (None, None, None)
    if (layer, part) != (None, None) and not of_units:
        raise ConfigError("--layer and --part go with units", hint="add --unit N or --find all")

    from charrnn.cli.outputs import check_output, write_output
    from charrnn.cli.xray_view import View
    from charrnn.models import Model
    from charrnn.scoring.xray import is_signed, join, require_number, require_part, trace_text

    texts.expect_text(file or "-")
    path = checkpoint or texts.newest_checkpoint()
    check_output(html, "--html", "page", overwrite=overwrite, others=[file, path])
    model = Model.load(path)
    network, size = model.distribution(), model.config.model
    width = size.members * size.hidden_size
    part_name = require_part(network.cell, part)
    require_number("layer", layer, size.layers)
    require_number("unit", unit, width)
    chosen = None if unit is None else (layer or 0, unit)

    if top is None:
        top = PAGE_TOP if html else TOP if unit is None or json else 0
    settings: Any = {"top": 0 if find else top, "parts": [part_name] if of_units else []}
    traces: Iterable[Trace]
    if seed is not None:
        traces = [model.xray(texts.fit_prompt(seed, model, unknown, "--seed"), **settings)]
    else:
        texts.read_stdin_once(file or "-")
        blocks = texts.read_ids(model, file or "-", encoding, unknown)
        traces = trace_text(network, model.vocabulary, blocks, end=model.end_id, **settings)
    if html is None and find is None:
        view = View(console.rich(), chosen, signed=is_signed(network.cell, part_name))
        show_text(traces, view, as_json=json)
        return

    limit = MAX_CHARS if html else MAX_VALUES // (size.layers * width)
    trace = join(traces, limit)
    name = "a text" if seed is not None else "standard input" if file in {None, "-"} else file
    if len(trace) == limit:
        console.note(f"this shows the first {limit:,} characters of {name}")
    if find is not None:
        show_units(trace, find, layer, top, as_json=json)
    elif html is not None:
        from charrnn.export.xray_page import xray_page

        about = f"{texts.model_name(path)}: {size.shape}"
        write_output(html, xray_page(trace, name, about, chosen), f", {len(trace):,} characters")


def show_text(traces: "Iterable[Trace]", view: "View", *, as_json: bool) -> None:
    """Write a text as the model sees it, or as a unit does, and its mean surprise."""
    import numpy as np

    total, chars = 0.0, 0

    def counted() -> "Iterator[Trace]":
        nonlocal total, chars
        for trace in traces:
            yield trace
            total += float(np.nansum(trace.nats, dtype=np.float64))
            chars += int(np.count_nonzero(~np.isnan(trace.nats)))

    if as_json:
        position = 0
        for trace in counted():
            found = enumerate(records(trace, view.unit), position)
            rows = (to_json({"position": at, **record}) for at, record in found)
            console.write("".join(f"{row}\n" for row in rows))
            position += len(trace)
    else:
        with console.stdout():
            view.draw(counted())
        if is_terminal(sys.stderr):
            console.rich(sys.stderr).print(view.legend(), soft_wrap=True)
    if chars:
        console.note(f"{total / chars:.3f} nats per character, {chars:,} characters predicted")


def records(trace: "Trace", unit: tuple[int, int] | None) -> "Iterator[dict[str, Any]]":
    """Yield an object for each character; ``unit``, a layer and a number, with its activation."""
    for at, (char, nats) in enumerate(zip(trace.text, trace.nats.tolist(), strict=True)):
        record = {"char": char, "nats": round(nats, 5)}
        if unit is not None:
            (values,) = trace.activations.values()
            record["activation"] = round(float(values[at, *unit]), 5)
        guesses = trace.alternatives(at)
        yield {**record, "top": [{"char": it, "probability": round(p, 6)} for it, p in guesses]}


def show_units(trace: "Trace", feature: str, layer: int | None, top: int, *, as_json: bool) -> None:
    """Write which units keep track of a feature, or of "all"; ``layer`` None: of all layers."""
    from charrnn.scoring.xray import Found

    found = trace.find(*([] if feature == "all" else [feature]), layer=layer, top=top)
    if not found and top:
        raise CorpusError(
            f"{'any feature' if feature == 'all' else feature} never varies in this text: "
            "there is nothing to find",
            hint="name a longer text, or another feature",
        )
    if as_json:
        for it in found:
            console.write_json(it._asdict())
        return
    rows = [[f"{it:.3f}" if isinstance(it, float) else str(it) for it in row] for row in found]
    console.table(Found._fields, rows)
