"""The training loop: a generator that does a step and yields what happened.

Logging, saving, drawing and stopping are left to the caller. Between two events everything
that changes is in one ``TrainingState``, so a caller may save it, or stop, at any event.

Every process of the group runs this loop (SPMD). The clock is that of rank 0; its time reaches the
others with the loss of each step.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from charrnn.errors import TrainingError
from charrnn.training.optimizers import learning_rate
from charrnn.training.state import TrainingState
from charrnn.training.step import StepResult, Trainer

# Validation waits for a twentieth of the run and for five times its own length in training text,
# so that it takes a few percent of the time and no more.
VALIDATIONS_PER_RUN = 20
TRAINED_PER_VALIDATED = 5

# Over several machines, each keeps its part of the state; all of it is gathered this often, to be
# saved.
GATHER_SECONDS = 20

# A run with a time limit whose held-out loss has not fallen for this many validations has begun to
# memorize: it goes back to the best weights, and ends within this share of the time.
STALLED_VALIDATIONS, FINAL_SHARE = 4, 0.1

# Rollbacks in a row, each to a lower learning rate, before training fails.
MAX_ROLLBACKS = 4


@dataclass(frozen=True)
class Event:
    """What one training step did.

    step, epoch     steps done, counted from 1; passes through the training text begun
    seconds         of training so far, resumed runs included
    done            share of the run that is done, 0 to 1
    train_loss      mean cross-entropy of the step's batch in nats per character
    val_loss        of the held-out text, when it was measured after this step, else None
    is_best         True if that was the lowest so far
    is_complete     True if the state may be saved now; over several machines, it is not after
                    every step
    learning_rate, grad_norm    of the step; the norm is that before clipping
    chars_per_s     training characters per second, smoothed
    remaining       seconds until the end, if it goes on like this
    rollback        None, or why and how far training went back just before this step, as a message
    """

    step: int
    epoch: int
    seconds: float
    done: float
    train_loss: float
    val_loss: float | None
    is_best: bool
    is_complete: bool
    learning_rate: float
    grad_norm: float
    chars_per_s: float
    remaining: float
    rollback: str | None = None


def train_events(
    trainer: Trainer, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, None]:
    """Train until the config's limits, yielding an Event after every step.

    trainer   the run; its state is where to start, and changed in place
    stop      called before every step; training ends after a step for which it returned True

    When loss, gradient or weights stop being finite numbers, the state goes back to where it was
    last validated and the learning rate is halved; the next event says so. After MAX_ROLLBACKS
    times in a row it raises TrainingError, as it does if no time is left for the first step, and
    WorkerLostError when a process dies. The state is then that of the last validation.
    """
    clock = Clock(trainer)
    if clock.done == 1 and trainer.state.progress.step == 0:
        raise TrainingError(
            "the time was over before the first training step", hint="give it a longer --time"
        )
    try:
        trainer.group.start(lambda: deque(_train(trainer, clock, lambda: False), maxlen=0))
        yield from _train(trainer, clock, stop)
    finally:
        trainer.group.close()


def _train(trainer: Trainer, clock: "Clock", stop: Callable[[], bool]) -> Iterator[Event]:
    """Do step after step, in one process of the group."""
    trainer.take_share()
    state, run, is_first = trainer.state, trainer.config.run, trainer.group.rank == 0
    restore = state.remember(with_arrays=is_first)
    failures, rollback = 0, None
    while clock.done < 1:
        try:
            rate = learning_rate(trainer.config.optimizer, state.progress.step, clock.done)
            rate *= state.progress.rate_scale
            result = trainer.step(rate, clock.seconds, stop=stop())
            event = _finish_step(trainer, clock, result, rate)
        except FloatingPointError as error:
            failed, failures = state.progress.step + 1, failures + 1
            restore()
            trainer.broadcast()
            if failures > MAX_ROLLBACKS:
                raise TrainingError(
                    f"step {failed}: {error}; {MAX_ROLLBACKS} lower learning rates did not help",
                    hint="try a lower --learning-rate or a smaller --clip-norm",
                ) from None
            state.advance(rate_scale=state.progress.rate_scale / 2)
            clock.update()
            rollback = (
                f"warning: step {failed}: {error}; back to step {state.progress.step} at "
                f"{state.progress.rate_scale:g} times the learning rate"
            )
            continue
        except BaseException:
            trainer.group.close()  # from now on, no worker changes the state
            restore()
            raise
        if not state.progress.loss_count:  # it has just been validated
            restore, failures = state.remember(with_arrays=is_first), 0
        yield event if rollback is None else replace(event, rollback=rollback)
        rollback, is_validated = None, event.val_loss is not None
        waited = state.progress.evaluations_since_best
        if result.stop or (is_validated and run.patience is not None and waited >= run.patience):
            return
        may_end = run.seconds is not None and run.patience is None and clock.done < 1
        is_stalled = is_validated and waited >= STALLED_VALIDATIONS
        if may_end and is_stalled and state.progress.decay_since == 1:
            if is_first and state.best_weights is not None:
                for network, weights in zip(state.networks, state.best_weights, strict=True):
                    network.flat[...] = weights
            trainer.broadcast()
            state.advance(decay_since=clock.done)
            restore, failures = state.remember(with_arrays=is_first), 0
            rollback = (
                "the held-out loss no longer falls: back to the best weights, for an early end"
            )


def _finish_step(trainer: Trainer, clock: "Clock", result: StepResult, rate: float) -> Event:
    """Count the step, validate if it is time to, and say what happened."""
    state, before = trainer.state, trainer.state.progress
    state.advance(
        step=before.step + 1,
        seconds=result.seconds,
        optimizer_steps=before.optimizer_steps + 1,
        loss_total=before.loss_total + result.loss,
        loss_count=before.loss_count + 1,
    )
    clock.update_speed(trainer.step_chars)
    if not clock.reserve:
        # A forward pass takes about a third of a step; measured at the first validation.
        clock.expect_validation(len(trainer.val_ids) / clock.speed / 3)
    clock.update()
    is_due = _is_due(trainer, clock)
    gathers = is_due or result.stop or result.seconds - clock.gathered >= GATHER_SECONDS
    if gathers:
        trainer.gather()
        clock.gathered = result.seconds
    val_loss = _validate(trainer, clock) if is_due else None
    if state.progress.step == 1 and not is_due:  # so that the curve begins where training does
        _record(state, clock.done, result.loss, None)
    return Event(
        step=state.progress.step,
        epoch=before.step // trainer.batches.steps_per_epoch + 1,
        seconds=state.progress.seconds,
        done=clock.done,
        train_loss=result.loss,
        val_loss=val_loss,
        is_best=val_loss is not None and state.progress.evaluations_since_best == 0,
        is_complete=gathers or trainer.group.shares_memory,
        learning_rate=rate,
        grad_norm=result.norm,
        chars_per_s=clock.speed,
        remaining=clock.estimate_remaining(),
    )


def _is_due(trainer: Trainer, clock: "Clock") -> bool:
    """Return True if it is time to validate: every 5 % and at the end."""
    progress, history = trainer.state.progress, trainer.state.history
    share = 0.0
    if history and progress.loss_count < progress.step:  # else it has only the first step
        share = clock.share_done(history[-1]["step"] or 0, history[-1]["seconds"] or 0)
    trained = progress.loss_count * trainer.step_chars
    return clock.done == 1 or (
        clock.done - share >= 1 / VALIDATIONS_PER_RUN
        and trained >= TRAINED_PER_VALIDATED * len(trainer.val_ids)
    )


def _validate(trainer: Trainer, clock: "Clock") -> float | None:
    """Measure the held-out loss, keep the weights if they are the best, record the losses."""
    state, val_loss = trainer.state, None
    if len(trainer.val_ids):
        before = state.progress
        val_loss, seconds = trainer.evaluate(clock.seconds)
        state.advance(seconds=seconds, evaluations_since_best=before.evaluations_since_best + 1)
        if val_loss < before.best_val_loss:
            state.advance(best_val_loss=val_loss, evaluations_since_best=0)
            if trainer.group.rank == 0:
                state.best_weights = [network.flat.copy() for network in state.networks]
        clock.expect_validation(seconds - before.seconds)
        clock.last = seconds
    _record(state, clock.done, state.progress.loss_total / state.progress.loss_count, val_loss)
    state.advance(loss_total=0.0, loss_count=0)
    return val_loss


def _record(state: TrainingState, done: float, train_loss: float, val_loss: float | None) -> None:
    """Add an entry to the history."""
    state.history.append(
        {
            "step": state.progress.step,
            "seconds": round(state.progress.seconds, 3),
            "progress": done,
            "train_loss": train_loss,
            "val_loss": val_loss,
        }
    )


class Clock:
    """Seconds of training, and the share of the run that is done.

    done       that share, 0 to 1, at the last ``update``
    speed      characters per second, smoothed over the steps done here
    reserve    seconds that the last validation will take
    last       seconds of training at the end of the last step or validation
    gathered   the same, when the state was last gathered
    """

    def __init__(self, trainer: Trainer) -> None:
        self._state, run, epoch = trainer.state, trainer.config.run, trainer.batches.steps_per_epoch
        self._before, self._started = self._state.progress.seconds, time.perf_counter()
        self._limit = run.seconds or math.inf
        self._max_steps = min(run.steps or math.inf, (run.epochs or math.inf) * epoch)
        self._steps, self.speed, self.reserve = 0, 0.0, 0.0
        self.last = self.gathered = self._before
        self.update()

    def seconds(self) -> float:
        """Return the seconds of training so far, resumed runs included."""
        return self._before + time.perf_counter() - self._started

    def update_speed(self, chars: int) -> None:
        """Measure the speed of a step of this many characters that has ended."""
        seconds = self._state.progress.seconds
        elapsed = max(seconds - self.last, 1e-9)
        self._steps, self.last = self._steps + 1, seconds
        # The mean over about the last two seconds.
        share = min(max(elapsed / 2, 1 / self._steps), 1.0)
        self.speed += share * (chars / elapsed - self.speed)

    def expect_validation(self, seconds: float) -> None:
        """Leave time for the last validation, but no more than a quarter of the run."""
        self.reserve = min(seconds, self._limit / 4)

    def update(self) -> None:
        """Compute the share of the run that is done."""
        self.done = self.share_done(self._state.progress.step, self._state.progress.seconds)

    def share_done(self, step: float, seconds: float) -> float:
        """Return the share of the run that is done after these steps and seconds, 0 to 1.

        Once the final decay has begun, what is left of the run passes in FINAL_SHARE of its time.
        """
        done, since = self._share_passed(step, seconds), self._state.progress.decay_since
        left = 1 - since
        if done > since and left > FINAL_SHARE:
            done = since + (done - since) * left / FINAL_SHARE
        return min(done, 1.0)

    def _share_passed(self, step: float, seconds: float) -> float:
        share = max(step / self._max_steps, seconds / (self._limit - self.reserve))
        return min(share, 1.0)

    def estimate_remaining(self) -> float:
        """Return the seconds until the end, if it goes on as so far."""
        progress, left = self._state.progress, 1 - self.done
        passed = self._share_passed(progress.step, progress.seconds)
        if passed > progress.decay_since:
            left *= min(FINAL_SHARE / (1 - progress.decay_since), 1.0)
        return progress.seconds * left / max(passed, 1e-9)
