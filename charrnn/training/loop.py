"""The training loop.

``train_events`` is a generator: it computes a step, yields what happened, and leaves logging,
saving, drawing and stopping to whoever iterates. Between two events everything that changes is in
one ``TrainingState``, so a caller may save it, or walk away, at any event.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from charrnn.config import Config
from charrnn.errors import TrainingError
from charrnn.parallel.group import WorkerLostError
from charrnn.parallel.launch import make_group
from charrnn.text.windows import fit_to_corpus
from charrnn.training.clock import Clock, Speed
from charrnn.training.next_character import NextCharacter
from charrnn.training.schedule import learning_rate
from charrnn.training.state import TrainingState
from charrnn.training.step import DataParallelStep

# Validation waits for a twentieth of the run and for five times its own length in training text,
# so that it takes a few percent of the time and no more.
VALIDATIONS_PER_RUN = 20
TRAINED_PER_VALIDATED = 5

# How often in a row training goes back and tries again more slowly before it gives up.
MAX_ROLLBACKS = 4


@dataclass(frozen=True)
class Event:
    """What one training step did.

    step, epoch     steps done, counted from 1; passes through the training text begun
    seconds         of training so far, resumed runs included
    progress        share of the run that is done, 0 to 1
    train_loss      mean cross-entropy of the step's batch in nats per character, of a classifier
                    per sequence
    val_loss        of the held-out text, when it was measured after this step, else None
    is_best         True if that was the lowest so far
    learning_rate, grad_norm    of the step; the norm is that before clipping
    chars_per_s     training characters per second, smoothed
    rollback        None, or why and how far training went back just before this step
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
    rollback: str | None = None


def fit_config(config: Config, train_size: int) -> Config:
    """Return a config with windows and batches that fit the training text.

    config       all settings of the run
    train_size   number of characters in the training text

    Raises CorpusError if the text has fewer than two characters.
    """
    seq_length, batch_size = fit_to_corpus(config.data, train_size)
    return replace(config, data=replace(config.data, seq_length=seq_length, batch_size=batch_size))


def train_events(
    state: TrainingState, objective: NextCharacter, config: Config
) -> Generator[Event, None, None]:
    """Train until the config's limits, yielding an Event after every step.

    state       where to start; changed in place
    objective   what to learn: ``NextCharacter``
    config      of which the optimizer and the run count here

    When loss, gradient or weights stop being finite numbers, the state goes back to where it was
    last measured and the learning rate is halved; the next event says so. After MAX_ROLLBACKS times
    in a row it raises TrainingError instead, as it does when a worker process dies. Whatever is
    raised in the middle of a step, the state is then that last good one.
    """
    group = make_group(config.run.workers or 1)
    try:
        step = DataParallelStep(state, objective, config.optimizer, group)
        yield from _events(state, step, config)
    finally:
        group.close()


def _events(state: TrainingState, step: DataParallelStep, config: Config) -> Iterator[Event]:
    trainer, patience = _Trainer(state, step, config), config.run.patience
    good, failures, rollback = state.copy(), 0, None
    while trainer.done < 1:
        measured = len(state.history)
        try:
            event = trainer.step()
            if len(state.history) > measured:
                good, failures = state.copy(), 0
        except WorkerLostError:
            state.restore(good)
            raise TrainingError(
                f"a worker process died after step {state.progress.step}",
                hint="was it killed for memory? --resume goes on, with fewer --workers if need be",
            ) from None
        except FloatingPointError as error:
            failed, failures = state.progress.step + 1, failures + 1
            state.restore(good)
            if failures > MAX_ROLLBACKS:
                raise TrainingError(
                    f"step {failed}: {error}; {MAX_ROLLBACKS} lower learning rates did not help",
                    hint="try a lower --learning-rate or a smaller --clip-norm",
                ) from None
            state.advance(rate_scale=state.progress.rate_scale / 2)
            trainer.restart()
            rollback = (
                f"step {failed}: {error}; back to step {state.progress.step} at "
                f"{state.progress.rate_scale:g} times the learning rate"
            )
            continue
        except BaseException:  # in the middle of an update
            step.group.close()
            state.restore(good)
            raise
        yield event if rollback is None else replace(event, rollback=rollback)
        rollback = None
        waited = state.progress.evaluations_since_best
        if event.val_loss is not None and patience is not None and waited >= patience:
            return


