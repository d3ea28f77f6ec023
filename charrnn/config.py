"""Every setting, once: its default, its bounds, what it does, and its option.

The command line makes its options of them. Configs are frozen, and one that exists is valid.
Nothing here imports NumPy, so that ``charrnn --help`` stays quick.
"""

import operator
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from inspect import cleandoc
from numbers import Real
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args, get_origin

from charrnn.errors import ConfigError

# Cells, and a peak learning rate of Adam that suits each up to the default size.
CELL_RATES = {"rnn": 0.008, "lstm": 0.03, "gru": 0.02}

# Optimizers, and a peak learning rate of each that suits the default model.
DEFAULT_LEARNING_RATES = {"adam": 0.02, "rmsprop": 0.004, "adagrad": 0.05, "sgd": 1.0}

if TYPE_CHECKING:
    CellName = str
    OptimizerName = str
else:  # the command line reads its choices from here
    CellName = Literal[tuple(CELL_RATES)]
    OptimizerName = Literal[tuple(DEFAULT_LEARNING_RATES)]
Nonlinearity = Literal["tanh", "relu"]
ScheduleName = Literal["cosine", "linear", "constant"]
Normalization = Literal["NFC", "NFKC", "none"]
DTypeName = Literal["float32", "float64"]
UnknownCharacters = Literal["error", "skip", "charge"]

# The separator that means that each file is a piece; what ends a piece unless a single character
# separates pieces: the record separator of ASCII.
FILE, END = "file", "\x1e"

MAX_NGRAM = 16
MAX_WHOLE, MAX_NUMBER = 2**53, 1e300

BOUNDS = {
    "low": (operator.ge, "{:,} or more"),
    "high": (operator.le, "{:,} or less"),
    "above": (operator.gt, "above {:,}"),
    "below": (operator.lt, "below {:,}"),
}

# What holds for options that are not given.
_LIMIT, _CORES = "5m, unless --epochs or --steps is given", "one per core, as far as they help"
_CHOSEN = "chosen from text and time"
_HELD_OUT = "ten passages of up to 1,000 characters; none of a text below 10,000"
_RATES = "adam by model and size, " + ", ".join(
    f"{name} {rate:g}" for name, rate in DEFAULT_LEARNING_RATES.items() if name != "adam"
)

_SEPARATOR = r"Examples are between this text, like \n\n or \n%\n; or each file."
_TEMPERATURE = "Divides the logits: below 1 safer, above 1 wilder, 0 always the likeliest."
_STOP = r"End before this text, like \n or END; repeatable."
_CHARSET = r"Only these characters, as inside the [...] of a regular expression: a-z\n."
_MATCH = "The whole text matches this regular expression, and has LENGTH characters at most."

T = TypeVar("T")


def setting(
    default: T,
    about: str,
    *names: str,
    unset: str | None = None,
    metavar: str | None = None,
    **bounds: float,
) -> T:
    """Return a field of a config, and what its option on the command line needs.

    about     what it does
    names     of its option, where that is not called like the field
    unset     what holds if the option is not given, where that is not the default
    metavar   the option takes a text of this form
    bounds    low and high, which it may reach, above and below, which it may not
    """
    option = {"about": about, "names": names, "unset": unset, "metavar": metavar}
    return field(default=default, metadata={**option, "bounds": bounds})


def option_of(item: "Field[Any]") -> str:
    """Return the name of the option of a field, with underscores."""
    *_, name = item.metadata.get("names") or [item.name]
    return str(name).removeprefix("--").replace("-", "_")


def require(condition: object, message: str, hint: str | None = None) -> None:
    """Raise ConfigError with this message and hint unless the condition holds."""
    if not condition:
        raise ConfigError(message, hint=hint)


