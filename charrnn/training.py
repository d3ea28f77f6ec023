"""The training loop.

``train`` is a generator: it computes a step, yields what happened, and leaves logging, saving,
drawing and stopping to whoever iterates. Between two events everything that changes is in one
``TrainingState``, so a caller may save it, or walk away, at any event.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from charrnn.cells import Array
from charrnn.config import Config
from charrnn.errors import TrainingError
from charrnn.model import Model, ModelState, views
from charrnn.optimizers import Optimizer, clip, learning_rate, make_optimizer
from charrnn.randomness import Purpose, generator
from charrnn.vocabulary import Ids
from charrnn.windows import Streams, fit_to_corpus, make_batches

# The default share to hold out, its limit in characters, and the size of a text from which
# holding out pays: a poem is better learnt whole.
DEFAULT_VAL_FRACTION = 0.1
DEFAULT_VAL_LIMIT = 200_000
SMALLEST_SPLIT = 10_000

# Validation waits for a twentieth of the run and for five times its own length in training text,
# so that it takes a few percent of the time and no more.
VALIDATIONS_PER_RUN = 20
TRAINED_PER_VALIDATED = 5
VALIDATION_STREAMS = 32
VALIDATION_WINDOW = 64


@dataclass(frozen=True)
class Event:
    """What one training step did.

    step, epoch     steps done, counted from 1; passes through the training text begun
    seconds         of training so far, resumed runs included
    progress        share of the run that is done, 0 to 1
    train_loss      mean cross-entropy of the step's batch in nats per character
    val_loss        of the held-out text, when it was measured after this step, else None
    is_best         True if that was the lowest so far
    learning_rate, grad_norm    of the step; the norm is that before clipping
    chars_per_s     training characters per second, smoothed
    """

    step: int
    epoch: int
    seconds: float
    progress: float
    train_loss: float
    val_loss: float | None
    is_best: bool
    learning_rate: float
    grad_norm: float
    chars_per_s: float


@dataclass
class TrainingState:
    """Everything that changes while training.

    model, optimizer   the latest weights and the optimiser's memory
    carried            hidden state at the end of the last window, for contiguous streams
    step, seconds      how far the run is
    best_weights       the flat weights with the lowest validation loss; None before the first
    best_val_loss      that loss
    stale              validations since then
    history            one entry for each validation, or each twentieth of the run without one
    loss_total, loss_count   of the steps since the last entry
    """

    model: Model
    optimizer: Optimizer
    carried: ModelState | None = None
    step: int = 0
    seconds: float = 0.0
    best_weights: Array | None = None
    best_val_loss: float = math.inf
    stale: int = 0
    history: list[dict[str, float | None]] = field(default_factory=list)
    loss_total: float = 0.0
    loss_count: int = 0

    @classmethod
    def start(cls, config: Config, vocab_size: int) -> "TrainingState":
        """Return the state before the first step, with weights drawn from the random seed."""
        model = Model(config.model, vocab_size)
        model.init(generator(config.run.random_seed, Purpose.WEIGHTS))
        return cls(model, make_optimizer(model.flat, config.optimizer))

    @property
    def weights(self) -> Array:
        """The weights to keep: the best by validation, else the latest."""
        return self.model.flat if self.best_weights is None else self.best_weights


def split(ids: Ids, val_fraction: float | None) -> tuple[Ids, Ids]:
    """Return the training part of a text and the held-out tail, which may be empty."""
    if val_fraction is None:
        held_out = min(int(len(ids) * DEFAULT_VAL_FRACTION), DEFAULT_VAL_LIMIT)
        held_out = held_out if len(ids) >= SMALLEST_SPLIT else 0
    else:
        held_out = int(len(ids) * val_fraction)
    if held_out < 2:  # noqa: PLR2004  # one character predicts nothing
        held_out = 0
    return ids[: len(ids) - held_out], ids[len(ids) - held_out :]


def fit_config(config: Config, train_size: int) -> Config:
    """Return the config with windows and batches no larger than the training text allows.

    Raises CorpusError if the text has fewer than two characters.
    """
    seq_length, batch_size = fit_to_corpus(config.data, train_size)
    return replace(config, data=replace(config.data, seq_length=seq_length, batch_size=batch_size))


def evaluate(model: Model, ids: Ids) -> float:
    """Return the mean cross-entropy of a text in nats per character, state carried through it.

    The text is cut into a few streams that are read side by side, each from a zero state.
    """
    n_streams = max(1, min(VALIDATION_STREAMS, (len(ids) - 1) // VALIDATION_WINDOW))
    length = (len(ids) - 1) // n_streams
    used = n_streams * length
    inputs, targets = (ids[first : first + used].reshape(n_streams, -1).T for first in (0, 1))
    state, total, workspaces = None, 0.0, model.workspaces()
    for start in range(0, length, VALIDATION_WINDOW):
        window = slice(start, start + VALIDATION_WINDOW)
        log_p, state = model.log_probabilities(inputs[window], targets[window], state, workspaces)
        total -= float(log_p.sum(dtype=np.float64))
    return total / used


class _Clock:
    """Seconds of training, and the share of the run that is done."""

    def __init__(self, config: Config, state: TrainingState, steps_per_epoch: int) -> None:
        self.before, self.started = state.seconds, time.perf_counter()
        self.limit = config.run.seconds
        epochs = config.run.epochs
        limits = [config.run.steps, epochs * steps_per_epoch if epochs else None]
        self.max_steps = min((limit for limit in limits if limit), default=None)
        self.reserve = 0.0  # time that the last validation will take

    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    def progress(self, step: int, seconds: float) -> float:
        shares = [0.0]
        if self.max_steps:
            shares.append(step / self.max_steps)
        if self.limit:
            shares.append(seconds / max(self.limit - self.reserve, 1e-9))
        return min(max(shares), 1.0)


def train(state: TrainingState, config: Config, train_ids: Ids, val_ids: Ids) -> Iterator[Event]:
    """Train until the config's limits, yielding an Event after every step.

    state               where to start; changed in place
    train_ids, val_ids  the parts of the text, as from ``split``; no validation if the second is
                        empty

    Raises TrainingError when loss or gradient stop being finite numbers. The weights of the state
    are then those before that step.
    """
    data, run = config.data, config.run
    batches = make_batches(train_ids, data, run.random_seed)
    clock = _Clock(config, state, batches.steps_per_epoch)
    model, workspaces = state.model, state.model.workspaces()
    flat_grads = np.empty_like(model.flat)
    grads = views(flat_grads, model.shapes)
    batch_chars = data.seq_length * data.batch_size
    rate = _Rate()
    progress = clock.progress(state.step, state.seconds)

    while progress < 1:
        batch = batches.at(state.step)
        if batch.fresh or state.carried is None:
            state.carried = model.zero_state(data.batch_size)
        loss, new_grads, carried = model.loss_and_gradients(
            batch.inputs,
            batch.targets,
            state.carried,
            dropout_rng=generator(run.random_seed, Purpose.DROPOUT, state.step),
            workspaces=workspaces,
        )
        for name, grad in new_grads.items():
            grads[name][...] = grad
        norm = clip(flat_grads, config.optimizer)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(
                f"step {state.step + 1}: the {'loss' if math.isfinite(norm) else 'gradient'} is "
                "no longer a finite number",
                hint="try a lower --learning-rate or a smaller --clip-norm",
            )
        lr = learning_rate(config.optimizer, state.step, progress)
        state.optimizer.step(model.flat, flat_grads, lr)
        state.carried = carried if isinstance(batches, Streams) else None
        state.step += 1
        state.seconds = clock.seconds()
        state.loss_total += loss
        state.loss_count += 1
        chars_per_s = rate.update(batch_chars, state.seconds)
        if clock.limit and not clock.reserve and len(val_ids):
            # A forward pass takes about a third of a step. Replaced by a measurement below.
            clock.reserve = min(len(val_ids) / chars_per_s / 3, clock.limit / 4)
        progress = clock.progress(state.step, state.seconds)

        val_loss, is_best = None, False
        if progress == 1 or _is_due(state, progress, len(val_ids) / batch_chars):
            if len(val_ids):
                val_loss = evaluate(model, val_ids)
                is_best = _keep_best(state, val_loss)
                clock.reserve = min(clock.seconds() - state.seconds, (clock.limit or 0) / 4)
                state.seconds = clock.seconds()
                rate.restart(state.seconds)
            state.history.append(
                {
                    "step": state.step,
                    "seconds": round(state.seconds, 3),
                    "progress": progress,
                    "train_loss": state.loss_total / state.loss_count,
                    "val_loss": val_loss,
                }
            )
            state.loss_total, state.loss_count = 0.0, 0
        epoch = (state.step - 1) // batches.steps_per_epoch + 1
        yield Event(
            state.step,
            epoch,
            state.seconds,
            progress,
            loss,
            val_loss,
            is_best,
            lr,
            norm,
            chars_per_s,
        )
        if run.patience is not None and state.stale >= run.patience:
            return


def _is_due(state: TrainingState, progress: float, val_steps: float) -> bool:
    """Return True if it is time to validate; ``val_steps`` is the held-out text in batches."""
    last = state.history[-1] if state.history else {"progress": 0.0, "step": 0}
    return (
        progress - (last["progress"] or 0) >= 1 / VALIDATIONS_PER_RUN
        and state.step - (last["step"] or 0) >= TRAINED_PER_VALIDATED * val_steps
    )


def _keep_best(state: TrainingState, val_loss: float) -> bool:
    if val_loss < state.best_val_loss:
        state.best_val_loss, state.stale = val_loss, 0
        state.best_weights = state.model.flat.copy()
        return True
    state.stale += 1
    return False


class _Rate:
    """Characters per second over about the last two seconds."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.value = 0.0

    def restart(self, seconds: float) -> None:
        self.at = seconds

    def update(self, chars: int, seconds: float) -> float:
        if self.at is None:
            self.at, self.value = seconds, chars / max(seconds, 1e-9)
            return self.value
        elapsed = max(seconds - self.at, 1e-9)
        weight = min(elapsed / 2, 1.0)
        self.value += weight * (chars / elapsed - self.value)
        self.at = seconds
        return self.value
