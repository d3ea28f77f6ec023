"""``charrnn complete``: how a text most likely goes on."""

import json
from typing import Annotated

import typer

from charrnn.cli import sampling_options as options
from charrnn.cli.continuing import BEAM


def complete(
    *,
    checkpoint: options.Checkpoints = None,
    seed: Annotated[
        str | None,
        typer.Option(help="The text. [default: read from stdin]", rich_help_panel="Prompt"),
    ] = None,
    unknown: options.Unknown = "error",
    count: options.Continuations = 5,
    length: options.Reach = 20,
    stop: options.Stop = None,
    beam: options.Beam = BEAM,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON object per line.", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Say how a text most likely goes on: the likeliest continuations, by beam search.

    charrnn complete --seed "The bell" --stop . --count 3
    charrnn complete -c english --seed "Once upon a"
    printf "The " | charrnn complete --stop " " --json

    The probability of a continuation is that of all its characters and, if --stop ends it, of
    ending there.
    """
    from charrnn.cli import terminal
    from charrnn.cli.continuing import Search
    from charrnn.cli.prompts import PromptReader, load_writer, read_stdin
    from charrnn.text.vocabulary import escape

    search = Search(load_writer(checkpoint), count, length, beam, tuple(stop or ()))
    text = read_stdin() if seed is None else seed
    found = search.described(PromptReader(search.writer, unknown).read(text, "text"))
    if as_json:
        terminal.write("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in found))
        return
    rows = [(f"{entry['probability']:.4g}", escape(entry["text"])) for entry in found]
    terminal.print_table(("probability", "continuation"), rows)
