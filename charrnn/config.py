"""Every setting with its option, default and bounds; the command line reads its own from here.

Configs are frozen, and one that exists is valid. Nothing here imports NumPy, so that
``charrnn --help`` stays quick.
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args, get_origin

from charrnn.errors import ConfigError

CELLS = ("rnn", "lstm", "gru")

# Optimizers, and a peak learning rate of each that suits the default model.
DEFAULT_LEARNING_RATES = {"adam": 0.02, "rmsprop": 0.004, "adagrad": 0.05, "sgd": 1.0}

if TYPE_CHECKING:
    CellName = str
    OptimizerName = str
else:  # the command line reads its choices from here
    CellName = Literal[CELLS]
    OptimizerName = Literal[tuple(DEFAULT_LEARNING_RATES)]
Nonlinearity = Literal["tanh", "relu"]
ScheduleName = Literal["cosine", "linear", "constant"]
Normalization = Literal["NFC", "NFKC", "none"]
DTypeName = Literal["float32", "float64"]

MAX_NGRAM = 16
MAX_WHOLE, MAX_NUMBER = 2**53, 1e300

BOUNDS = {
    "low": (operator.ge, "{:,} or more"),
    "high": (operator.le, "{:,} or less"),
    "above": (operator.gt, "above {:,}"),
    "below": (operator.lt, "below {:,}"),
}

T = TypeVar("T")


def setting(default: T, *, option: str | None = None, **bounds: float) -> T:
    """Return a field of a config.

    option   its option on the command line; None: the name of the field
    bounds   low and high, which it may reach, above and below, which it may not
    """
    return field(default=default, metadata={"option": option, "bounds": bounds})


def require(condition: object, message: str) -> None:
    """Raise ConfigError with this message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


class Settings:
    """A dataclass of settings that checks their types and bounds.

    The type of a field is what it may be: one of the choices of a Literal, a number, and None only
    where the type says so.
    """

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            option = (item.metadata.get("option") or item.name).replace("_", "-")
            bounds = item.metadata.get("bounds", {})
            _check(option, item.type, getattr(self, item.name), bounds)

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


