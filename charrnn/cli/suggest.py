"""``charrnn suggest``: continuations for another program, which asks line by line."""

import json
from dataclasses import replace
from typing import Annotated

import typer

from charrnn.cli import sampling_options as options
from charrnn.cli.continuing import BEAM


def suggest(
    *,
    checkpoint: options.Checkpoints = None,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Take each line of stdin for a prompt. [default: all of it is one]",
            rich_help_panel="Prompt",
        ),
    ] = False,
    unknown: options.Unknown = "skip",
    count: options.Continuations = 3,
    length: options.Reach = 12,
    stop: options.Stop = None,
    beam: options.Beam = BEAM,
) -> None:
    """Answer a prompt with one JSON line: the prompt and its likeliest continuations.

    charrnn suggest --stream < prompts.txt
    printf "The b" | charrnn suggest --stop " "
    charrnn suggest --stream -c english --count 5 < prompts.txt

    With --stream, each line is answered before the next is read, and the model stays loaded.
    """
    from charrnn.cli import terminal
    from charrnn.cli.continuing import Search
    from charrnn.cli.prompts import PromptReader, load_writer, read_stdin
    from charrnn.inference.predictor import RememberingPredictor

    writer = load_writer(checkpoint)
    writer = replace(writer, predictor=RememberingPredictor(writer.predictor))
    search = Search(writer, count, length, beam, tuple(stop or ()))
    reader = PromptReader(search.writer, unknown, quiet=True)
    for prompt in reader.read_each("-") if stream else [reader.read(read_stdin())]:
        answer = {"prompt": prompt.text, "continuations": search.described(prompt)}
        terminal.write(json.dumps(answer, ensure_ascii=False) + "\n")
