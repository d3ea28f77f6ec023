"""``charrnn complete``: how a text most likely goes on."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli import sampling_options as options
from charrnn.cli.console import console
from charrnn.cli.options import OUTPUT, option
from charrnn.config import ControlConfig

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
        option("One JSON object, as for lines.", OUTPUT, None, "--json"),
    ] = False,
) -> None:
    """Say how a text most likely goes on: the likeliest continuations, by beam search.

    charrnn complete "The bell" --stop . --count 3
    charrnn complete -c english "Once upon a"
    charrnn complete --stop " " < prompts.txt

    Each line of stdin is answered with one JSON object before the next is read. The probability of
    a continuation is that of all its characters and, if --stop ends it, of ending there.
    """
    rules = ControlConfig(stop=tuple(stop or ()))
    from charrnn.cli.prompts import PromptReader, load_model, prepare_stops
    from charrnn.generate.beam import find_likeliest
    from charrnn.generate.predictor import RememberingPredictor
    from charrnn.text.vocabulary import escape

    model = load_model(checkpoint)
    predictor = RememberingPredictor(model.predictor)
    stops = prepare_stops(rules, model).stop
    reader = PromptReader(model, predictor, unknown, quiet=prompt is None)
    prompts = reader.read_each("-") if prompt is None else [reader.read(prompt, "prompt")]
    for each in prompts:
        found = find_likeliest(
            predictor, each.start, model.vocabulary.characters,
            count=count, length=length, width=beam, stops=stops,
        )  # fmt: skip
        if prompt is None or as_json:
            records = [record(continuation) for continuation in found]
            console.write_json({"prompt": each.text, "continuations": records})
        else:
            rows = [(f"{math.exp(it.log_p):.4g}", escape(it.text)) for it in found]
            console.table(("probability", "continuation"), rows)


def record(found: "Continuation") -> dict[str, Any]:
    """Return a continuation as an object for JSON."""
    return {
        "text": found.text,
        "probability": math.exp(found.log_p),
        "log_probability": found.log_p,
        "ended": found.ended,
    }