class Settings:
    """A dataclass of settings that checks their types and bounds.

    The type of a field is what it may be: one of the choices of a Literal, a number, and None only
    where the type says so. The documentation of a class lists its settings.
    """

    def __init_subclass__(cls) -> None:
        items = [(name, it) for name, it in vars(cls).items() if isinstance(it, Field)]
        rows = [f"{name:<16}{it.metadata['about']}" for name, it in items if it.metadata]
        cls.__doc__ = "\n".join([cleandoc(cls.__doc__ or ""), *([""] if rows else []), *rows])

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            bounds = item.metadata.get("bounds", {})
            option = option_of(item).replace("_", "-")
            check_value(option, item.type, getattr(self, item.name), bounds)

    @classmethod
    def of_options(cls, options: Mapping[str, Any]) -> Self:
        """Build from options by name, with underscores, among others.

        None stands for an option that is not given; a text or a list for a tuple.
        """
        given = dict[str, Any]()
        for item in fields(cls):  # type: ignore[arg-type]
            value = options.get(option_of(item))
            if isinstance(item.default, tuple) and isinstance(value, str | list):
                value = (value,) if isinstance(value, str) else tuple(value)
            if value is not None:
                given[item.name] = value
        return cls(**given)

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Build from plain dicts, such as ``dataclasses.asdict`` returns.

        Raises ConfigError for a missing or unknown name, a wrong type or a value out of range.
        """
        types: dict[str, Any] = {item.name: item.type for item in fields(cls)}  # type: ignore[arg-type]
        if not isinstance(values, dict) or values.keys() != types.keys():
            raise ConfigError(f"{cls.__name__} must have exactly the settings {sorted(types)}")
        parts = {
            name: kind.from_dict(values[name])
            for name, kind in types.items()
            if hasattr(kind, "from_dict")
        }
        return cls(**values | parts)


def check_value(option: str, kind: object, value: Any, bounds: Mapping[str, float]) -> None:
    """Raise ConfigError unless a value has the type of its field and is within its bounds."""
    types = get_args(kind) or (kind,)
    if get_origin(kind) is Literal:
        choices = f"{', '.join(types[:-1])} or {types[-1]}"
        require(value in types, f"{option} must be {choices}, not {value!r}")
    elif get_origin(kind) is tuple:
        require(isinstance(value, tuple), f"{option} must be a tuple of texts, not {value!r}")
    elif bool in types:
        require(isinstance(value, bool), f"{option} must be true or false, not {value!r}")
    elif value is None and NoneType in types:
        return
    elif str in types:
        is_text = isinstance(value, str) and not any("\ud800" <= it <= "\udfff" for it in value)
        require(is_text, f"{option} must be a text, not {value!r}")
    elif int in types:
        require(type(value) is int, f"{option} must be a whole number, not {value!r}")
        bounds = {"high": MAX_WHOLE, **bounds}
    elif float in types:
        finite = isinstance(value, Real) and abs(value) <= MAX_NUMBER  # type: ignore[operator]
        require(finite, f"{option} must be a finite number, not {value!r}")
    for name, bound in bounds.items():
        holds, words = BOUNDS[name]
        if not holds(value, bound):
            message = f"{option} must be {words.format(bound)}, not {value:,}"
            raise ConfigError(message.removesuffix(".0"))


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """The shape of the network.

    Dropout between layers is that of Zaremba et al. (2014), weight drop that of Wan et al. (2013)
    and Merity, Keskar & Socher (2018). Several networks are trained apart, and their logits are
    averaged: an ensemble (Hansen & Salamon 1990). ``dtype`` is that of weights and arithmetic.
    """

    cell: CellName = setting("lstm", "Recurrent cell.", "--model")
    # Bounds on sizes keep a hostile checkpoint from asking for all of memory.
    hidden_size: int = setting(256, "Units per layer.", unset=_CHOSEN, low=1, high=65_536)
    layers: int = setting(1, "Stacked recurrent layers.", low=1, high=64)
    members: int = setting(
        1, "Ensemble of N networks.", "--networks", unset=_CHOSEN, low=1, high=64
    )
    dropout: float = setting(
        0.0, "Chance to drop an output of a layer.", unset=_CHOSEN, low=0, below=1
    )
    weight_drop: float = setting(
        0.0, "Chance to drop a recurrent weight for a step.", unset=_CHOSEN, low=0, below=1
    )
    nonlinearity: Nonlinearity = setting("tanh", "Activation, of --model rnn only.")
    dtype: DTypeName = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.cell == "rnn" or self.nonlinearity == "tanh",
            f"nonlinearity {self.nonlinearity} works with model rnn only, not {self.cell}",
        )

    @property
    def shape(self) -> str:
        """The size in words: "lstm 2 x 256", of an ensemble "4 networks, each lstm 1 x 64"."""
        one = f"{self.cell} {self.layers} x {self.hidden_size}"
        return one if self.members == 1 else f"{self.members} networks, each {one}"


@dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """How the text is read and cut into training windows.

    Without a stride, windows follow each other in contiguous streams, and the hidden state is
    carried from one to the next. With a separator or a field, the text is pieces, such as lines,
    each of which begins from a zero state. Without a share to hold out, passages from all over the
    text are: a twentieth of it, 10,000 characters at most, nothing of a text under 10,000; of
    pieces, a share of them, drawn at random.
    """

    separator: str | None = setting(
        None, _SEPARATOR, unset="the text is one stream", metavar="TEXT|file"
    )
    field: str | None = setting(
        None, "Examples are this field of JSON Lines, .csv or .tsv.", metavar="NAME"
    )
    normalize: Normalization = setting("none", "Unicode normalization of all that is read.")
    val_fraction: float | None = setting(
        None, "Hold out this share, at the end; 0 for none.", unset=_HELD_OUT, low=0, below=1
    )
    seq_length: int = setting(32, "Characters per window, the reach of truncated BPTT.", low=1)
    batch_size: int = setting(32, "Windows trained on at once, fewer on short texts.", low=1)
    stride: int | None = setting(
        None, "Distance of shuffled, independent windows. Unset: stateful streams.", low=1
    )
    ngram: int = setting(
        7, "Maximum order of n-grams beside the network; 0 disables.", low=0, high=MAX_NGRAM
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.separator is None or self.field is None, "a field has no separator")
        require("" not in {self.separator, self.field}, "separator and field must not be empty")
        require(self.end is None or self.stride is None, "pieces have no stride")

    @property
    def end(self) -> str | None:
        """The character that ends a piece: the separator, if it is one; None without pieces."""
        if self.separator is None and self.field is None:
            return None
        return self.separator if self.separator is not None and len(self.separator) == 1 else END

    @property
    def between(self) -> str:
        """What is written between two pieces, or samples; it begins with a line break."""
        if self.end is None:
            return "\n"
        if self.separator is None or self.separator == FILE:
            return "\n\n"
        mark = self.separator.strip("\n")
        return f"\n{mark}\n" if mark else self.separator

    @property
    def piece(self) -> str:
        """What a piece is called."""
        return "line" if self.separator == "\n" else "piece"


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Settings):
    """How gradients become updates.

    The rate rises to its peak during the warm-up, and falls to zero with the schedules cosine and
    linear. Weight decay is decoupled (Loshchilov & Hutter 2019). None as a limit: no limit.
    """

    name: OptimizerName = setting("adam", "Optimizer.", "--optimizer")
    learning_rate: float | None = setting(None, "Peak learning rate.", unset=_RATES, above=0)
    schedule: ScheduleName = setting("linear", "Learning-rate schedule after the warm-up.")
    warmup: int = setting(100, "Steps of warm-up, at most a tenth of the run.", low=0)
    clip_norm: float | None = setting(
        1.0,
        "Largest norm of the gradient; 0 for no limit.",
        unset="1; none with --clip-value",
        above=0,
    )
    clip_value: float | None = setting(None, "Largest absolute value in the gradient.", above=0)
    weight_decay: float = setting(0.0, "Weight decay, of adam only.", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.weight_decay == 0 or self.name == "adam",
            f"weight-decay works with adam only, not {self.name}",
        )

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate given, or the optimizer's default."""
        return self.learning_rate or DEFAULT_LEARNING_RATES[self.name]


