"""What processes of MPI check about their group; run by ``test_mpi.py`` under mpiexec.

Prints "all well" in rank 0 if everything is as it should be.
"""

import sys
from dataclasses import replace

import numpy as np

from charrnn.config import EngineName
from charrnn.parallel import mpi, mpi_crew, mpi_memory
from charrnn.parallel.launcher import launched
from charrnn.parallel.mpi import MpiGroup
from charrnn.training.next_character import initial_state
from charrnn.training.state import TrainingState
from tests.support import V, make_config, train_text

SMALL, LARGE = 20_000, 1 << 20  # numbers: moved to shared memory, and to a file
LENGTH = 11  # no multiple of the number of processes
WIDE = 211_457  # as many weights as a model may have: no such multiple either, and no short message


class Task:
    """Work on shared arrays, which has to come out as in one process."""

    def __init__(self, group: MpiGroup) -> None:
        self.group = group
        self.rows = group.array((group.rows, LENGTH), np.float64)
        self.wide = group.array((group.rows, WIDE), np.float32)
        self.flat = group.array((LENGTH,), np.float64)
        self.table = group.array((LENGTH, 3), np.float32)
        self.given = group.array((LENGTH,), np.float64)
        self.given[...] = np.arange(LENGTH)
        self.small, self.large = np.arange(SMALL), np.arange(LARGE)

    def everything(self, turn: int) -> None:
        """Do all that a training step does, and more."""
        group, own = self.group, self.group.part(LENGTH)
        np.testing.assert_array_equal(self.given, np.arange(LENGTH))
        np.testing.assert_array_equal(self.small, np.arange(SMALL))
        np.testing.assert_array_equal(self.large, np.arange(LARGE))
        assert group.rank == 0 or not self.large.flags.writeable  # a mapped file
        size, ranks = group.size, sum(range(group.size))
        assert group.all_reduce(1.0, group.rank, turn) == [size, ranks, size * turn]
        self.rows[group.row] = (group.rank + 1) * np.arange(LENGTH) + turn
        total = (ranks + size) * np.arange(LENGTH) + size * turn
        np.testing.assert_array_equal(group.reduce_scatter(self.rows), total[own])
        self.wide[group.row] = np.arange(WIDE) % 97
        wide = size * (np.arange(WIDE) % 97)[group.part(WIDE)]
        np.testing.assert_array_equal(group.reduce_scatter(self.wide), wide)
        self.flat[own] = total[own]
        self.table[own] = total[own, None]
        group.all_gather(self.flat)
        group.all_gather(self.table)
        np.testing.assert_array_equal(self.flat, total)
        np.testing.assert_array_equal(self.table, np.tile(total, (3, 1)).T)
        group.barrier()
        if group.rank == 0:
            self.flat[...] = -turn
        group.broadcast(self.flat)
        np.testing.assert_array_equal(self.flat, -turn)
        group.barrier()


def trained(workers: int, engine: EngineName) -> TrainingState:
    """Train, and go back once on the way: a weight of rank 0 is no number any more."""
    config = make_config(steps=40, schedule="constant", workers=workers, engine=engine)
    config = replace(config, model=replace(config.model, dtype="float64"))
    ids = np.random.default_rng(0).integers(V, size=2000).astype(np.uint8)
    state, rollbacks = initial_state(config, V), 0
    for event in train_text(state, config, ids[:-200], ids[-200:]):
        if event.step == 25 and not rollbacks:
            state.network.flat[-1] = np.nan
        rollbacks += event.rollback is not None
    assert rollbacks == 1
    return state


def check_training(size: int) -> None:
    """Compare a run of all processes with one of this process alone."""
    alone, together = trained(1, "processes"), trained(size, "mpi")
    np.testing.assert_allclose(together.network.flat, alone.network.flat, atol=1e-9)
    for name, slot in alone.slots.items():
        np.testing.assert_allclose(together.slots[name], slot, atol=1e-9)
    for one, other in zip(alone.carried or [], together.carried or [], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def main(machines: int) -> None:
    """Check groups one after the other, on so many machines."""
    found = launched()
    assert found is not None
    mpi_crew.IN_MEMORY, mpi_memory.PIECE = 8 * SMALL, 1_000_000
    if not mpi.connect(found):
        return
    crew = mpi.make_group().crew
    assert len(crew.world.machines) == machines
    assert sum(last - first for first, last in crew.world.machines) == found.size
    for _ in range(3):
        group = mpi.make_group()
        group.start(Task(group))
        for turn in range(10):
            group.call("everything", turn)
        group.close()
    # Five arrays and one that was moved, of the last two groups at most.
    assert len(crew.memory.pieces) <= 12, crew.memory.pieces.keys()
    check_training(found.size)
    sys.stdout.write("all well\n")
    mpi.finish(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
