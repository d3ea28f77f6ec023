"""``charrnn complete``: how a text most likely goes on."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli import sampling_options as options
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.generate.beam import Continuation


def complete(
    *,
    prompt: Annotated[
        str | None,
        typer.Argument(help="The text. [default: each line of stdin, answered at once]"),
    ] = None,
    checkpoint: options.Checkpoint = None,
    unknown: options.Unknown = "skip",
    count: options.Continuations = 5,
    length: options.Reach = 20,
    stop: options.Stop = None,
    beam: options.Beam = 16,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="One JSON object, as for lines.", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Say how a text most likely goes on: the likeliest continuations, by beam search.

    charrnn complete "The bell" --stop . --count 3
    charrnn complete -c english "Once upon a"
    charrnn complete --stop " " < prompts.txt

    Each line of stdin is answered with one JSON object before the next is read. The probability of
    a continuation is that of all its characters and, if --stop ends it, of ending there.
    """
    if stop and not all(stop):
        raise ConfigError("a stop text must have at least one character")
    from charrnn.cli.console import console
    from charrnn.cli.prompts import Prompt, PromptReader, load_model, prepare_stops
    from charrnn.generate.beam import find_likeliest
    from charrnn.generate.predictor import RememberingPredictor
    from charrnn.text.vocabulary import escape

    model = load_model(checkpoint)
    predictor = RememberingPredictor(model.predictor)
    stops = prepare_stops(stop, model)
    reader = PromptReader(model, predictor, unknown, quiet=prompt is None)

    def find(prompt: Prompt) -> list["Continuation"]:
        characters = model.vocabulary.characters
        return find_likeliest(
            predictor, prompt.start, characters, count=count, length=length, width=beam, stops=stops
        )

    if prompt is not None and not as_json:
        found = find(reader.read(prompt, "prompt"))
        rows = [(f"{math.exp(it.log_p):.4g}", escape(it.text)) for it in found]
        console.table(("probability", "continuation"), rows)
        return
    prompts = reader.read_each("-") if prompt is None else [reader.read(prompt, "prompt")]
    for each in prompts:
        answer = {"prompt": each.text, "continuations": [_record(it) for it in find(each)]}
        console.write_json(answer)


def _record(found: "Continuation") -> dict[str, Any]:
    return {
        "text": found.text,
        "probability": math.exp(found.log_p),
        "log_probability": found.log_p,
        "ended": found.ended,
    }
