"""``charrnn xray``: a text as a model sees it, character by character."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from charrnn.cli.options import (
    OUTPUT,
    UnknownPolicy,
    exclusive,
    newest_checkpoint,
    option,
    requires,
)
from charrnn.errors import ConfigError

# Those of charrnn.scoring.features, which NumPy comes with.
FeatureName = Literal[
    "all", "quotes", "brackets", "bracket-depth", "line-position", "indentation", "comments",
    "digits", "capitals", "whitespace", "punctuation", "word-position", "sentence-start"
]  # fmt: skip
PartName = Literal[
    "cell", "hidden", "input", "forget", "candidate", "output", "reset", "update"
]  # fmt: skip

TEXT, UNIT = "Text", "Units"
_FEATURES = ", ".join(get_args(FeatureName)[1:])
_TOP = (
    "The N characters that were most expected in each place; with --find, the N best units of "
    "each feature."
)


def xray(
    context: typer.Context,
    *,
    file: Annotated[
        str | None, typer.Argument(help="The text; - is stdin. [default: -]", metavar="FILE")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        option("The model.", TEXT, "newest in ./checkpoints", "-c", "--checkpoint"),
    ] = None,
    seed: Annotated[str | None, option("The text itself, in place of a file.", TEXT)] = None,
    unknown: Annotated[
        UnknownPolicy, option("What to do with unknown characters.", TEXT)
    ] = "error",
    encoding: Annotated[str, option("Encoding of the file.", TEXT)] = "utf-8",
    unit: Annotated[
        int | None,
        option("Show the activation of unit N, from 0, not the surprise.", UNIT, min=0),
    ] = None,
    layer: Annotated[
        int | None, option("Its layer, from 0.", UNIT, "0; all with --find", min=0)
    ] = None,
    part: Annotated[
        PartName | None, option("The part of the unit.", UNIT, "cell if it has one, else hidden")
    ] = None,
    find: Annotated[
        FeatureName | None,
        option(f"Rank the units that keep track of {_FEATURES} or of all.", UNIT,
               metavar="FEATURE"),
    ] = None,
    top: Annotated[
        int | None, option(_TOP, OUTPUT, "3; 5 in --html; 0 with --unit", min=0)
    ] = None,
    html: Annotated[
        Path | None, option("Write a page to explore in a browser, or - for stdout.", OUTPUT)
    ] = None,
    overwrite: Annotated[bool, option("Replace a page.", OUTPUT, None, "--overwrite")] = False,
    as_json: Annotated[
        bool, option("One JSON object per character or unit.", OUTPUT, None, "--json")
    ] = False,
) -> None:  # fmt: skip
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
    from charrnn.cli.output_files import check_output
    from charrnn.cli.xray_view import Request, print_units, show_text, write_page
    from charrnn.models import Model

    path = checkpoint or newest_checkpoint()
    check_output(html, "--html", "page", overwrite=overwrite, others=[file, path])
    model = Model.load(path)
    request = Request(model, file or "-", seed, unknown, encoding, layer, part, unit, find, top)
    if html is not None:
        write_page(request, html, name=path.stem)
    elif find is not None:
        print_units(request, as_json=as_json)
    else:
        show_text(request, as_json=as_json)
