"""``charrnn xray``: a text as a model sees it, character by character."""

from pathlib import Path
from typing import Literal, get_args

import typer

from charrnn.cli.options import argument, checkpoint_option, exclusive, flag, option, requires
from charrnn.cli.texts import TextReader, UnknownPolicy, expect_text, newest_checkpoint
from charrnn.errors import ConfigError

# Those of charrnn.scoring.features, which NumPy comes with.
FeatureName = Literal[
    "all", "quotes", "brackets", "bracket-depth", "line-position", "indentation", "comments",
    "digits", "capitals", "whitespace", "punctuation", "word-position", "sentence-start"
]  # fmt: skip
PartName = Literal[
    "cell", "hidden", "input", "forget", "candidate", "output", "reset", "update"
]  # fmt: skip

_FIND = f"Rank units that keep track of {', '.join(get_args(FeatureName)[1:])} or of all."
_TOP = (
    "The N characters that were most expected in each place; with --find, the N best units of "
    "each feature."
)


def xray(
    context: typer.Context,
    *,
    file: str | None = argument("FILE", "The text; - is stdin. [default: -]", default=None),
    checkpoint: Path | None = checkpoint_option("Text", "The model."),
    seed: str | None = option("The text itself, in place of a file.", "Text"),
    unknown: UnknownPolicy = option("What to do with unknown characters.", "Text", default="error"),
    encoding: str = option("Encoding of the file.", "Text", default="utf-8"),
    unit: int | None = option("Show activations of unit N, not surprise.", "Units", min=0),
    layer: int | None = option("Its layer, from 0.", "Units", unset="0; all with --find", min=0),
    part: PartName | None = option("Its part.", "Units", unset="cell if it has one, else hidden"),
    find: FeatureName | None = option(_FIND, "Units", metavar="FEATURE"),
    top: int | None = option(_TOP, "Output", unset="3; 5 in --html; 0 with --unit", min=0),
    html: Path | None = option("Write a page to explore in a browser, or - for stdout.", "Output"),
    overwrite: bool = flag("Replace a page.", "Output", "--overwrite"),
    as_json: bool = flag("One JSON object per character or unit.", "Output", "--json"),
) -> None:
    """Show what surprises a model in a text, what it expected, and what its units do.

    charrnn xray chapter.txt
    charrnn xray chapter.txt --find capitals
    charrnn xray chapter.txt --html chapter.html
    """
    exclusive(context, "--html", "--json")
    exclusive(context, "--unit", "--find")
    requires(context, "--html", "--overwrite")
    if file is not None and seed is not None:
        raise ConfigError("a file and --seed contradict each other", hint="give one of them")
    if {unit, find, html} == {None} and (layer, part) != (None, None):
        raise ConfigError("--layer and --part go with units", hint="add --unit N or --find all")

    from charrnn.cli.outputs import check_output
    from charrnn.cli.xray_view import Subject, find_place, print_units, show_text, write_page
    from charrnn.models import Model

    expect_text(file or "-")
    path = checkpoint or newest_checkpoint()
    check_output(html, "--html", "page", overwrite=overwrite, others=[file, path])
    model = Model.load(path)
    place = find_place(model.config.model, layer, part, unit)
    subject = Subject(TextReader(model, encoding, unknown), file or "-", seed, place, unit, top)
    if html is not None:
        write_page(subject, html, layer=layer, feature=find, name=path.stem)
    elif find is not None:
        print_units(subject, layer=layer, feature=find, as_json=as_json)
    else:
        show_text(subject, as_json=as_json)