@dataclass(frozen=True, kw_only=True)
class RunConfig(Settings):
    """When training stops, and its source of randomness.

    The run ends at whichever limit comes first, and the learning-rate schedule there too. From
    Python, it is trained in one process unless ``workers`` is given.
    """

    seconds: float | None = setting(
        300.0, "Stop after this long.", "--time", unset=_LIMIT, metavar="90s|10m|1h", above=0
    )
    epochs: int | None = setting(None, "Stop after N passes through the text.", low=1)
    steps: int | None = setting(None, "Stop after N updates.", low=1)
    patience: int | None = setting(None, "Stop after N validations without a lower loss.", low=1)
    random_seed: int = setting(
        0, "Seed of weights, order and dropout.", unset="a random one", low=0, high=2**63 - 1
    )
    workers: int | None = setting(None, "Processes to train in.", unset=_CORES, low=1, high=256)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            (self.seconds, self.epochs, self.steps) != (None, None, None),
            "a run needs a limit: seconds, epochs or steps",
        )


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """All settings of a training run of a language model, except the text.

    ``dataclasses.replace`` returns a changed copy.
    """

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Settings):
    """How the next character is drawn from the model's distribution.

    ``top_p`` is that of Holtzman et al. (2020), ``min_p`` that of Nguyen et al. (2024). Like
    ``top_k``, they count after the temperature.
    """

    temperature: float = setting(0.8, _TEMPERATURE, "-t", "--temperature", low=0)
    top_k: int | None = setting(None, "Draw among the K likeliest characters.", low=1)
    top_p: float | None = setting(
        None, "Draw among the likeliest that together have probability P.", above=0, high=1
    )
    min_p: float | None = setting(
        None, "Draw among those at least P times as probable as the likeliest.", low=0, high=1
    )
    greedy: bool = setting(default=False, about="Always take the likeliest character.")


