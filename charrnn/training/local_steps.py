"""Local steps: machines that a slow network joins train on their own, and meet now and then.

Inside a machine nothing changes: its processes do the data-parallel step among themselves, each
machine on its part of the batch. After a round of some steps the machines average what has become
of their weights, and all go on from there (local SGD, Stich 2019; with a rate for the mean, as of
the server in Reddi et al. 2021). What the optimizer remembers stays where it is. Between two
meetings no machine hears from another, not even from rank 0: one call starts a round, with its
learning rates.

    1. each machine: delta = weights at the beginning of the round - weights now
    2. delta = the mean of all machines, by the samples that each has trained on
    3. weights = weights at the beginning - MEETING_RATE * delta
"""

import math
import time
from collections.abc import Generator, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, cast

import numpy as np

from charrnn.config import OptimizerConfig, RunConfig
from charrnn.nn.cells import Array
from charrnn.parallel.group import Group, Machines, shared
from charrnn.training.objective import Objective
from charrnn.training.state import TrainingState
from charrnn.training.step import (
    DataParallelStep,
    Share,
    Trained,
    first_not_finite,
    require_finite,
)

# Which share of the time meetings may take, and how long a round may be, in seconds: a signal or a
# time limit waits for its end.
MEETING_SHARE, LONGEST_ROUND = 0.1, 5.0

# How far to go on the way to the mean. The mean of machines that each follow the noise of their own
# batches falls short of where their gradients point: docs/slow-networks.md has the measurements.
MEETING_RATE = 1.3

# Steps that are timed at the beginning, and before them one that makes the scratch memory.
TIMED_STEPS = 3


