"""How far a run is, and how fast it goes."""

import time

from charrnn.config import RunConfig


class Clock:
    """Seconds of training, and the share of the run that is done."""

    def __init__(self, run: RunConfig, seconds: float, steps_per_epoch: int) -> None:
        self.before, self.started = seconds, time.perf_counter()
        self.limit = run.seconds
        limits = [run.steps, run.epochs * steps_per_epoch if run.epochs else None]
        self.max_steps = min((limit for limit in limits if limit), default=None)
        self.reserve = 0.0  # time that the last validation will take

    def seconds(self) -> float:
        """Return the seconds of training so far, resumed runs included."""
        return self.before + time.perf_counter() - self.started

    def expect_validation(self, seconds: float) -> None:
        """Leave time for the last validation, but no more than a quarter of the run."""
        if self.limit:
            self.reserve = min(seconds, self.limit / 4)

    def done(self, step: float, seconds: float) -> float:
        """Return the share of the run that is done after so many steps and seconds, 0 to 1."""
        shares = [0.0]
        if self.max_steps:
            shares.append(step / self.max_steps)
        if self.limit:
            shares.append(seconds / (self.limit - self.reserve))
        return min(max(shares), 1.0)


class Speed:
    """Characters per second over about the last two seconds."""

    def __init__(self, seconds: float) -> None:
        self.at, self.value, self.updates = seconds, 0.0, 0

    def restart(self, seconds: float) -> None:
        """Leave out what happened since the last update."""
        self.at = seconds

    def update(self, chars: int, seconds: float) -> float:
        """Return the speed, after a step that learned so many characters and ended just now."""
        elapsed = max(seconds - self.at, 1e-9)
        # The first step of all is slow: it makes the scratch memory.
        self.updates += 1
        weight = 1.0 if self.updates <= 2 else min(max(elapsed / 2, 1 / self.updates), 1.0)  # noqa: PLR2004
        self.value += weight * (chars / elapsed - self.value)
        self.at = seconds
        return self.value
