"""``charrnn complete``: how a text most likely goes on."""

from typing import TYPE_CHECKING, Any

import typer

from charrnn.cli.console import console
from charrnn.cli.options import argument, checkpoint_option, exclusive, flag, option, setting_option
from charrnn.cli.texts import (
    PromptReader,
    UnknownPolicy,
    load_writer,
    prepare_stops,
    read_stdin_once,
    remember,
)
from charrnn.config import ControlConfig

if TYPE_CHECKING:
    from charrnn.generate.beam import Continuation

_PROMPT = "The text. [default: each line of stdin, answered at once]"
_LIKE = "File to read and remember before each prompt, such as the one being written."
_LENGTH = "Characters of each, if no --stop ends it before."


def complete(
    context: typer.Context,
    *,
    prompt: str | None = argument("PROMPT", _PROMPT, default=None),
    checkpoint: str | None = checkpoint_option("Prompt"),
    like: str | None = option(_LIKE, "Prompt", metavar="FILE"),
    no_memory: bool = flag("Do not remember what was read.", "Prompt", "--no-memory"),
    unknown: UnknownPolicy = option("Unknown characters in the prompt.", "Prompt", default="skip"),
    count: int = option("Number of continuations.", "Length", default=5, min=1, max=1000),
    length: int = option(_LENGTH, "Length", "-n", "--length", default=20, min=1, max=10_000),
    stop: list[str] | None = setting_option(ControlConfig, "stop"),
    beam: int = option("Texts followed at once.", "Length", default=16, min=1, max=1000),
    as_json: bool = flag("One JSON object, as for lines.", "Output", "--json"),
) -> None:
    """Say how a text most likely goes on: the likeliest continuations, by beam search.

    charrnn complete "The bell" --stop . --count 3
    charrnn complete -c english "Once upon a"
    charrnn complete --stop " " --like chapter.txt < prompts.txt

    The names and words of the prompt, and of --like before it, are remembered. Each line of stdin
    is answered with one JSON object before the next is read. The probability of a continuation is
    that of all its characters and, if --stop ends it, of ending there. A model of pieces ends it
    with its piece too.
    """
    exclusive(context, "--like", "--no-memory")
    read_stdin_once(like, "-" if prompt is None else None)
    rules = ControlConfig.of_options({"stop": stop})

    from charrnn.text.vocabulary import escape

    model = load_writer(checkpoint)
    if not no_memory:
        model = remember(model, like)
    stops = prepare_stops(rules, model).stop
    reader = PromptReader(model, unknown, quiet=prompt is None)
    prompts = reader.read_each("-") if prompt is None else [reader.read(prompt, "prompt")]
    for each in prompts:
        found = model.complete(each, count=count, length=length, beam=beam, stop=stops)
        if prompt is None or as_json:
            records = [record(continuation) for continuation in found]
            console.write_json({"prompt": each, "continuations": records})
        else:
            rows = [(f"{it.probability:.4g}", escape(it.text)) for it in found]
            console.table(("probability", "continuation"), rows)


def record(found: "Continuation") -> dict[str, Any]:
    """Return a continuation as an object for JSON."""
    return {
        "text": found.text,
        "probability": found.probability,
        "log_probability": found.log_p,
        "ended": found.ended,
    }
