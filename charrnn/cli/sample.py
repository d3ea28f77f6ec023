"""``charrnn sample``: write text."""

import secrets
import sys
from typing import Any

import typer

from charrnn.cli import texts
from charrnn.cli.console import console
from charrnn.cli.options import checkpoint_option, exclusive, flag, option, with_settings
from charrnn.config import SAMPLE_CONFIGS
from charrnn.errors import ConfigError

# More than anyone can wait for, and few enough that sizes in bytes fit into 64 bits.
MAX_COUNT = 10**12
_SEED = "Prompt text; of a model of pieces, how they begin; repeatable."
_DELIMITER = "Line between samples that may have several lines."
_LIKE = "File to read and remember first: a text whose names and words should occur."
_RANDOM = "The same number gives the same text."
_LENGTH = "New characters; with --stop or a model of pieces, at most."
_UNKNOWN, _NUMBER = "Unknown characters in the prompt.", "a random one"


@with_settings(*SAMPLE_CONFIGS)
def sample(
    context: typer.Context,
    *,
    checkpoint: str | None = checkpoint_option("Prompt"),
    seed: list[str] | None = option(
        _SEED, "Prompt", "--seed", "--prefix", unset="start of a line", metavar="TEXT"
    ),
    seed_file: str | None = option("File with the prompt text.", "Prompt", metavar="FILE"),
    seeds: str | None = option("File with a prompt per line.", "Prompt", metavar="FILE"),
    like: str | None = option(_LIKE, "Prompt", metavar="FILE"),
    unknown: texts.UnknownPolicy = option(_UNKNOWN, "Prompt", default="error"),
    length: int | None = option(
        _LENGTH, "Control", "-n", "--length", unset="200, or a piece", min=0, max=MAX_COUNT
    ),
    endless: bool = flag("Never stop.", "Control", "--endless"),
    count: int = option("Number of samples.", "Output", default=1, min=1, max=MAX_COUNT),
    random_seed: int | None = option(_RANDOM, "Output", unset=_NUMBER, min=0),
    delimiter: str | None = option(
        _DELIMITER, "Output", unset="empty, or as in the text", metavar="TEXT"
    ),
    no_echo: bool = flag("Leave the prompt out.", "Output", "--no-echo"),
    jsonl: bool = flag("One JSON object per sample.", "Output", "--jsonl"),
    **settings: Any,
) -> None:
    """Write text in the style of a trained model.

    charrnn sample --seed "The " --length 300
    charrnn sample -c names.npz --count 20 --new --unique
    charrnn sample --like chapter.txt --temperature 0.6 --stop . --random-seed 1

    Prints the prompt text, then exactly LENGTH new characters, then a line break. A control may
    end the text earlier. A model of lines or other pieces writes them whole.
    """
    exclusive(context, "--seed", "--seed-file", "--seeds")
    for other in ("--temperature", "--top-k", "--top-p", "--min-p"):
        exclusive(context, "--greedy", other)
    for other in ("--count", "--seeds", "--jsonl", "--until-sentence", "--match", "--contain"):
        exclusive(context, "--endless", other)
    texts.read_stdin_once(seed_file, seeds, like)
    for config in SAMPLE_CONFIGS:  # what is wrong is said before a model is read
        config.of_options(settings)
    if endless and seed and seed[1:]:
        raise ConfigError("--endless goes with one --seed", hint="the first text never ends")

    from charrnn.cli.writing import write_samples
    from charrnn.models import Model
    from charrnn.text.reading import read_text

    for begin in filter(str.isdecimal, seed or []):
        console.note(f"the text begins with {begin}; --random-seed {begin} would repeat a text")
    model = Model.load(checkpoint or texts.newest_checkpoint(otherwise=texts.BASE))
    settings["stop"] = texts.prepare_stops(settings["stop"], model)
    if like is not None:
        model = model.with_memory(texts.read_known(like, model))
    if endless and model.config.data.end is not None:
        count = MAX_COUNT
    elif endless:
        exclusive(context, "--endless", "--length")
        length = sys.maxsize
    if seeds is not None:
        named = texts.read_lines(seeds, replace=unknown != "error")
    else:
        begins = [read_text(seed_file)] if seed_file is not None else seed or [""]
        named = (("seed", text) for text in begins)
    write_samples(
        model,
        (texts.fit_prompt(text, model, unknown, name) for name, text in named),
        count,
        delimiter=delimiter,
        echo=not no_echo,
        jsonl=jsonl,
        length=length,
        random_seed=secrets.randbits(32) if random_seed is None else random_seed,
        **settings,
    )