class _Trainer:
    """What stays the same from step to step, and the steps themselves."""

    def __init__(self, state: TrainingState, step: DataParallelStep, config: Config) -> None:
        self.state, self.parallel, self.optimizer = state, step, config.optimizer
        self.objective = step.objective
        self.steps_per_epoch = self.objective.batches.steps_per_epoch
        self.clock = Clock(config.run, state.progress.seconds, self.steps_per_epoch)
        self.speed = Speed(state.progress.seconds)
        self.done = 0.0
        self.restart()

    def restart(self) -> None:
        """Take the state as it is now, at the beginning or after a rollback."""
        self.done = self.clock.done(self.state.progress.step, self.state.progress.seconds)

    def step(self) -> Event:
        """Do one step, and validate if it is time to.

        Raises FloatingPointError if loss, gradient or new weights are not finite.
        """
        state, before, clock = self.state, self.state.progress, self.clock
        rate = learning_rate(self.optimizer, before.step, self.done) * before.rate_scale
        loss, norm = self.parallel.train(before.step, before.optimizer_steps + 1, rate)
        step, seconds = before.step + 1, clock.seconds()
        state.advance(
            step=step,
            seconds=seconds,
            optimizer_steps=before.optimizer_steps + 1,
            loss_total=before.loss_total + loss,
            loss_count=before.loss_count + 1,
        )
        chars_per_s = self.speed.update(self.objective.step_size, seconds)
        if not clock.reserve:
            # A forward pass takes about a third of a step; measured at the first validation.
            clock.expect_validation(self.objective.held_out / chars_per_s / 3)
        self.done = clock.done(step, seconds)
        val_loss, is_best = self._measure() if self._is_due() else (None, False)
        return Event(
            step=step,
            epoch=(step - 1) // self.steps_per_epoch + 1,
            seconds=state.progress.seconds,
            progress=self.done,
            train_loss=loss,
            val_loss=val_loss,
            is_best=is_best,
            learning_rate=rate,
            grad_norm=norm,
            chars_per_s=chars_per_s,
        )

    def _is_due(self) -> bool:
        """Return True if it is time to validate: at the end, and now and then before."""
        history = self.state.history
        last = history[-1] if history else {"step": 0, "seconds": 0}
        step, seconds = last["step"] or 0, last["seconds"] or 0
        trained = (self.state.progress.step - step) * self.objective.step_size
        return self.done == 1 or (
            self.done - self.clock.done(step, seconds) >= 1 / VALIDATIONS_PER_RUN
            and trained >= TRAINED_PER_VALIDATED * self.objective.held_out
        )

    def _measure(self) -> tuple[float | None, bool]:
        """Validate, keep the weights if they are the best, and note the losses."""
        state, val_loss, is_best = self.state, None, False
        if self.objective.held_out:
            before, val_loss = state.progress, self.parallel.evaluate()
            is_best = val_loss < before.best_val_loss
            if is_best:
                state.best_weights = state.network.flat.copy()
            state.advance(
                best_val_loss=val_loss if is_best else before.best_val_loss,
                evaluations_since_best=0 if is_best else before.evaluations_since_best + 1,
                seconds=self.clock.seconds(),
            )
            self.clock.expect_validation(state.progress.seconds - before.seconds)
            self.speed.restart(state.progress.seconds)
        progress = state.progress
        state.history.append(
            {
                "step": progress.step,
                "seconds": round(progress.seconds, 3),
                "progress": self.done,
                "train_loss": progress.loss_total / progress.loss_count,
                "val_loss": val_loss,
            }
        )
        state.advance(loss_total=0.0, loss_count=0)
        return val_loss, is_best
