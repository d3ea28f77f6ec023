"""``charrnn xray``: a text as a model sees it, character by character."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from charrnn.cli.options import UnknownPolicy, exclusive, newest_checkpoint, requires
from charrnn.errors import ConfigError

# Those of charrnn.scoring.features, which NumPy comes with.
FeatureName = Literal[
    "all", "quotes", "brackets", "bracket-depth", "line-position", "indentation", "comments",
    "digits", "capitals", "whitespace", "punctuation", "word-position", "sentence-start"
]  # fmt: skip
PartName = Literal[
    "cell", "hidden", "input", "forget", "candidate", "output", "reset", "update"
]  # fmt: skip

TEXT, UNIT, OUTPUT = "Text", "Units", "Output"


def xray(
    context: typer.Context,
    *,
    file: Annotated[
        str | None, typer.Argument(help="The text; - is stdin. [default: -]", metavar="FILE")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--checkpoint",
            metavar="<path>",
            help="The model. [default: newest in ./checkpoints]",
            rich_help_panel=TEXT,
        ),
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="The text itself, in place of a file.", rich_help_panel=TEXT)
    ] = None,
    unknown: Annotated[
        UnknownPolicy,
        typer.Option(help="What to do with unknown characters.", rich_help_panel=TEXT),
    ] = "error",
    encoding: Annotated[
        str, typer.Option(help="Encoding of the file.", rich_help_panel=TEXT)
    ] = "utf-8",
    unit: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Show the activation of unit N, from 0, instead of the surprise.",
            rich_help_panel=UNIT,
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Its layer, from 0. [default: 0; all with --find]",
            rich_help_panel=UNIT,
        ),
    ] = None,
    part: Annotated[
        PartName | None,
        typer.Option(
            help="The part of the unit. [default: cell if it has one, else hidden]",
            rich_help_panel=UNIT,
        ),
    ] = None,
    find: Annotated[
        FeatureName | None,
        typer.Option(
            metavar="FEATURE",
            help="Rank the units that keep track of "
            f"{', '.join(get_args(FeatureName)[1:])} or of all.",
            rich_help_panel=UNIT,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="The N characters that were most expected in each place; with --find, the N best "
            "units of each feature. [default: 3; 5 in --html; 0 with --unit]",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="<path>",
            help="Write a page to explore in a browser, or - for stdout.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a page.", rich_help_panel=OUTPUT)
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON object per character or unit.", rich_help_panel=OUTPUT
        ),
    ] = False,
) -> None:
    """Show what surprises a model in a text, what it expected, and what its units do.

    charrnn xray chapter.txt

    charrnn xray chapter.txt --find capitals

    charrnn xray chapter.txt --html chapter.html
    """
    from charrnn.cli.output_files import check_output
    from charrnn.cli.xray_output import Request, print_units, show_text, write_page
    from charrnn.models import Model

    exclusive(context, "--html", "--json")
    exclusive(context, "--unit", "--find")
    requires(context, "--html", "--overwrite")
    if file is not None and seed is not None:
        raise ConfigError("a file and --seed contradict each other", hint="give one of them")
    if {unit, find, html} == {None} and (layer, part) != (None, None):
        raise ConfigError("--layer and --part go with units", hint="add --unit N or --find all")
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
