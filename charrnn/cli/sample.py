"""``charrnn sample``: write text."""

import secrets
from typing import TYPE_CHECKING

import typer

from charrnn.cli import sampling_options as options
from charrnn.cli.options import exclusive, is_given
from charrnn.config import ControlConfig, SamplingConfig
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.generate.novelty import LineFilter
    from charrnn.models import Model


def sample(
    context: typer.Context,
    *,
    checkpoint: options.Checkpoint = None,
    seed: options.Seed = None,
    seed_file: options.SeedFile = None,
    seeds: options.Seeds = None,
    unknown: options.Unknown = "error",
    temperature: options.Temperature = options.SAMPLING.temperature,
    greedy: options.Greedy = False,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    min_p: options.MinP = None,
    random_seed: options.RandomSeed = None,
    length: options.Length = None,
    endless: options.Endless = False,
    until_sentence: options.UntilSentence = False,
    stop: options.Stop = None,
    charset: options.Charset = None,
    match: options.Match = None,
    max_copied: options.MaxCopied = None,
    no_repeat: options.NoRepeat = None,
    new: options.New = False,
    unique: options.Unique = False,
    min_length: options.MinLength = 0,
    max_length: options.MaxLength = None,
    count: options.Count = 1,
    no_echo: options.NoEcho = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Write text in the style of a trained model.

    charrnn sample --seed "The " --length 300
    charrnn sample -c names.npz --count 20 --new --unique
    charrnn sample --temperature 0.5 --stop . --random-seed 1

    Prints the prompt text, then exactly LENGTH new characters, then a line break. A control may
    end the text earlier. A model that was trained with --lines writes whole lines.
    """
    exclusive(context, "--seed", "--seed-file", "--seeds")
    exclusive(context, "--greedy", "--temperature")
    for other in ("--count", "--seeds", "--jsonl", "--until-sentence", "--match"):
        exclusive(context, "--endless", other)
    sampling = SamplingConfig(
        temperature=0.0 if greedy else temperature, top_k=top_k, top_p=top_p, min_p=min_p
    )
    rules = ControlConfig(
        stop=tuple(stop or ()),
        until_sentence=until_sentence,
        charset=charset,
        match=match,
        max_copied=max_copied,
        no_repeat=no_repeat,
    )
    from charrnn.cli.prompts import PromptReader, load_model, prepare_stops
    from charrnn.cli.writing import Writer
    from charrnn.generate.controls import LONGEST_LINE, Controls, default_length
    from charrnn.text.reading import read_text

    model = load_model(checkpoint)
    if model.config.data.lines:
        limit = LONGEST_LINE if length is None else length
        # One character more shows that a line is too long.
        length = limit if max_length is None else min(limit, max_length + 1)
        count = options.MOST if endless else count
    elif endless:
        length = None
    elif length is None:
        length = default_length(rules)
    line_filter = filter_lines(context, model, length or 0)
    controls = Controls(
        prepare_stops(rules, model),
        model.vocabulary,
        length,
        lines=line_filter is not None,
        seen_spans=model.seen_spans,
    )
    number = secrets.randbits(32) if random_seed is None else random_seed
    writer = Writer(model, sampling, number, controls, line_filter, echo=not no_echo)
    reader = PromptReader(model, model.predictor, unknown)
    text = read_text(seed_file) if seed_file is not None else seed or ""
    prompts = [reader.read(text)] if seeds is None else reader.read_each(seeds)
    writer.write(prompts, count, jsonl=jsonl)


def filter_lines(context: typer.Context, model: "Model", length: int) -> "LineFilter | None":
    """Return which lines to keep of those of at most ``length`` characters.

    None if the model does not write lines; then raises ConfigError for an option of lines.
    """
    from charrnn.generate.novelty import LineFilter

    new, unique, shortest, longest = (
        context.params[name] for name in ("new", "unique", "min_length", "max_length")
    )
    if longest is not None and longest < shortest:
        raise ConfigError("--max-length is below --min-length: no line is both")
    if model.config.data.lines:
        # Nothing was learned from empty lines.
        shortest = max(shortest, min(length, 1))
        return LineFilter(model.seen_lines if new else None, unique, shortest, longest)
    for option in ("--new", "--unique", "--min-length", "--max-length"):
        if is_given(context, option):
            raise ConfigError(
                f"{option} goes with a model of lines",
                hint="train one with 'charrnn train --lines'",
            )
    return None
