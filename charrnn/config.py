"""All settings, their defaults and their limits.

This is the one home of every default: the command line reads its own from here. Each dataclass is
frozen and checks itself, so a config that exists is a config that is valid. Nothing here imports
NumPy, so that ``charrnn --help`` stays quick.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, get_args

from charrnn.errors import ConfigError, UnknownSettingError

# One name for each file in nn/cells.
CELLS = ("rnn", "lstm", "gru")

# One line for each file in training/optimizers: a peak learning rate that suits the default model.
DEFAULT_LEARNING_RATES = {
    "adam": 0.02,
    "rmsprop": 0.004,
    "adagrad": 0.05,
    "sgd": 1.0,
}

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
EngineName = Literal["processes", "mpi"]
Precision = Literal["full", "half"]

# Settings that the first checkpoints did not have, and the value that means the same as none: it is
# not stored, so that an earlier charrnn can read the file.
ADDED_LATER: dict[str, Any] = {
    "weight_drop": 0.0,
    "members": 1,
    "lines": False,
    "ngram": 0,
    "engine": "processes",
    "sync_every": 1,
    "sync_precision": "full",
}

# Bounds on sizes keep a hostile checkpoint from asking for all of memory.
MAX_HIDDEN_SIZE = 65_536
MAX_LAYERS = 64
MAX_MEMBERS = 64
MAX_WORKERS = 256
MAX_NGRAM = 16
MAX_MPI_PROCESSES = 1 << 20


def _check(condition: bool, message: str) -> None:  # noqa: FBT001
    if not condition:
        raise ConfigError(message)


def _check_number(name: str, value: float | None, *, above: float) -> None:
    if value is not None:
        _check(
            math.isfinite(value) and value > above, f"{name} must be above {above:g}, not {value}"
        )


class _Settings:
    """What all config dataclasses share: plain dicts in and out."""

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Build from a plain dict, as stored in a checkpoint.

        A setting that did not exist yet when it was stored gets its default. Raises
        UnknownSettingError for an unknown name, ConfigError for any other missing name, a wrong
        type or a value out of range.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if isinstance(values, dict):
            values = {
                name: default for name, default in ADDED_LATER.items() if name in known
            } | values
        if isinstance(values, dict) and (new := sorted(map(str, values.keys() - known))):
            raise UnknownSettingError(f"has settings that this charrnn does not know: {new}")
        if not isinstance(values, dict) or values.keys() != known:
            raise ConfigError(f"{cls.__name__} must have exactly the settings {sorted(known)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__} has a setting of the wrong type: {error}") from error


def _check_whole(name: str, value: int | None, low: int, high: int = 2**53) -> None:
    if value is not None:
        whole = type(value) is int and low <= value <= high
        _check(whole, f"{name} must be {low} or more, not {value}")


def _check_normalization(form: str) -> None:
    _check(form in get_args(Normalization), f"unknown normalization {form!r}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(_Settings):
    """The shape of the network.

    cell          recurrent cell
    hidden_size   units per layer (H)
    layers        stacked recurrent layers
    dropout       chance that an output of a layer is dropped while training, on its way to the
                  next layer or to the output layer (Zaremba et al. 2014)
    weight_drop   chance that a recurrent weight is dropped for a training step (Wan et al. 2013,
                  Merity, Keskar & Socher 2018)
    members       the units are divided among this many networks that know nothing of each other,
                  and the mean of their logits is the output: an ensemble in one network
    nonlinearity  activation of the plain RNN; LSTM and GRU know only tanh
    dtype         floating-point type of weights and arithmetic

    Raises ConfigError for a setting out of range.
    """

    cell: CellName = "lstm"
    hidden_size: int = 256
    layers: int = 1
    dropout: float = 0.0
    weight_drop: float = 0.0
    members: int = 1
    nonlinearity: Nonlinearity = "tanh"
    dtype: DTypeName = "float32"

    def __post_init__(self) -> None:
        _check(self.cell in CELLS, f"unknown model {self.cell!r}")
        _check_whole("hidden-size", self.hidden_size, 1, MAX_HIDDEN_SIZE)
        _check_whole("layers", self.layers, 1, MAX_LAYERS)
        _check_whole("members", self.members, 1, MAX_MEMBERS)
        # Powers of two, for which the division by their number is exact.
        _check(self.members.bit_count() == 1, f"members must be 1, 2, 4 ..., not {self.members}")
        _check(
            self.hidden_size % self.members == 0,
            f"{self.hidden_size} units cannot be divided among {self.members} members",
        )
        for name in ("dropout", "weight_drop"):
            chance, option = getattr(self, name), name.replace("_", "-")
            _check(0 <= chance < 1, f"{option} must be at least 0 and below 1, not {chance}")
        _check(
            self.nonlinearity in get_args(Nonlinearity),
            f"unknown nonlinearity {self.nonlinearity!r}",
        )
        _check(
            self.cell == "rnn" or self.nonlinearity == "tanh",
            f"nonlinearity {self.nonlinearity} works with model rnn only, not {self.cell}",
        )
        _check(self.dtype in get_args(DTypeName), f"unknown dtype {self.dtype!r}")

    @property
    def shape(self) -> str:
        """The size in words: "lstm 2 x 256", of an ensemble "4 members, each lstm 1 x 64"."""
        one = f"{self.cell} {self.layers} x {self.hidden_size // self.members}"
        return one if self.members == 1 else f"{self.members} members, each {one}"


@dataclass(frozen=True, kw_only=True)
class DataConfig(_Settings):
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

    Raises ConfigError for a setting out of range.
    """

    seq_length: int = 32
    batch_size: int = 32
    stride: int | None = None
    lines: bool = False
    val_fraction: float | None = None
    normalize: Normalization = "none"
    ngram: int = 7

    def __post_init__(self) -> None:
        _check(
            type(self.ngram) is int and 0 <= self.ngram <= MAX_NGRAM,
            f"ngram must be from 0 to {MAX_NGRAM}, not {self.ngram}",
        )
        _check_whole("seq-length", self.seq_length, 1)
        _check_whole("batch-size", self.batch_size, 1)
        _check_whole("stride", self.stride, 1)
        _check(isinstance(self.lines, bool), "lines must be true or false")
        _check(not self.lines or self.stride is None, "lines have no stride")
        if self.val_fraction is not None:
            _check(
                0 <= self.val_fraction < 1,
                f"val-fraction must be at least 0 and below 1, not {self.val_fraction}",
            )
        _check_normalization(self.normalize)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(_Settings):
    """How gradients become updates.

    name           optimizer: "adam", "rmsprop", "adagrad" or "sgd"
    learning_rate  peak rate; None: a default that suits the optimizer
    schedule       course of the rate after the warm-up, down to zero for cosine and linear
    warmup         steps over which the rate rises to its peak, never more than a tenth of the run
    clip_norm      largest global norm of the gradient; None: no limit
    clip_value     largest absolute value of a gradient element; None: no limit
    weight_decay   decoupled decay (Loshchilov & Hutter 2019), adam only

    Raises ConfigError for a setting out of range.
    """

    name: OptimizerName = "adam"
    learning_rate: float | None = None
    schedule: ScheduleName = "linear"
    warmup: int = 100
    clip_norm: float | None = 1.0
    clip_value: float | None = None
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check(self.name in DEFAULT_LEARNING_RATES, f"unknown optimizer {self.name!r}")
        _check(self.schedule in get_args(ScheduleName), f"unknown schedule {self.schedule!r}")
        _check_number("learning-rate", self.learning_rate, above=0)
        _check_whole("warmup", self.warmup, 0)
        _check_number("clip-norm", self.clip_norm, above=0)
        _check_number("clip-value", self.clip_value, above=0)
        _check(
            math.isfinite(self.weight_decay) and self.weight_decay >= 0,
            f"weight-decay must be 0 or more, not {self.weight_decay}",
        )
        _check(
            self.weight_decay == 0 or self.name == "adam",
            f"weight-decay works with adam only, not {self.name}",
        )

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate given, or the optimizer's default."""
        if self.learning_rate is None:
            return DEFAULT_LEARNING_RATES[self.name]
        return self.learning_rate


