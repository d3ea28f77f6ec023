"""``charrnn xray``: a text as a model sees it, character by character."""

import sys
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import typer

from charrnn.cli.console import console, is_terminal, to_json
from charrnn.cli.options import argument, checkpoint_option, exclusive, flag, option, requires
from charrnn.cli.texts import TextReader, UnknownPolicy, expect_text, newest_checkpoint
from charrnn.errors import ConfigError, CorpusError, VocabularyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from charrnn.cli.xray_view import Unit
    from charrnn.nn.ensemble import AnyLanguageModel
    from charrnn.scoring.xray import Place, Trace, Xray

# Those of charrnn.scoring.features, which NumPy comes with.
FeatureName = Literal[
    "all", "quotes", "brackets", "bracket-depth", "line-position", "indentation", "comments",
    "digits", "capitals", "whitespace", "punctuation", "word-position", "sentence-start"
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
    unknown: UnknownPolicy = option("What to do with unknown characters.", "Text", default="error"),
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
    if {unit, find, html} == {None} and (layer, part) != (None, None):
        raise ConfigError("--layer and --part go with units", hint="add --unit N or --find all")

    from charrnn.cli.outputs import check_output
    from charrnn.models import Model

    expect_text(file or "-")
    path = checkpoint or newest_checkpoint()
    check_output(html, "--html", "page", overwrite=overwrite, others=[file, path])
    model = Model.load(path)
    subject = Subject(TextReader(model, encoding, unknown), model.distribution(), file, seed, top)
    shown = find_unit(subject, layer, part, unit)
    if html is not None:
        write_page(subject, html, shown, name=path.stem)
    elif find is not None:
        show_units(subject, layer, shown.place.part, find, as_json=json)
    else:
        show_text(subject, shown, as_json=json)


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    reader    reads the text as the model knows it
    network   predicts it
    file      the text, or
    seed      the text itself; standard input without either
    top       how many guesses, or units; None: as many as suit what is shown
    """

    reader: TextReader
    network: "AnyLanguageModel"
    file: str | None
    seed: str | None
    top: int | None

    @property
    def name(self) -> str:
        """What the text is called."""
        name = "standard input" if self.file in {None, "-"} else self.file
        return name if self.seed is None else "a text"

    def traces(self, top: int, places: "Iterable[Place]") -> "Iterator[Trace]":
        """Yield what the model does, as the text arrives."""
        from charrnn.scoring.xray import trace_text

        model, top = self.reader.model, top if self.top is None else self.top
        end = None if (it := model.config.data.end) is None else model.vocabulary.index[it]
        blocks = filter(len, self.reader.blocks(self.file or "-", self.seed))
        try:
            if (first := next(blocks, None)) is None:
                raise CorpusError("there is no text to look at", hint="name a file that has some")
            yield from trace_text(
                self.network, chain([first], blocks), top=top, places=places, end=end
            )
        except VocabularyError as error:
            if self.seed is None:
                raise
            raise ConfigError(f"--seed: {error}", hint=error.hint) from error
        self.reader.note_skipped()

    def xray(self, top: int, layers: "Iterable[int]", part: str, limit: int) -> "Xray":
        """Return what the model does with the first characters of the text."""
        from charrnn.scoring.xray import Place, Xray, join

        trace = join(self.traces(top, [Place(layer, part) for layer in layers]), limit)
        if len(trace) == limit:
            console.note(f"this shows the first {limit:,} characters of {self.name}")
        return Xray(self.reader.model.vocabulary, self.network.cell, trace)


def find_unit(subject: Subject, layer: int | None, part: str | None, unit: int | None) -> "Unit":
    """Return a unit; of None, the first layer and the part that says most.

    Raises ConfigError for a layer, part or unit that the model does not have.
    """
    from charrnn.cli.xray_view import Unit
    from charrnn.scoring.xray import Place, bounds, require_part

    model, cell = subject.reader.model.config.model, subject.network.cell
    place, width = Place(layer or 0, require_part(cell, part)), model.members * model.hidden_size
    for what, number, count in (("layer", layer, model.layers), ("unit", unit, width)):
        if number is not None and number >= count:
            has = f"one {what}, 0" if count == 1 else f"{what}s from 0 to {count - 1}"
            raise ConfigError(f"there is no {what} {number}", hint=f"this model has {has}")
    return Unit(place, unit, *bounds(cell, place.part))


def show_text(subject: Subject, unit: "Unit", *, as_json: bool) -> None:
    """Write a text as the model sees it, or as a unit does, and its mean surprise."""
    import numpy as np

    from charrnn.cli.xray_view import View

    view = View(console.rich(), subject.reader.model.vocabulary.characters, unit)
    surprise, chars, seen = 0.0, 0, 0

    def traces() -> "Iterator[Trace]":
        nonlocal surprise, chars
        top = TOP if unit.number is None or as_json else 0
        for trace in subject.traces(top, [] if unit.number is None else [unit.place]):
            yield trace
            surprise += float(np.nansum(trace.nats, dtype=np.float64))
            chars += int(np.count_nonzero(~np.isnan(trace.nats)))

    if as_json:
        for trace in traces():
            rows = ({"position": at, **it} for at, it in enumerate(view.records(trace), seen))
            console.write("".join(f"{to_json(row)}\n" for row in rows))
            seen += len(trace)
    else:
        with console.stdout():
            view.draw(traces())
        if is_terminal(sys.stderr):
            console.rich(sys.stderr).print(view.legend(), soft_wrap=True)
    if chars:
        console.note(f"{surprise / chars:.3f} nats per character, {chars:,} characters predicted")


def show_units(
    subject: Subject, layer: int | None, part: str, feature: str, *, as_json: bool
) -> None:
    """Write which units keep track of a feature, or of "all"; ``layer`` None: of all layers."""
    model, top = subject.reader.model.config.model, TOP if subject.top is None else subject.top
    layers = range(model.layers) if layer is None else [layer]
    limit = MAX_VALUES // (len(layers) * model.members * model.hidden_size)
    xray = subject.xray(0, layers, part, limit)
    found = xray.find(None if feature == "all" else feature, part=part, top=top)
    if not found and top:
        raise CorpusError(
            f"{'any feature' if feature == 'all' else feature} never varies in this text: "
            "there is nothing to find",
            hint="name a longer text, or another feature",
        )
    if by_chance := dict.fromkeys(it.feature for it in found if it.share <= it.chance):
        console.note(f"no more than chance in a text of this length: {', '.join(by_chance)}")
    records = [asdict(it) for it in found]
    if as_json:
        for record in records:
            console.write_json(record)
        return
    rows = [
        [f"{it:.3f}" if isinstance(it, float) else str(it) for it in record.values()]
        for record in records
    ]
    console.table(("feature", "layer", "part", "unit", "share", "chance"), rows)


def write_page(subject: Subject, target: Path, unit: "Unit", *, name: str) -> None:
    """Write a page that shows a text as a model of this name sees it, and opens with a unit."""
    from charrnn.cli.outputs import write_output
    from charrnn.export.xray_page import Opening, xray_page

    model, part = subject.reader.model.config.model, unit.place.part
    xray = subject.xray(PAGE_TOP, range(model.layers), part, MAX_CHARS)
    about = f"{name}: {model.cell} {model.layers} × {model.hidden_size}"
    opening = Opening(subject.name, about, unit.place, unit.number)
    page = xray_page(xray, xray.find(part=part, top=TOP), opening)
    write_output(target, page, f", {len(xray.trace):,} characters")