@dataclass(frozen=True, kw_only=True)
class ControlConfig(Settings):
    """What new text must obey, whatever the model would write."""

    stop: tuple[str, ...] = setting((), _STOP, metavar="TEXT")
    until_sentence: bool = setting(
        default=False, about="Go on after LENGTH until the end of the sentence."
    )
    charset: str | None = setting(None, _CHARSET, metavar="CHARS")
    match: str | None = setting(None, _MATCH, metavar="REGEX")
    contain: str | None = setting(
        None, "Put this text where the model finds it likeliest.", metavar="TEXT"
    )
    max_copied: int | None = setting(
        None, "Copy no passage of over N characters from the training text.", low=22
    )
    no_repeat: int | None = setting(None, "Repeat no passage of N characters within 1,000.", low=2)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(all(self.stop), "a stop text must have at least one character")
        for name in ("charset", "contain"):
            require(getattr(self, name) != "", f"{name} must have at least one character")
        for name in ("stop", "until_sentence", "contain", "max_copied", "no_repeat"):
            require(
                self.match is None or not getattr(self, name),
                f"match and {name.replace('_', '-')} contradict each other: "
                "a match says all of the text",
            )


@dataclass(frozen=True, kw_only=True)
class PieceConfig(Settings):
    """Which pieces are kept of those that a model of pieces writes, the prompt included."""

    new: bool = setting(default=False, about="Only pieces that are not in the training text.")
    unique: bool = setting(default=False, about="No piece twice.")
    min_length: int = setting(1, "Pieces of at least N characters.", low=0)
    max_length: int | None = setting(None, "Pieces of at most N characters.", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.max_length is None or self.max_length >= self.min_length
        require(fits, "--max-length is below --min-length: no piece is both")


# What can be said of samples, by name.
SAMPLE_CONFIGS = (SamplingConfig, ControlConfig, PieceConfig)
