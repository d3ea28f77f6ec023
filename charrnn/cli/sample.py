"""``charrnn sample``: write text."""

import secrets
from dataclasses import replace

import typer

from charrnn.cli import sampling_options as options
from charrnn.cli.options import exclusive, is_given
from charrnn.config import ControlConfig, SamplingConfig
from charrnn.errors import ConfigError

_TEMPERATURE = options.SAMPLING.temperature


def sample(
    context: typer.Context,
    *,
    checkpoint: options.Checkpoint = None,
    seed: options.Seed = None,
    seed_file: options.SeedFile = None,
    seeds: options.Seeds = None,
    unknown: options.Unknown = "error",
    temperature: options.Temperature = _TEMPERATURE,
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
    if greedy and temperature not in (_TEMPERATURE, 0):
        raise ConfigError("--greedy and --temperature contradict each other", hint="give one")
    if endless:
        _require_no_end(count != 1 or seeds or jsonl, until_sentence or match is not None)
    if max_length is not None and max_length < min_length:
        raise ConfigError("--max-length is below --min-length: no line is both")
    sampling = SamplingConfig(
        temperature=0.0 if greedy else temperature, top_k=top_k, top_p=top_p, min_p=min_p
    )
    rules = ControlConfig(
        stop=tuple(stop or ()), until_sentence=until_sentence, charset=charset, match=match
    )
    from charrnn.cli.prompts import PromptReader, load_model, prepare_stops
    from charrnn.cli.writing import Writer
    from charrnn.generate.controls import Controls, default_length
    from charrnn.generate.novelty import LineFilter
    from charrnn.text.reading import read_text

    model = load_model(checkpoint)
    lines = model.config.data.lines
    line_options = ("--new", "--unique", "--min-length", "--max-length")
    given = [option for option in line_options if is_given(context, option)]
    if given and not lines:
        raise ConfigError(
            f"{given[0]} goes with a model of lines",
            hint="train one with 'charrnn train --lines'",
        )
    line_filter = None
    if lines:
        length = _limit_line(length, max_length)
        seen = model.seen_lines if new else None
        # Nothing was learned from empty lines.
        line_filter = LineFilter(seen, unique, max(min_length, min(length, 1)), max_length)
        count = options.MOST if endless else count
    elif endless:
        length = None
    elif length is None:
        length = default_length(rules)
    rules = replace(rules, stop=prepare_stops(stop, model))
    writer = Writer(
        model=model,
        sampling=sampling,
        random_seed=secrets.randbits(32) if random_seed is None else random_seed,
        controls=Controls(rules, model.vocabulary, length, lines=lines),
        lines=line_filter,
        echo=not no_echo,
    )
    reader = PromptReader(model, model.predictor, unknown)
    text = read_text(seed_file) if seed_file is not None else seed or ""
    prompts = [reader.read(text)] if seeds is None else reader.read_each(seeds)
    writer.write(prompts, count, jsonl=jsonl)


def _require_no_end(several: object, ended: object) -> None:
    if several:
        raise ConfigError("--endless writes one sample, as plain text, without end")
    if ended:
        raise ConfigError("--endless contradicts what needs the end of a text", hint="--length N")


def _limit_line(length: int | None, max_length: int | None) -> int:
    from charrnn.generate.controls import LONGEST_LINE

    limit = LONGEST_LINE if length is None else length
    # One character more shows that a line is too long.
    return limit if max_length is None else min(limit, max_length + 1)
