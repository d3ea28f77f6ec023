"""What processes of MPI check about rounds of local steps; run by ``test_local_steps.py``.

Prints "all well" in rank 0 if everything is as it should be.
"""

import os
import sys
import traceback
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from charrnn.config import Config
from charrnn.nn.language_model import LanguageModel
from charrnn.parallel import mpi
from charrnn.parallel.launcher import launched
from charrnn.text.batches import EVERY, Batch, Batches
from charrnn.text.windows import Streams
from charrnn.training import local_steps
from charrnn.training.local_steps import LocalSteps
from charrnn.training.loop import Event, train_events
from charrnn.training.next_character import NextCharacter, initial_state
from charrnn.training.state import TrainingState
from charrnn.training.step import Share
from tests.support import V, make_config, train_text

IDS = np.random.default_rng(0).integers(V, size=2000).astype(np.uint8)
EVERY_STEPS, STEPS = 5, 13  # two rounds, and what remains

meetings: list[int] = []


class Watched(LocalSteps):
    """Local steps after whose meetings all machines must have the same weights."""

    breaks_at = -1  # the step at which a weight of the last process becomes no number

    def __init__(self, *args: Any) -> None:
        self.breaks_at = type(self).breaks_at
        super().__init__(*args)

    def meet(self, failed: int = 0) -> None:
        super().meet(failed)
        if not self.news[0]:
            own = sha256(self.flat.tobytes() + self.anchor.tobytes()).hexdigest()
            found = set(self.group.world.comm.allgather(own))  # type: ignore[attr-defined]
            assert len(found) == 1, found
            meetings.append(failed)

    def spread_part(self) -> None:
        super().spread_part()
        np.testing.assert_array_equal(self.anchor, self.flat)

    def step_of(self, own: Share, step: int, optimizer_steps: int, rate: float) -> list[float]:
        if step == self.breaks_at and self.group.rank == self.group.size - 1:
            self.flat[0], self.breaks_at = np.inf, -1
        return super().step_of(own, step, optimizer_steps, rate)


def config_of(**settings: Any) -> Config:
    made = make_config(schedule="linear", engine="mpi", **settings)
    return replace(made, model=replace(made.model, dtype="float64"))


class Part(Batches):
    """Some samples of each batch, as batches of their own."""

    def __init__(self, whole: Batches, samples: slice) -> None:
        self.whole, self.samples = whole, samples
        self.batch_size = samples.stop - samples.start
        self.steps_per_epoch = whole.steps_per_epoch

    def at(self, step: int, samples: slice = EVERY) -> Batch:
        assert samples == slice(0, self.batch_size)
        return self.whole.at(step, self.samples)

    def _in_epoch(self, epoch: int, position: int, samples: slice) -> Batch:
        raise NotImplementedError


class PartOfStreams(Part, Streams):
    """Some streams, whose state is carried on."""


class Alone:
    """What a machine would do that has nobody: the oracle, a run of one process."""

    def __init__(self, config: Config, samples: slice) -> None:
        self.config = replace(config, run=replace(config.run, engine="processes", workers=1))
        self.objective = NextCharacter(self.config, IDS, IDS[:0])
        whole = self.objective.batches
        kind = PartOfStreams if isinstance(whole, Streams) else Part
        self.objective.batches = kind(whole, samples)
        self.losses: list[float] = []
        self.objective.step_size = config.data.seq_length * (samples.stop - samples.start)
        self.weight = (samples.stop - samples.start) / config.data.batch_size
        self.state = initial_state(self.config, V)

    def go_to(self, step: int) -> None:
        with closing(train_events(self.state, self.objective, self.config)) as events:
            for event in events:
                self.losses.append(event.train_loss)
                if event.step == step:
                    return
        raise AssertionError(step)


def by_hand(config: Config, parts: list[slice]) -> list[Alone]:
    """Return the runs of the machines, which were averaged after every round."""
    runs = [Alone(config, samples) for samples in parts]
    begin = runs[0].state.network.flat.copy()
    for step in (*range(EVERY_STEPS, STEPS, EVERY_STEPS), STEPS):
        for run in runs:
            run.go_to(step)
        mean = sum(run.weight * run.state.network.flat for run in runs)
        begin = begin + 1.3 * (mean - begin)
        for run in runs:
            run.state.network.flat[...] = begin
    return runs