@dataclass(frozen=True, kw_only=True)
class RunConfig(_Settings):
    """When training stops, and its source of randomness.

    seconds, epochs, steps   the run ends at whichever comes first; the schedule ends there too
    patience                 evaluations without a better one after which to stop; None: never
    random_seed              seeds initial weights, order of windows and dropout
    workers                  processes to train in; None: one, from Python, and as many as help on
                             the command line; with MPI, all that its launcher started
    engine                   how these processes come about: "processes" of this machine, started by
                             the run, or those of "mpi"
    sync_every               steps that each machine does on its own before all average their
                             weights; 1: every step is done together. "auto": as many as keep the
                             network from taking more than a tenth of the time
    sync_precision           "half": machines exchange their weights in half precision

    Raises ConfigError for a setting out of range.
    """

    seconds: float | None = 300.0
    epochs: int | None = None
    steps: int | None = None
    patience: int | None = None
    random_seed: int = 0
    workers: int | None = None
    engine: EngineName = "processes"
    sync_every: int | Literal["auto"] = 1
    sync_precision: Precision = "full"

    def __post_init__(self) -> None:
        _check_number("time", self.seconds, above=0)
        _check_whole("epochs", self.epochs, 1)
        _check_whole("steps", self.steps, 1)
        _check_whole("patience", self.patience, 1)
        _check(self.random_seed is not None, "a run needs a random seed")
        _check_whole("random-seed", self.random_seed, 0, 2**63 - 1)
        _check(self.engine in get_args(EngineName), f"unknown engine {self.engine!r}")
        if self.sync_every != "auto":
            _check(self.sync_every is not None, "sync-every must be a number of steps, or auto")
            _check_whole("sync-every", self.sync_every, 1)
        _check(
            self.sync_precision in get_args(Precision), f"unknown precision {self.sync_precision!r}"
        )
        most = MAX_WORKERS if self.engine == "processes" else MAX_MPI_PROCESSES
        _check_whole("workers", self.workers, 1, most)
        _check(
            (self.seconds, self.epochs, self.steps) != (None, None, None),
            "a run needs a limit: seconds, epochs or steps",
        )


