"""``charrnn sample``: write text."""

import secrets
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn.cli.options import UnknownPolicy, fit_text, newest_checkpoint
from charrnn.config import SamplingConfig
from charrnn.errors import ConfigError, VocabularyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from charrnn.models import Model
    from charrnn.text.vocabulary import Ids

_DEFAULTS = SamplingConfig()

# What writes where nothing has been trained yet.
BASE = "english"

# More than anyone can wait for, and few enough that sizes in bytes are numbers of 64 bits.
MOST = 10**12


def sample(
    *,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--checkpoint",
            help="The checkpoint. [default: newest in ./checkpoints]",
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            help="Prompt text. [default: start of a line]",
        ),
    ] = None,
    seed_file: Annotated[
        str | None, typer.Option(help="File with the prompt text; - is stdin.")
    ] = None,
    unknown: Annotated[
        UnknownPolicy, typer.Option(help="What to do with unknown characters in the prompt.")
    ] = "error",
    length: Annotated[
        int, typer.Option("-n", "--length", min=0, max=MOST, help="New characters to write.")
    ] = 200,
    endless: Annotated[bool, typer.Option("--endless", help="Never stop.")] = False,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Number of samples.")] = 1,
    temperature: Annotated[
        float,
        typer.Option(
            "-t",
            "--temperature",
            help="Divides the logits: below 1 safer, above 1 wilder, 0 always the likeliest.",
        ),
    ] = _DEFAULTS.temperature,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Always take the likeliest character.")
    ] = False,
    top_k: Annotated[
        int | None, typer.Option(help="Draw among the K likeliest characters.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="Draw among the likeliest that together have probability P."),
    ] = None,
    random_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="The same number gives the same text. [default: a random one]",
        ),
    ] = None,
    no_echo: Annotated[bool, typer.Option("--no-echo", help="Leave the prompt out.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object per sample.")] = False,
) -> None:
    """Write text in the style of a trained model.

    charrnn sample --seed e --length 200

    Prints the prompt text, then exactly LENGTH new characters, then a line break.
    """
    if greedy and temperature not in (_DEFAULTS.temperature, 0):
        raise ConfigError("--greedy and --temperature contradict each other", hint="give one")
    if seed is not None and seed_file is not None:
        raise ConfigError("--seed and --seed-file contradict each other", hint="give one")
    if endless and (jsonl or count > 1):
        raise ConfigError("--endless writes one sample, as plain text, without end")
    config = SamplingConfig(temperature=0.0 if greedy else temperature, top_k=top_k, top_p=top_p)
    from charrnn.models import Model
    from charrnn.text.reading import read_text

    loaded = Model.load(checkpoint or newest_checkpoint(otherwise=BASE))
    text = read_text(seed_file) if seed_file is not None else seed or ""
    text, seed_ids = _encode_seed(text, loaded, unknown)
    if random_seed is None:
        random_seed = secrets.randbits(32)
    output = _Output(loaded, seed_ids, config, random_seed)
    shown = "" if no_echo else text
    if jsonl:
        output.write_jsonl(text, count, length)
    elif count > 1:
        output.write_many(shown, count, length)
    else:
        output.stream(shown, None if endless else length)


def _encode_seed(text: str, loaded: "Model", unknown: UnknownPolicy) -> "tuple[str, Ids]":
    from charrnn.cli import terminal
    from charrnn.inference.sampling import start_ids

    vocabulary = loaded.vocabulary
    try:
        fitted = fit_text(text, vocabulary, normalize=loaded.config.data.normalize, unknown=unknown)
        ids = vocabulary.encode(fitted) if fitted else start_ids(vocabulary)
    except VocabularyError as error:
        raise ConfigError(f"seed: {error}", hint=error.hint) from error
    if unknown != "error" and fitted != text:
        known = f"the prompt as the model reads it: {fitted}"
        terminal.note(
            known if fitted else "no character of the prompt is known: starting without it"
        )
    return fitted, ids


class _Output:
    def __init__(
        self, loaded: "Model", seed_ids: "Ids", config: SamplingConfig, random_seed: int
    ) -> None:
        self.model, self.vocabulary = loaded.network(), loaded.vocabulary
        self.seed_ids, self.config, self.random_seed = seed_ids, config, random_seed

    def stream(self, seed: str, length: int | None) -> None:
        """Write one sample, each character as soon as it is chosen."""
        from charrnn.cli import terminal
        from charrnn.inference.sampling import generate

        terminal.write(seed)
        characters = self.vocabulary.characters
        steps = generate(self.model, self.seed_ids, self.config, random_seed=self.random_seed)
        for step in islice(steps, length):
            terminal.write(characters[step.ids[0]])
        terminal.write("\n")

    def samples(self, count: int, length: int, *, log_p: bool) -> "Iterator[tuple[str, float]]":
        """Yield text and log-probability of each sample."""
        from charrnn.inference.sampling import write_samples
        from charrnn.parallel.launch import sampling_workers

        for ids, nats in write_samples(
            self.model,
            self.seed_ids,
            self.config,
            random_seed=self.random_seed,
            count=count,
            length=length,
            log_p=log_p,
            workers=sampling_workers(count),
        ):
            yield self.vocabulary.decode(ids), nats

    def write_many(self, seed: str, count: int, length: int) -> None:
        """Write samples one after the other, each on lines of its own."""
        from charrnn.cli import terminal

        for text, _ in self.samples(count, length, log_p=False):
            terminal.write(f"{seed}{text}\n")

    def write_jsonl(self, seed: str, count: int, length: int) -> None:
        """Write one JSON object per sample."""
        import json

        from charrnn.cli import terminal

        for index, (text, log_probability) in enumerate(self.samples(count, length, log_p=True)):
            record: dict[str, Any] = {
                "index": index,
                "seed": seed,
                "text": text,
                "log_probability": log_probability,
                "random_seed": self.random_seed,
            }
            terminal.write(json.dumps(record, ensure_ascii=False) + "\n")
