"""The options of commands that continue a text, in the sections of the help."""

from typing import Annotated, Any

import typer

from charrnn.cli import completions
from charrnn.cli.options import UnknownPolicy
from charrnn.config import SamplingConfig

# More than anyone can wait for, and few enough that sizes in bytes are numbers of 64 bits.
MOST = 10**12

SAMPLING = SamplingConfig()

_PROMPT, _CHOICE, _CONTROL, _OUTPUT = "Prompt", "Choice of characters", "Control", "Output"
_LINES = "Whole lines (train --lines)"


def _option(section: str, text: str, *names: str, **settings: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=section, **settings)


Checkpoint = Annotated[
    str | None,
    _option(
        _PROMPT,
        "The checkpoint. [default: newest in ./checkpoints]",
        "-c",
        "--checkpoint",
        metavar="PATH",
        autocompletion=completions.models,
    ),
]
Seed = Annotated[
    str | None,
    _option(
        _PROMPT,
        "Prompt text; of a model of lines, how the lines begin. [default: start of a line]",
        "--seed",
        "--prefix",
    ),
]
SeedFile = Annotated[
    str | None, _option(_PROMPT, "File with the prompt text; - is stdin.", metavar="FILE")
]
Seeds = Annotated[
    str | None,
    _option(_PROMPT, "One prompt per line, each answered at once; - is stdin.", metavar="FILE"),
]
Unknown = Annotated[
    UnknownPolicy, _option(_PROMPT, "What to do with unknown characters in the prompt.")
]

Temperature = Annotated[
    float,
    _option(
        _CHOICE,
        "Divides the logits: below 1 safer, above 1 wilder, 0 always the likeliest.",
        "-t",
        "--temperature",
    ),
]
Greedy = Annotated[bool, _option(_CHOICE, "Always take the likeliest character.", "--greedy")]
TopK = Annotated[int | None, _option(_CHOICE, "Draw among the K likeliest characters.")]
TopP = Annotated[
    float | None, _option(_CHOICE, "Draw among the likeliest that together have probability P.")
]
MinP = Annotated[
    float | None,
    _option(_CHOICE, "Draw among those at least P times as probable as the likeliest."),
]
RandomSeed = Annotated[
    int | None,
    _option(_CHOICE, "The same number gives the same text. [default: a random one]", min=0),
]

Length = Annotated[
    int | None,
    _option(
        _CONTROL,
        "New characters; with --stop or a model of lines, at most. [default: 200, or a line]",
        "-n",
        "--length",
        min=0,
        max=MOST,
    ),
]
Endless = Annotated[bool, _option(_CONTROL, "Never stop.", "--endless")]
UntilSentence = Annotated[
    bool,
    _option(
        _CONTROL,
        "Go on after LENGTH until the end of the sentence.",
        "--until-sentence",
    ),
]
Stop = Annotated[
    list[str] | None,
    _option(_CONTROL, r"End before this text, like \n or END; repeatable.", metavar="TEXT"),
]
Charset = Annotated[
    str | None,
    _option(
        _CONTROL,
        r"Only these characters, as inside the [...] of a regular expression: a-z\n.",
        metavar="CHARS",
    ),
]
Match = Annotated[
    str | None,
    _option(
        _CONTROL, "A text that matches as a whole, of at most LENGTH characters.", metavar="REGEX"
    ),
]

New = Annotated[bool, _option(_LINES, "Only lines that are not in the training text.", "--new")]
Unique = Annotated[bool, _option(_LINES, "No line twice.", "--unique")]
MinLength = Annotated[int, _option(_LINES, "Only lines of at least N characters.", min=0)]
MaxLength = Annotated[
    int | None, _option(_LINES, "Only lines of at most N characters.", min=1, max=MOST)
]

Count = Annotated[int, _option(_OUTPUT, "Number of samples.", min=1, max=MOST)]
NoEcho = Annotated[bool, _option(_OUTPUT, "Leave the prompt out.", "--no-echo")]
JsonLines = Annotated[bool, _option(_OUTPUT, "One JSON object per sample.", "--jsonl")]

# Of complete.
Continuations = Annotated[
    int, _option(_CONTROL, "Number of continuations.", "--count", min=1, max=1000)
]
Reach = Annotated[
    int,
    _option(
        _CONTROL,
        "Characters of each, if no --stop ends it before.",
        "-n",
        "--length",
        min=1,
        max=10_000,
    ),
]
Beam = Annotated[int, _option(_CONTROL, "Texts that the search follows at once.", min=1, max=1000)]