def _check(option: str, kind: object, value: Any, bounds: Mapping[str, float]) -> None:
    """Raise ConfigError unless a value has the type of its field and is within its bounds."""
    types = get_args(kind) or (kind,)
    if get_origin(kind) is Literal:
        choices = f"{', '.join(types[:-1])} or {types[-1]}"
        require(value in types, f"{option} must be {choices}, not {value!r}")
    elif bool in types:
        require(isinstance(value, bool), f"{option} must be true or false, not {value!r}")
    elif value is None and NoneType in types:
        return
    elif int in types:
        require(type(value) is int, f"{option} must be a whole number, not {value!r}")
        bounds = {"high": MAX_WHOLE, **bounds}
    elif float in types:
        is_number = isinstance(value, Real)
        finite = is_number and abs(value) <= MAX_NUMBER
        require(finite, f"{option} must be a finite number, not {value!r}")
    for name, bound in bounds.items():
        holds, words = BOUNDS[name]
        require(holds(value, bound), f"{option} must be {words.format(bound)}, not {value:,}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """The shape of the network.

    cell          recurrent cell
    hidden_size   units per layer (H)
    layers        stacked recurrent layers
    dropout       chance that an output of a layer is dropped while training, on its way to the
                  next layer or to the output layer (Zaremba et al. 2014)
    weight_drop   chance that a recurrent weight is dropped for a training step (Wan et al. 2013,
                  Merity, Keskar & Socher 2018)
    members       networks of this shape that are trained apart and whose logits are averaged: an
                  ensemble (Hansen & Salamon 1990)
    nonlinearity  activation of the plain RNN; LSTM and GRU know only tanh
    dtype         floating-point type of weights and arithmetic
    """

    cell: CellName = setting("lstm", option="model")
    # Bounds on sizes keep a hostile checkpoint from asking for all of memory.
    hidden_size: int = setting(256, low=1, high=65_536)
    layers: int = setting(1, low=1, high=64)
    dropout: float = setting(0.0, low=0, below=1)
    weight_drop: float = setting(0.0, low=0, below=1)
    members: int = setting(1, low=1, high=64)
    nonlinearity: Nonlinearity = "tanh"
    dtype: DTypeName = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.cell == "rnn" or self.nonlinearity == "tanh",
            f"nonlinearity {self.nonlinearity} works with model rnn only, not {self.cell}",
        )

    @property
    def shape(self) -> str:
        """The size in words: "lstm 2 x 256", of an ensemble "4 members, each lstm 1 x 64"."""
        one = f"{self.cell} {self.layers} x {self.hidden_size}"
        return one if self.members == 1 else f"{self.members} members, each {one}"


@dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """How the text is cut into training windows.

    seq_length    characters per window (T), the reach of truncated BPTT
    batch_size    windows trained on at once (B)
    stride        distance between windows. None: windows follow each other in contiguous streams
                  and the hidden state is carried from one to the next. A number: independent
                  windows that far apart, shuffled, each from a zero state
    lines         every line is an example of its own: the state is zero at every line break
    val_fraction  share of the text, at its end, that is held out. None: passages from all over
                  the text, a twentieth of it and 10,000 characters at most; nothing of a text
                  under 10,000 characters. With lines: a share of them, drawn at random
    normalize     Unicode normalization of corpus, prompts and scored text
    ngram         the longest n-grams of the text that are counted and mixed with the network; 0: no
                  n-grams
    """

    seq_length: int = setting(32, low=1)
    batch_size: int = setting(32, low=1)
    stride: int | None = setting(None, low=1)
    lines: bool = False
    val_fraction: float | None = setting(None, low=0, below=1)
    normalize: Normalization = "none"
    ngram: int = setting(7, low=0, high=MAX_NGRAM)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(not self.lines or self.stride is None, "lines have no stride")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Settings):
    """How gradients become updates.

    name           optimizer: "adam", "rmsprop", "adagrad" or "sgd"
    learning_rate  peak rate; None: a default that suits the optimizer
    schedule       course of the rate after the warm-up, down to zero for cosine and linear
    warmup         steps over which the rate rises to its peak, never more than a tenth of the run
    clip_norm      largest global norm of the gradient; None: no limit
    clip_value     largest absolute value of a gradient element; None: no limit
    weight_decay   decoupled decay (Loshchilov & Hutter 2019), adam only
    """

    name: OptimizerName = setting("adam", option="optimizer")
    learning_rate: float | None = setting(None, above=0)
    schedule: ScheduleName = "linear"
    warmup: int = setting(100, low=0)
    clip_norm: float | None = setting(1.0, above=0)
    clip_value: float | None = setting(None, above=0)
    weight_decay: float = setting(0.0, low=0)

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

    seconds, epochs, steps   the run ends at whichever comes first; the schedule ends there too
    patience                 evaluations without a better one after which to stop; None: never
    random_seed              seeds initial weights, order of windows and dropout
    workers                  processes to train in; None: one, from Python, and as many as help on
                             the command line
    """

    seconds: float | None = setting(300.0, option="time", above=0)
    epochs: int | None = setting(None, low=1)
    steps: int | None = setting(None, low=1)
    patience: int | None = setting(None, low=1)
    random_seed: int = setting(0, low=0, high=2**63 - 1)
    workers: int | None = setting(None, low=1, high=256)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            (self.seconds, self.epochs, self.steps) != (None, None, None),
            "a run needs a limit: seconds, epochs or steps",
        )


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """All settings of a training run of a language model, except the text.

    model       cell, sizes and regularization of the network; see ModelConfig
    data        windows, mini-batches and held-out text; see DataConfig
    optimizer   optimizer, learning rate and gradient clipping; see OptimizerConfig
    run         when training stops, random seed, workers; see RunConfig

    ``dataclasses.replace`` returns a changed copy.
    """

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Settings):
    """How the next character is drawn from the model's distribution.

    temperature  divides the logits; 0 always takes the most likely character
    top_k        draw among the k most likely characters only
    top_p        draw among the fewest characters that together have probability p (Holtzman
                 et al. 2020)
    min_p        draw among the characters at least p times as probable as the most likely one
                 (Nguyen et al. 2024); like top_k and top_p, after the temperature
    """

    temperature: float = setting(0.8, low=0)
    top_k: int | None = setting(None, low=1)
    top_p: float | None = setting(None, above=0, high=1)
    min_p: float | None = setting(None, low=0, high=1)


@dataclass(frozen=True, kw_only=True)
class ControlConfig(Settings):
    """What new text must obey, whatever the model would write.

    stop             the text ends before any of these, and never contains one
    until_sentence   the text goes on after its length until the end of the sentence
    charset          the only characters of the text, as inside the [...] of a regular expression
    match            a regular expression that the whole text matches
    max_copied       characters of the longest passage that the text may share with the training
                     text
    no_repeat        no passage of so many characters occurs twice within 1,000 characters
    """

    stop: tuple[str, ...] = ()
    until_sentence: bool = False
    charset: str | None = None
    match: str | None = None
    max_copied: int | None = setting(None, low=22)
    no_repeat: int | None = setting(None, low=2)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(not isinstance(self.stop, str), "stop must be a tuple of texts")
        require(all(self.stop), "a stop text must have at least one character")
        end = "until-sentence" if self.until_sentence else "stop" if self.stop else None
        require(
            self.match is None or end is None,
            f"match and {end} contradict each other: both say where the text ends",
        )
        original = "max-copied" if self.max_copied else "no-repeat" if self.no_repeat else None
        require(
            self.match is None or original is None,
            f"match and {original} contradict each other: a match cannot be drawn word by word",
        )
