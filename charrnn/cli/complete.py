"""``charrnn complete``: how a text most likely goes on."""

import typer

from charrnn.cli import texts
from charrnn.cli.console import console
from charrnn.cli.options import argument, checkpoint_option, exclusive, flag, option
from charrnn.config import ControlConfig

_LIKE = "File to read and remember before each prompt, such as the one being written."
_LENGTH = "Characters of each, if no --stop ends it before."
_STOP = r"End before this text, like \n or END; repeatable."
_UNKNOWN = "Unknown characters in the prompt."


def complete(
    context: typer.Context,
    *,
    prompt: str | None = argument(
        "PROMPT", "The text.", default=None, unset="each line of stdin, answered at once"
    ),
    checkpoint: str | None = checkpoint_option("Prompt"),
    like: str | None = option(_LIKE, "Prompt", metavar="FILE"),
    no_memory: bool = flag("Do not remember what was read.", "Prompt", "--no-memory"),
    unknown: texts.UnknownPolicy = option(_UNKNOWN, "Prompt", default="skip"),
    count: int = option("Number of continuations.", "Length", default=5, min=1, max=1000),
    length: int = option(_LENGTH, "Length", "-n", "--length", default=20, min=1, max=10_000),
    stop: list[str] | None = option(_STOP, "Length", metavar="TEXT"),
    beam: int = option("Texts followed at once.", "Length", default=16, min=1, max=1000),
    json: bool = flag("One JSON object, as for lines.", "Output", "--json"),
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
    texts.read_stdin_once(like, "-" if prompt is None else None)
    ControlConfig.of_options({"stop": stop})  # what is wrong is said before a model is read

    from charrnn.models import Model
    from charrnn.text.vocabulary import escape

    model = Model.load(checkpoint or texts.newest_checkpoint(otherwise=texts.BASE))
    if not no_memory:
        model = model.with_memory("" if like is None else texts.read_known(like, model))
    stops = texts.prepare_stops(stop, model)
    quiet = prompt is None
    lines = texts.read_lines("-", replace=unknown != "error")
    for name, text in [("prompt", prompt)] if prompt is not None else lines:
        each = texts.fit_prompt(text, model, unknown, name, quiet=quiet)
        found = model.complete(each, count=count, length=length, beam=beam, stop=stops)
        if prompt is None or json:
            records = [
                {"text": it.text, "probability": it.probability, "log_probability": it.log_p,
                 "ended": it.ended}
                for it in found
            ]  # fmt: skip
            console.write_json({"prompt": each, "continuations": records})
        else:
            rows = [(f"{it.probability:.4g}", escape(it.text)) for it in found]
            console.table(("probability", "continuation"), rows)