class LocalSteps(DataParallelStep):
    """Steps of which each machine does several on its own, on its part of the batch.

    every   steps of a round; None until it has been found out
    """

    group: Machines

    def __init__(
        self,
        state: TrainingState[Any],
        objective: Objective[Any],
        config: OptimizerConfig,
        run: RunConfig,
        group: Machines,
    ) -> None:
        given = None if run.sync_every == "auto" else run.sync_every
        self.every: int | None = state.sync_every or given
        self.half = run.sync_precision == "half"
        self.apart = self.every is not None
        self.anchor = shared(group, state.network.flat)  # the weights at the beginning of a round
        self.news = group.array((2,), np.float64)  # what failed in the round, and a signal
        self._round: Iterator[Trained] | None = None
        self._seconds: list[float] = []
        super().__init__(state, objective, config, group)
        self._state = state
        if state.sync_every is None and state.progress.step:
            self.notes.append(
                "every machine goes on with what the optimizer of the first one remembers: not the "
                "same to the last digit"
            )
        if not state.sync_every:
            state.sync_every = 0
            if self.every is not None:
                self._settle(self.every)

    def train(self, step: int, optimizer_steps: int, rates: Iterator[float]) -> Trained:
        """Do a training step, of this machine only while a round lasts. See DataParallelStep.

        A number that is not finite, on any machine, is told at the end of the round.
        """
        if self.every is None:
            return self._timed_step(step, optimizer_steps, rates)
        if self.every == 1:
            return super().train(step, optimizer_steps, rates)
        if self._round is None:
            ahead = list(islice(rates, self.every))
            self._round = self.group.iterate("train_round", step, optimizer_steps, ahead)
        trained = next(self._round)
        if trained.synced:
            next(self._round, None)
            self._round = None
            require_finite(int(self.news[0]))
        return trained

    def train_round(
        self, step: int, optimizer_steps: int, rates: list[float]
    ) -> Generator[Trained, None, None]:
        """Do this process's part of a round, and meet the other machines. Yields every step."""
        failed, last = 0, len(rates) - 1
        for number, rate in enumerate(rates):
            numbers = self.step_of(self._share_here, step + number, optimizer_steps + number, rate)
            failed = first_not_finite(numbers)
            if number == last or failed:
                self.meet(failed)
                yield Trained(numbers[0], numbers[1], rate)
                return
            yield Trained(numbers[0], numbers[1], rate, synced=False)

    def meet(self, failed: int = 0) -> None:
        """Go on from the average of all machines, unless something failed on one.

        failed   what did on this machine; see ``first_not_finite``
        """
        here = self.group.here
        part, delta = here.part(self.flat.size), self.grads[0]
        with np.errstate(over="ignore", invalid="ignore"):  # if something failed
            np.subtract(self.anchor[part], self.flat[part], out=delta[part])
            delta[part] /= self._share_here.scale
            if here.rank == 0:
                self.news[...] = failed, here.signal or 0
            self.group.sum_between(delta, self.news, half=self.half)
        if not self.news[0]:
            self.descend(self.anchor[part], delta[part])
            self.flat[part] = self.anchor[part]
        self.group.signal = int(self.news[1]) or None
        here.barrier()

    def descend(self, anchor: Array, delta: Array) -> None:
        """Update a part of the weights at the beginning of a round by what was learned in it."""
        delta *= MEETING_RATE
        anchor -= delta

    def in_parts(self) -> list[Array]:
        """Return the arrays of which each process, or each machine, knows its part only."""
        return self.carried if self.apart else super().in_parts()

    def spread_part(self) -> None:
        """Take the state of rank 0."""
        super().spread_part()
        self._set_anchor()

    def part_ways(self) -> None:
        """Be ready for local steps, after steps that all machines have done together."""
        self.collect_part()
        self.apart = True
        self._set_anchor()

    def communicate(self) -> None:
        """Send and receive what all processes do in a step that they do together."""
        with np.errstate(all="ignore"):
            self.group.reduce_scatter(self.grads)
        self.group.all_reduce(0.0)
        self.group.all_gather(self.flat)
        self.group.all_reduce(0.0)

    def _set_anchor(self) -> None:
        part = self.group.here.part(self.flat.size)
        self.anchor[part] = self.flat[part]
        self.group.here.barrier()

    @cached_property
    def _share_here(self) -> Share:
        """What belongs to this process among those of its machine."""
        batch_size = self.objective.batches.batch_size
        samples = self.group.machine_part(batch_size)
        return self.share(self.group.here, batch_size / (samples.stop - samples.start))

    def _timed_step(self, step: int, optimizer_steps: int, rates: Iterator[float]) -> Trained:
        """Do a step that all machines do together; in the end, choose the length of a round."""
        began = time.perf_counter()
        trained = super().train(step, optimizer_steps, rates)
        self._seconds.append(time.perf_counter() - began)
        if len(self._seconds) > TIMED_STEPS:
            self._settle(self._choose(min(self._seconds[1:])))
        return trained

    def _choose(self, step: float) -> int:
        """Return the length of a round.

        step   how long a step takes that all machines do together, in seconds
        """
        together = self._shortest("communicate")
        if together <= MEETING_SHARE * step:
            return 1
        self.group.call("part_ways")
        return steps_of_round(step - together, self._shortest("meet"))

    def _shortest(self, method: str) -> float:
        """Return how long a call takes, in seconds: the quicker of two."""
        times = []
        for _ in range(2):
            began = time.perf_counter()
            self.group.call(method)
            times.append(time.perf_counter() - began)
        return min(times)

    def _settle(self, every: int) -> None:
        self.every = self._state.sync_every = every
        steps = "after every step" if every == 1 else f"every {every} steps"
        self.notes.append(
            f"       {self.group.machines} machines, which average their weights {steps}"
        )


def steps_of_round(step: float, meeting: float) -> int:
    """Return after how many steps machines meet, at least 2: meetings take MEETING_SHARE.

    step, meeting   how long each takes, in seconds
    """
    step = max(step, 1e-6)
    wanted = math.ceil(meeting * (1 - MEETING_SHARE) / MEETING_SHARE / step)
    return max(2, min(wanted, int(LONGEST_ROUND / step)))


def make_step(
    state: TrainingState[Any],
    objective: Objective[Any],
    config: OptimizerConfig,
    run: RunConfig,
    group: Group,
) -> DataParallelStep:
    """Return what does the steps of a run: local steps, if it has several machines and wants them.

    Raises ConfigError for more processes than a batch has samples.
    """
    if group.machines > 1 and 1 not in {run.sync_every, state.sync_every}:
        return LocalSteps(state, objective, config, run, cast("Machines", group))
    step = DataParallelStep(state, objective, config, group)
    if run.sync_every not in {1, "auto"} and state.sync_every is None:
        state.sync_every = 1
        step.notes.append("warning: --sync-every does nothing: all processes are on one machine")
    return step