def together(config: Config) -> tuple[TrainingState[LanguageModel], list[Event]]:
    state = initial_state(config, V)
    return state, list(train_text(state, config, IDS, IDS[:0]))


def check_rounds(parts: list[slice]) -> None:
    """Compare rounds with independent runs that are averaged by hand."""
    for settings in ({}, {"stride": 3}, {"optimizer": "sgd", "layers": 2, "cell": "gru"}):
        config = config_of(steps=STEPS, sync_every=EVERY_STEPS, **settings)
        meetings.clear()
        state, events = together(config)
        assert len(meetings) == 3
        assert [event.step for event in events if event.synced] == [5, 10, 13]
        runs = by_hand(config, parts)
        np.testing.assert_allclose(state.network.flat, runs[0].state.network.flat, atol=1e-12)
        for name, slot in runs[0].state.slots.items():
            np.testing.assert_allclose(state.slots[name], slot, atol=1e-12)
        for number, run in enumerate(state.carried or []):
            for place, part in enumerate(run):
                rows = [(alone.state.carried or [])[number][place] for alone in runs]
                np.testing.assert_allclose(part, np.concatenate(rows), atol=1e-12)
        losses = [event.train_loss for event in events]
        np.testing.assert_allclose(losses, runs[0].losses, atol=1e-12)


def check_half_precision() -> None:
    """Compare a round with one whose weights were exchanged in half precision."""
    config = config_of(steps=EVERY_STEPS, sync_every=EVERY_STEPS)
    exact, _ = together(config)
    rough, _ = together(replace(config, run=replace(config.run, sync_precision="half")))
    moved = np.abs(exact.network.flat - initial_state(config, V).network.flat).max()
    error = np.abs(exact.network.flat - rough.network.flat).max()
    assert 0 < error < moved / 500, (error, moved)


def check_a_number_that_is_none() -> None:
    """Go back, with all machines, when a weight of another machine is no number any more."""
    Watched.breaks_at = 22
    config = config_of(steps=30, sync_every=4)
    state = initial_state(config, V)
    rollbacks = [e.rollback for e in train_text(state, config, IDS[:-200], IDS[-200:])]
    (told,) = (rollback for rollback in rollbacks if rollback is not None)
    assert "is no longer a finite number; back to step" in told, told
    assert state.progress.step == 30
    assert np.isfinite(state.network.flat).all()
    Watched.breaks_at = -1


def check_an_end_in_the_middle() -> None:
    """Walk away in the middle of a round: the others come to its end, and are ready for more."""
    config = config_of(steps=30, sync_every=10)
    meetings.clear()
    with closing(train_text(initial_state(config, V), config, IDS, IDS[:0])) as events:
        for event in events:
            if event.step == 13:
                assert not event.synced
                break
    assert len(meetings) == 2


def check_auto(machines: int) -> None:
    """Let the length of a round be chosen."""
    config = config_of(steps=40, sync_every="auto")
    state, events = together(config)
    notes = [line for event in events for line in event.notes]
    assert len(notes) == 1, notes
    assert f"{machines} machines, which average their weights" in notes[0]
    assert state.sync_every is not None
    assert state.progress.step == 40


def main() -> None:
    found = launched()
    assert found is not None
    local_steps.LocalSteps = Watched  # type: ignore[misc,assignment]
    if not mpi.connect(found):
        return
    try:
        check()
    except BaseException:  # noqa: BLE001  # whatever it is, nobody is to wait
        traceback.print_exc()
        os._exit(1)
    sys.stdout.write("all well\n")
    mpi.finish(0)


def check() -> None:
    """Check everything."""
    world = mpi.make_group().crew.world
    rows = config_of(steps=1).data.batch_size
    parts = [
        slice(rows * first // world.size, rows * last // world.size)
        for first, last in world.machines
    ]
    check_rounds(parts)
    check_half_precision()
    check_a_number_that_is_none()
    check_an_end_in_the_middle()
    check_auto(len(parts))


if __name__ == "__main__":
    main()
