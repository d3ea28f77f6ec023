"""The options of commands that continue a text, in the sections of the help."""

from typing import Annotated

from charrnn.cli import completions
from charrnn.cli.options import OUTPUT, UnknownPolicy, option
from charrnn.config import SamplingConfig

# More than anyone can wait for, and few enough that sizes in bytes are numbers of 64 bits.
MOST = 10**12

SAMPLING = SamplingConfig()

_PROMPT, _CHOICE, _CONTROL = "Prompt", "Choice of characters", "Control"
_LINES = "Whole lines (train --lines)"
_SEED = "Prompt text; of a model of lines, how the lines begin."
_SEEDS = "One prompt per line, each answered at once; - is stdin."
_TEMPERATURE = "Divides the logits: below 1 safer, above 1 wilder, 0 always the likeliest."
_TOP_P = "Draw among the likeliest that together have probability P."
_MIN_P = "Draw among those at least P times as probable as the likeliest."
_LENGTH = "New characters; with --stop or a model of lines, at most."
_CHARSET = r"Only these characters, as inside the [...] of a regular expression: a-z\n."
_MATCH = "A text that matches as a whole, of at most LENGTH characters."

Checkpoint = Annotated[
    str | None,
    option("The checkpoint.", _PROMPT, "newest in ./checkpoints", "-c", "--checkpoint",
           metavar="PATH", autocompletion=completions.models),
]  # fmt: skip
Seed = Annotated[str | None, option(_SEED, _PROMPT, "start of a line", "--seed", "--prefix")]
SeedFile = Annotated[
    str | None, option("File with the prompt text; - is stdin.", _PROMPT, metavar="FILE")
]
Seeds = Annotated[str | None, option(_SEEDS, _PROMPT, metavar="FILE")]
Unknown = Annotated[
    UnknownPolicy, option("What to do with unknown characters in the prompt.", _PROMPT)
]

Temperature = Annotated[float, option(_TEMPERATURE, _CHOICE, None, "-t", "--temperature")]
Greedy = Annotated[bool, option("Always take the likeliest character.", _CHOICE, None, "--greedy")]
TopK = Annotated[int | None, option("Draw among the K likeliest characters.", _CHOICE)]
TopP = Annotated[float | None, option(_TOP_P, _CHOICE)]
MinP = Annotated[float | None, option(_MIN_P, _CHOICE)]
RandomSeed = Annotated[
    int | None, option("The same number gives the same text.", _CHOICE, "a random one", min=0)
]

Length = Annotated[
    int | None,
    option(_LENGTH, _CONTROL, "200, or a line", "-n", "--length", min=0, max=MOST),
]
Endless = Annotated[bool, option("Never stop.", _CONTROL, None, "--endless")]
UntilSentence = Annotated[
    bool,
    option("Go on after LENGTH until the end of the sentence.", _CONTROL, None, "--until-sentence"),
]
Stop = Annotated[
    list[str] | None,
    option(r"End before this text, like \n or END; repeatable.", _CONTROL, metavar="TEXT"),
]
Charset = Annotated[str | None, option(_CHARSET, _CONTROL, metavar="CHARS")]
Match = Annotated[str | None, option(_MATCH, _CONTROL, metavar="REGEX")]
MaxCopied = Annotated[
    int | None,
    option("Copy no passage of over N characters from the training text.", _CONTROL, metavar="N"),
]
NoRepeat = Annotated[
    int | None,
    option("Repeat no passage of N characters within 1,000.", _CONTROL, metavar="N"),
]

New = Annotated[
    bool, option("Only lines that are not in the training text.", _LINES, None, "--new")
]
Unique = Annotated[bool, option("No line twice.", _LINES, None, "--unique")]
MinLength = Annotated[int, option("Only lines of at least N characters.", _LINES, min=0)]
MaxLength = Annotated[
    int | None, option("Only lines of at most N characters.", _LINES, min=1, max=MOST)
]

Count = Annotated[int, option("Number of samples.", OUTPUT, min=1, max=MOST)]
NoEcho = Annotated[bool, option("Leave the prompt out.", OUTPUT, None, "--no-echo")]
JsonLines = Annotated[bool, option("One JSON object per sample.", OUTPUT, None, "--jsonl")]

# Of complete.
Continuations = Annotated[
    int, option("Number of continuations.", _CONTROL, None, "--count", min=1, max=1000)
]
Reach = Annotated[
    int,
    option("Characters of each, if no --stop ends it before.", _CONTROL, None, "-n", "--length",
           min=1, max=10_000),
]  # fmt: skip
Beam = Annotated[int, option("Texts that the search follows at once.", _CONTROL, min=1, max=1000)]