class _Parts(_Settings):
    """What a config of several parts shares."""

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Build from nested plain dicts, the inverse of ``dataclasses.asdict``."""
        parts: dict[str, type[_Settings]] = {
            field.name: type(field.default)  # type: ignore[misc]
            for field in fields(cls)  # type: ignore[arg-type]
        }
        if not isinstance(values, dict) or values.keys() != parts.keys():
            raise ConfigError(f"{cls.__name__} must have exactly the parts {sorted(parts)}")
        settings: dict[str, Any] = {
            name: part.from_dict(values[name]) for name, part in parts.items()
        }
        return cls(**settings)


@dataclass(frozen=True, kw_only=True)
class Config(_Parts):
    """All settings of a training run of a language model, except the text.

    model       cell, sizes and regularization of the network; see ModelConfig
    data        windows, mini-batches and held-out text; see DataConfig
    optimizer   optimizer, learning rate and gradient clipping; see OptimizerConfig
    run         when training stops, random seed, workers; see RunConfig

    The config is immutable; ``dataclasses.replace`` returns a changed copy. Each part raises
    ConfigError for a setting out of range.
    """

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    run: RunConfig = RunConfig()


@dataclass(frozen=True, kw_only=True)
class ClassifierModelConfig(ModelConfig):
    """The shape of a sequence classifier: that of ModelConfig, with other defaults.

    cell, hidden_size, layers, dropout, weight_drop, nonlinearity, dtype   as in ModelConfig
    bidirectional   if True, read sequences in both directions (Schuster & Paliwal 1997)

    Raises ConfigError for a setting out of range.
    """

    cell: CellName = "gru"
    hidden_size: int = 128
    dropout: float = 0.2
    weight_drop: float = 0.3
    bidirectional: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(isinstance(self.bidirectional, bool), "bidirectional must be true or false")
        _check(self.members == 1, "a classifier has one member")


@dataclass(frozen=True, kw_only=True)
class ClassifierDataConfig(_Settings):
    """How the labeled examples are split, truncated and batched.

    batch_size    sequences trained on at once (B)
    max_length    characters of a text that are read, counted from its beginning
    val_fraction  share of each class that is held out
    normalize     Unicode normalization of all texts

    Raises ConfigError for a setting out of range.
    """

    batch_size: int = 32
    max_length: int = 256
    val_fraction: float = 0.1
    normalize: Normalization = "none"

    def __post_init__(self) -> None:
        _check_whole("batch-size", self.batch_size, 1)
        _check_whole("max-length", self.max_length, 1)
        _check(
            0 <= self.val_fraction < 1,
            f"val-fraction must be at least 0 and below 1, not {self.val_fraction}",
        )
        _check_normalization(self.normalize)


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(_Parts):
    """All settings of a training run of a classifier, except the examples.

    model       cell, sizes and regularization of the network; see ClassifierModelConfig
    data        mini-batches and held-out examples; see ClassifierDataConfig
    optimizer   optimizer, learning rate and gradient clipping; see OptimizerConfig
    run         when training stops, random seed, workers; see RunConfig

    The config is immutable; ``dataclasses.replace`` returns a changed copy. Each part raises
    ConfigError for a setting out of range.
    """

    model: ClassifierModelConfig = ClassifierModelConfig()
    data: ClassifierDataConfig = ClassifierDataConfig()
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=0.01)
    run: RunConfig = RunConfig(seconds=60.0)


AnyConfig = TypeVar("AnyConfig", Config, ClassifierConfig)


def stored_config(config: Config | ClassifierConfig) -> dict[str, dict[str, Any]]:
    """Return a config as a checkpoint stores it; see ADDED_LATER."""
    return {
        part: {
            name: value
            for name, value in settings.items()
            if name not in ADDED_LATER or value != ADDED_LATER[name]
        }
        for part, settings in asdict(config).items()
    }


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(_Settings):
    """How the next character is drawn from the model's distribution.

    temperature  divides the logits; 0 always takes the most likely character
    top_k        draw among the k most likely characters only
    top_p        draw among the fewest characters that together have probability p (Holtzman
                 et al. 2020)
    min_p        draw among the characters at least p times as probable as the most likely one
                 (Nguyen et al. 2024); like top_k and top_p, after the temperature

    Raises ConfigError for a setting out of range.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self) -> None:
        _check(
            math.isfinite(self.temperature) and self.temperature >= 0,
            f"temperature must be 0 or more and finite, not {self.temperature}",
        )
        _check_whole("top-k", self.top_k, 1)
        if self.top_p is not None:
            _check(0 < self.top_p <= 1, f"top-p must be above 0 and at most 1, not {self.top_p}")
        if self.min_p is not None:
            _check(0 <= self.min_p <= 1, f"min-p must be from 0 to 1, not {self.min_p}")


@dataclass(frozen=True, kw_only=True)
class ControlConfig(_Settings):
    """What new text must obey, whatever the model would write.

    stop             the text ends before any of these, and never contains one
    until_sentence   the text goes on after its length until the end of the sentence
    charset          the only characters of the text, as inside the [...] of a regular expression
    match            a regular expression that the whole text matches

    Raises ConfigError for an empty stop text or settings that contradict each other.
    """

    stop: tuple[str, ...] = ()
    until_sentence: bool = False
    charset: str | None = None
    match: str | None = None

    def __post_init__(self) -> None:
        _check(not isinstance(self.stop, str), "stop must be a tuple of texts")
        _check(all(self.stop), "a stop text must have at least one character")
        _check(
            self.match is None or not self.until_sentence,
            "match and until-sentence contradict each other: both say where the text ends",
        )
