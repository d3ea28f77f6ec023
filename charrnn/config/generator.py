"""The settings of a training run of a language model."""

import math
from dataclasses import dataclass
from typing import get_args

from charrnn.config.choices import (
    CELLS,
    DEFAULT_LEARNING_RATES,
    MAX_HIDDEN_SIZE,
    MAX_LAYERS,
    MAX_MEMBERS,
    MAX_NGRAM,
    MAX_WORKERS,
    CellName,
    DTypeName,
    Nonlinearity,
    Normalization,
    OptimizerName,
    ScheduleName,
)
from charrnn.config.settings import (
    Parts,
    Settings,
    check,
    check_normalization,
    check_number,
    check_whole,
)


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
        check(self.cell in CELLS, f"unknown model {self.cell!r}")
        check_whole("hidden-size", self.hidden_size, 1, MAX_HIDDEN_SIZE)
        check_whole("layers", self.layers, 1, MAX_LAYERS)
        check_whole("members", self.members, 1, MAX_MEMBERS)
        for name in ("dropout", "weight_drop"):
            chance, option = getattr(self, name), name.replace("_", "-")
            check(0 <= chance < 1, f"{option} must be at least 0 and below 1, not {chance}")
        check(
            self.nonlinearity in get_args(Nonlinearity),
            f"unknown nonlinearity {self.nonlinearity!r}",
        )
        check(
            self.cell == "rnn" or self.nonlinearity == "tanh",
            f"nonlinearity {self.nonlinearity} works with model rnn only, not {self.cell}",
        )
        check(self.dtype in get_args(DTypeName), f"unknown dtype {self.dtype!r}")

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
        check(
            type(self.ngram) is int and 0 <= self.ngram <= MAX_NGRAM,
            f"ngram must be from 0 to {MAX_NGRAM}, not {self.ngram}",
        )
        check_whole("seq-length", self.seq_length, 1)
        check_whole("batch-size", self.batch_size, 1)
        check_whole("stride", self.stride, 1)
        check(isinstance(self.lines, bool), "lines must be true or false")
        check(not self.lines or self.stride is None, "lines have no stride")
        if self.val_fraction is not None:
            check(
                0 <= self.val_fraction < 1,
                f"val-fraction must be at least 0 and below 1, not {self.val_fraction}",
            )
        check_normalization(self.normalize)


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
        check(self.name in DEFAULT_LEARNING_RATES, f"unknown optimizer {self.name!r}")
        check(self.schedule in get_args(ScheduleName), f"unknown schedule {self.schedule!r}")
        check_number("learning-rate", self.learning_rate, above=0)
        check_whole("warmup", self.warmup, 0)
        check_number("clip-norm", self.clip_norm, above=0)
        check_number("clip-value", self.clip_value, above=0)
        check(
            math.isfinite(self.weight_decay) and self.weight_decay >= 0,
            f"weight-decay must be 0 or more, not {self.weight_decay}",
        )
        check(
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
class RunConfig(Settings):
    """When training stops, and its source of randomness.

    seconds, epochs, steps   the run ends at whichever comes first; the schedule ends there too
    patience                 evaluations without a better one after which to stop; None: never
    random_seed              seeds initial weights, order of windows and dropout
    workers                  processes to train in; None: one, from Python, and as many as help on
                             the command line

    Raises ConfigError for a setting out of range.
    """

    seconds: float | None = 300.0
    epochs: int | None = None
    steps: int | None = None
    patience: int | None = None
    random_seed: int = 0
    workers: int | None = None

    def __post_init__(self) -> None:
        check_number("time", self.seconds, above=0)
        check_whole("epochs", self.epochs, 1)
        check_whole("steps", self.steps, 1)
        check_whole("patience", self.patience, 1)
        check(self.random_seed is not None, "a run needs a random seed")
        check_whole("random-seed", self.random_seed, 0, 2**63 - 1)
        check_whole("workers", self.workers, 1, MAX_WORKERS)
        check(
            (self.seconds, self.epochs, self.steps) != (None, None, None),
            "a run needs a limit: seconds, epochs or steps",
        )


@dataclass(frozen=True, kw_only=True)
class Config(Parts):
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
