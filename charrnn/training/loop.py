"""The training loop: a generator that does a step and yields what happened.

Logging, saving, drawing and stopping are left to the caller. Between two events everything
that changes is in one ``TrainingState``, so a caller may save it, or stop, at any event.

Every process of the group runs this loop (SPMD). The clock is that of rank 0; its time reaches the
others with the loss of each step.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

from charrnn.config import Config, RunConfig
from charrnn.errors import TrainingError
from charrnn.parallel.group import WorkerLostError
from charrnn.text.windows import fit_to_corpus
from charrnn.training.optimizers import learning_rate
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


def fit_config(config: Config, train_size: int) -> Config:
    """Return a config with windows and batches that fit a training text of this many characters.

    Raises CorpusError if the text has fewer than two characters.
    """
    seq_length, batch_size = fit_to_corpus(config.data, train_size)
    return replace(config, data=replace(config.data, seq_length=seq_length, batch_size=batch_size))


def train_events(
    trainer: Trainer, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, None]:
    """Train until the config's limits, yielding an Event after every step.

    trainer   the run; its state is where to start, and changed in place
    stop      called before every step; training ends after a step for which it returned True

    When loss, gradient or weights stop being finite numbers, the state goes back to where it was
    last validated and the learning rate is halved; the next event says so. After MAX_ROLLBACKS
    times in a row it raises TrainingError, as it does when a worker process dies, or if no time is
    left for the first step. Whatever is raised, the state is then that of the last validation.
    """
    loop = _Loop(trainer)
    if loop.done == 1 and loop.state.progress.step == 0:
        raise TrainingError(
            "the time was over before the first training step", hint="give it a longer --time"
        )
    try:
        trainer.start(lambda: deque(loop.events(lambda: False), maxlen=0))
        yield from loop.events(stop)
    finally:
        trainer.group.close()


class _Loop:
    """The loop, its clock and its speed.

    speed   characters per second, smoothed over the ``steps`` done here
    last    seconds of training at the end of the last step or validation
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.state, self.config = trainer, trainer.state, trainer.config
        progress, self.steps_per_epoch = self.state.progress, trainer.batches.steps_per_epoch
        self.clock = Clock(self.config.run, progress.seconds, self.steps_per_epoch)
        self.speed, self.steps, self.last = 0.0, 0, progress.seconds
        self.done = self.share_done(progress.step, progress.seconds)
        self.gathered, self.failures = progress.seconds, 0

    def share_done(self, step: float, seconds: float) -> float:
        """Return the share of the run that is done after these steps and seconds, 0 to 1.

        Once the final decay has begun, what is left of the run passes in FINAL_SHARE of its time.
        """
        done, since = self.clock.done(step, seconds), self.state.progress.decay_since
        left = 1 - since
        if done > since and left > FINAL_SHARE:
            done = since + (done - since) * left / FINAL_SHARE
        return min(done, 1.0)

    def estimate_remaining(self) -> float:
        """Return the seconds until the end, if it goes on as so far."""
        progress, left = self.state.progress, 1 - self.done
        passed = self.clock.done(progress.step, progress.seconds)
        if passed > progress.decay_since:
            left *= min(FINAL_SHARE / (1 - progress.decay_since), 1.0)
        return progress.seconds * left / max(passed, 1e-9)

    def events(self, stop: Callable[[], bool]) -> Iterator[Event]:
        """Do step after step."""
        state, patience, rollback = self.state, self.config.run.patience, None
        self.remember()
        while self.done < 1:
            try:
                result, rate = self.step(stop=stop())
                event = self.finish_step(result, rate)
            except FloatingPointError as error:
                rollback = self.roll_back(error)
                continue
            except BaseException as error:
                self.trainer.group.close()  # from now on, no worker changes the state
                state.restore(self.good)
                if isinstance(error, WorkerLostError):
                    raise TrainingError(
                        f"a worker process died after step {state.progress.step}",
                        hint="was it killed for memory? --resume goes on, with fewer --workers if "
                        "need be",
                    ) from None
                raise
            if not state.progress.loss_count:  # it has just been validated
                self.remember()
            yield event if rollback is None else replace(event, rollback=rollback)
            rollback = None
            waited = state.progress.evaluations_since_best
            if event.val_loss is not None and patience is not None and waited >= patience:
                return
            if result.stop:
                return
            if self.is_stalled(event):
                rollback = self.begin_decay()

    def step(self, *, stop: bool) -> tuple[StepResult, float]:
        """Train on the next batch; return what it did, and the learning rate."""
        progress = self.state.progress
        rate = learning_rate(self.config.optimizer, progress.step, self.done) * progress.rate_scale
        result = self.trainer.step(rate, self.clock.seconds, stop=stop)
        self.state.advance(
            step=progress.step + 1,
            seconds=result.seconds,
            optimizer_steps=progress.optimizer_steps + 1,
            loss_total=progress.loss_total + result.loss,
            loss_count=progress.loss_count + 1,
        )
        return result, rate

    def finish_step(self, result: StepResult, rate: float) -> Event:
        """Validate if it is time to, and say what happened."""
        trainer, state, clock = self.trainer, self.state, self.clock
        step, elapsed = state.progress.step, max(result.seconds - self.last, 1e-9)
        self.steps, self.last = self.steps + 1, result.seconds
        # The mean over about the last two seconds.
        share = min(max(elapsed / 2, 1 / self.steps), 1.0)
        self.speed += share * (trainer.step_chars / elapsed - self.speed)
        if not clock.reserve:
            # A forward pass takes about a third of a step; measured at the first validation.
            clock.expect_validation(len(trainer.val_ids) / self.speed / 3)
        self.done = self.share_done(step, result.seconds)
        is_due, waited = self.is_due(), result.seconds - self.gathered
        wanted = is_due or result.stop or waited >= GATHER_SECONDS
        is_complete = wanted or trainer.group.shares_memory
        if wanted:
            trainer.gather()
            self.gathered = result.seconds
        val_loss, is_best = self.validate() if is_due else (None, False)
        if step == 1 and not is_due:  # so that the curve begins where training does
            self.record(result.loss, None)
        return Event(
            step=step,
            epoch=(step - 1) // self.steps_per_epoch + 1,
            seconds=state.progress.seconds,
            done=self.done,
            train_loss=result.loss,
            val_loss=val_loss,
            is_best=is_best,
            is_complete=is_complete,
            learning_rate=rate,
            grad_norm=result.norm,
            chars_per_s=self.speed,
            remaining=self.estimate_remaining(),
        )

    def is_due(self) -> bool:
        """Return True if it is time to validate: every 5 % and at the end."""
        progress = self.state.progress
        history = self.state.history if progress.loss_count < progress.step else []
        last = history[-1] if history else {"step": 0, "seconds": 0}
        step, seconds = last["step"] or 0, last["seconds"] or 0
        trained = (progress.step - step) * self.trainer.step_chars
        return self.done == 1 or (
            self.done - self.share_done(step, seconds) >= 1 / VALIDATIONS_PER_RUN
            and trained >= TRAINED_PER_VALIDATED * len(self.trainer.val_ids)
        )

    def validate(self) -> tuple[float | None, bool]:
        """Measure the held-out loss, keep the weights if they are the best, record the losses."""
        state, val_loss, is_best = self.state, None, False
        if len(self.trainer.val_ids):
            before = state.progress
            val_loss, seconds = self.trainer.evaluate(self.clock.seconds)
            state.advance(seconds=seconds, evaluations_since_best=before.evaluations_since_best + 1)
            if is_best := val_loss < before.best_val_loss:
                state.advance(best_val_loss=val_loss, evaluations_since_best=0)
                if self.trainer.group.rank == 0:
                    state.best_weights = [network.flat.copy() for network in state.networks]
            self.clock.expect_validation(seconds - before.seconds)
            self.last = seconds
        self.record(state.progress.loss_total / state.progress.loss_count, val_loss)
        state.advance(loss_total=0.0, loss_count=0)
        return val_loss, is_best

    def record(self, train_loss: float, val_loss: float | None) -> None:
        """Add an entry to the history."""
        progress = self.state.progress
        self.state.history.append(
            {
                "step": progress.step,
                "seconds": round(progress.seconds, 3),
                "progress": self.done,
                "train_loss": train_loss,
                "val_loss": val_loss,
            }
        )

    def is_stalled(self, event: Event) -> bool:
        """Return True if it is time to begin the final decay."""
        progress, run = self.state.progress, self.config.run
        return (
            event.val_loss is not None
            and event.done < 1
            and run.seconds is not None
            and run.patience is None
            and progress.decay_since == 1
            and progress.evaluations_since_best >= STALLED_VALIDATIONS
        )

    def begin_decay(self) -> str:
        """Go back to the best weights, from which the rate falls to zero; return a message."""
        state, best = self.state, self.state.best_weights
        if self.trainer.group.rank == 0 and best is not None:
            for network, weights in zip(state.networks, best, strict=True):
                network.flat[...] = weights
        self.trainer.broadcast()
        state.advance(decay_since=self.done)
        self.remember()
        return "the held-out loss no longer falls: back to the best weights, and to an early end"

    def remember(self) -> None:
        """Copy the state, to go back to."""
        self.good = self.state.snapshot(with_arrays=self.trainer.group.rank == 0)
        self.failures = 0

    def roll_back(self, error: FloatingPointError) -> str:
        """Go back to the last validation, at half the learning rate; return a message."""
        state, failed = self.state, self.state.progress.step + 1
        state.restore(self.good)
        self.trainer.broadcast()
        self.failures += 1
        if self.failures > MAX_ROLLBACKS:
            raise TrainingError(
                f"step {failed}: {error}; {MAX_ROLLBACKS} lower learning rates did not help",
                hint="try a lower --learning-rate or a smaller --clip-norm",
            ) from None
        state.advance(rate_scale=state.progress.rate_scale / 2)
        progress = state.progress
        self.done = self.share_done(progress.step, progress.seconds)
        return (
            f"warning: step {failed}: {error}; back to step {progress.step} at "
            f"{progress.rate_scale:g} times the learning rate"
        )


class Clock:
    """Seconds of training, and the share of the run that is done."""

    def __init__(self, run: RunConfig, seconds: float, steps_per_epoch: int) -> None:
        self._before, self._started = seconds, time.perf_counter()
        self._limit = run.seconds
        limits = [run.steps, run.epochs * steps_per_epoch if run.epochs else None]
        self._max_steps = min((limit for limit in limits if limit), default=None)
        self.reserve = 0.0  # time that the last validation will take

    def seconds(self) -> float:
        """Return the seconds of training so far, resumed runs included."""
        return self._before + time.perf_counter() - self._started

    def expect_validation(self, seconds: float) -> None:
        """Leave time for the last validation, but no more than a quarter of the run."""
        if self._limit:
            self.reserve = min(seconds, self._limit / 4)

    def done(self, step: float, seconds: float) -> float:
        """Return the share of the run that is done after these steps and seconds, 0 to 1."""
        shares = [0.0]
        if self._max_steps:
            shares.append(step / self._max_steps)
        if self._limit:
            shares.append(seconds / (self._limit - self.reserve))
        return min(max(shares), 1.0)
