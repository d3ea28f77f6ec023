"""``charrnn sample``: write text."""

import secrets
from typing import TYPE_CHECKING

import typer

from charrnn.cli import sampling_options as options
from charrnn.cli.options import is_typed, require_one_of
from charrnn.config import ControlConfig, SamplingConfig
from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.cli.prompts import Prompt
    from charrnn.cli.writing import Sampler

_TEMPERATURE = options.SAMPLING.temperature


def sample(
    context: typer.Context,
    *,
    checkpoint: options.Checkpoints = None,
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
    suffix: options.Suffix = None,
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
    require_one_of(seed=seed is not None, seed_file=seed_file is not None, seeds=seeds is not None)
    if greedy and temperature not in (_TEMPERATURE, 0):
        raise ConfigError("--greedy and --temperature contradict each other", hint="give one")
    one = count == 1 and seeds is None
    if endless:
        needs_end = until_sentence or match is not None or suffix is not None
        _check_endless(one_plain_text=one and not jsonl, needs_end=needs_end)
    if max_length is not None and max_length < min_length:
        raise ConfigError("--max-length is below --min-length: no line is both")
    temperature = 0.0 if greedy else temperature
    config = SamplingConfig(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    rules = ControlConfig(
        stop=tuple(stop or ()), until_sentence=until_sentence, charset=charset, match=match
    )
    from charrnn.cli.prompts import PromptReader, load_writer
    from charrnn.cli.writing import Sampler
    from charrnn.inference.sampling import Randomness
    from charrnn.text.reading import read_text

    writer = load_writer(checkpoint)
    sampler = Sampler(
        writer=writer,
        config=config,
        randomness=Randomness(secrets.randbits(32) if random_seed is None else random_seed),
        length=None if endless else options.DEFAULT_LENGTH if length is None else length,
        echo=not no_echo,
    )
    wanted = {"new": new, "unique": unique, "min_length": min_length, "max_length": max_length}
    if writer.lines:
        rules = sampler.write_lines(wanted, rules, length)
        count = options.MOST if endless else count
    elif given := [name for name, value in wanted.items() if value and is_typed(context, name)]:
        raise ConfigError(
            f"--{given[0].replace('_', '-')} goes with a model of lines",
            hint="train one with 'charrnn train --lines'",
        )
    sampler.obey(rules, suffix)
    prompts = PromptReader(writer, unknown)
    if seeds is not None:
        for line, prompt in enumerate(prompts.read_each(seeds)):
            _write(sampler, prompt, line * count, count, jsonl=jsonl)
        return
    prompt = prompts.read(read_text(seed_file) if seed_file is not None else seed or "")
    _write(sampler, prompt, 0, count, jsonl=jsonl)


def _check_endless(*, one_plain_text: bool, needs_end: bool) -> None:
    if not one_plain_text:
        raise ConfigError("--endless writes one sample, as plain text, without end")
    if needs_end:
        raise ConfigError("--endless contradicts what needs the end of a text", hint="--length N")


def _write(sampler: "Sampler", prompt: "Prompt", first: int, count: int, *, jsonl: bool) -> None:
    if jsonl:
        sampler.write_jsonl(prompt, first, count)
    elif count > 1:
        sampler.write_many(prompt, first, count)
    else:
        sampler.stream(prompt, first)
