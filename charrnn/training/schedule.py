"""How far a run is, how fast it goes, and the learning rate that follows."""

import math
import time

from charrnn.config import OptimizerConfig, RunConfig, ScheduleName


def learning_rate(config: OptimizerConfig, step: int, done: float) -> float:
    """Return the learning rate for a step.

    step   counted from 0
    done   share of the run that is done, 0 to 1

    The rate rises linearly over ``warmup`` steps, or over the first tenth of a run that has fewer
    than ten times as many, times the course of the schedule.
    """
    warm = 1.0
    if config.warmup:
        warm = min(1.0, max((step + 1) / config.warmup, done * 10))
    return config.peak_learning_rate * warm * schedule(config.schedule, done)


def schedule(name: ScheduleName, done: float) -> float:
    """Return the factor of a schedule: from 1 at the start to 0 at the end, or constantly 1."""
    done = min(max(done, 0.0), 1.0)
    if name == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1 - done if name == "linear" else 1.0


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
        """Return the share of the run that is done after so many steps and seconds, 0 to 1."""
        shares = [0.0]
        if self._max_steps:
            shares.append(step / self._max_steps)
        if self._limit:
            shares.append(seconds / (self._limit - self.reserve))
        return min(max(shares), 1.0)


class Speed:
    """Characters per second over about the last two seconds."""

    def __init__(self, seconds: float) -> None:
        self._at, self.value, self._updates = seconds, 0.0, 0

    def restart(self, seconds: float) -> None:
        """Leave out what happened since the last update."""
        self._at = seconds

    def update(self, chars: int, seconds: float) -> float:
        """Return the speed, after a step that learned so many characters and ended just now."""
        elapsed = max(seconds - self._at, 1e-9)
        # The first step of all is slow: it makes the scratch memory.
        self._updates += 1
        weight = 1.0
        if self._updates > 2:
            weight = min(max(elapsed / 2, 1 / self._updates), 1.0)
        self.value += weight * (chars / elapsed - self.value)
        self._at = seconds
        return self.value
