"""A group of the processes that a launcher of MPI started, on one machine or many.

Between machines, one process of each exchanges: gradients are summed on each machine first, then
between machines (reduce_scatter), and of the new weights each machine sends what its processes have
updated (all_gather). On one machine, sums are those of ``ForkedGroup`` to the last bit.
"""

import contextlib
import io
import math
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import ConfigError, TrainingError
from charrnn.parallel.group import MAX_VALUES, WorkerLostError, part_of, sum_of_rows
from charrnn.parallel.launcher import Launched
from charrnn.parallel.mpi_between import Here, sum_of_machines
from charrnn.parallel.mpi_crew import Crew
from charrnn.parallel.mpi_world import MPI, World
from charrnn.parallel.sharing import Place, TaskPickler


class MpiGroup:
    """The processes of a world, with a task. Rank 0 makes it, and the others make theirs."""

    def __init__(self, crew: Crew) -> None:
        self.crew, self.world = crew, crew.world
        self.rank, self.size = self.world.rank, self.world.size
        self.row, self.rows = self.world.row, self.world.rows
        self.machines, self.here = len(self.world.machines), Here(crew)
        self.signal: int | None = None
        self._round: Iterator[Any] = iter(())
        self._group = crew.groups
        self._numbers: list[int] = []
        self._moved: list[int] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return _own_group, ()

    @property
    def scattered(self) -> bool:
        """True if there are several machines, and all processes live."""
        return self.machines > 1 and not self.crew.broken

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros in shared memory, one on each machine."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        self._numbers.append(number := self.crew.command("make", max(size, 1)))
        return self.crew.memory.held(number)[:size].view(dtype).reshape(shape)

    def start(self, task: object) -> None:
        """Send the task to all processes."""
        pickled = io.BytesIO()
        TaskPickler(pickled, self.crew.memory.pieces, self._move).dump(task)
        self.crew.tasks[self._group] = task
        self.crew.command("start", self._group, pickled.getvalue(), self._numbers)

    def _move(self, array: NDArray[Any]) -> Place:
        place = self.crew.move(array)
        if place.memory in self.crew.memory.pieces:
            self._numbers.append(place.memory)
            self._moved.append(place.memory)
        return place

    def call(self, method: str, *args: object) -> Any:  # noqa: ANN401
        """Have every process run this method of its task."""
        return self.crew.command("call", self._group, method, args)

    def iterate(self, method: str, *args: object) -> Iterator[Any]:
        """Have every process run this generator method of its task to the end."""
        self._round = self.crew.iterate(self._group, method, args)
        return self._round

    def barrier(self) -> None:
        """Wait until every process has reached the barrier."""
        self.all_reduce()

    def all_reduce(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same in every process."""
        own = np.zeros(MAX_VALUES + 1)
        own[: len(values)], own[-1] = values, self.crew.signal or 0
        table = np.empty((self.size, MAX_VALUES + 1))
        self.crew.memory.sync()
        self.world.wait(self.world.comm.Iallgather(own, table))
        self.crew.memory.sync()
        self.signal = int(table[:, -1].max()) or None
        sums: list[float] = table[:, : len(values)].sum(axis=0).tolist()
        return sums

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return this process's part of the sum of all rows."""
        world, barrier, length = self.world, self.crew.memory.barrier, rows.shape[1]
        barrier()
        if self.machines == 1:
            return sum_of_rows(rows, self.part(length))
        first, last = world.machines[world.number]
        sum_of_rows(rows[: last - first], part_of(length, world.row, last - first))
        barrier()
        if world.row == 0:
            counts = [part.stop - part.start for part in self._machine_parts(length)]
            # Not in place: MPICH would copy a part onto itself if it is longer than those before.
            total = np.empty(counts[world.number], rows.dtype)
            world.wait(world.leaders.Ireduce_scatter(rows[0], total, counts))
            rows[0, : len(total)] = total
        barrier()
        begin, own = self.machine_part(length).start, self.part(length)
        result: NDArray[Any] = rows[0, own.start - begin : own.stop - begin]
        return result

    def all_gather(self, array: NDArray[Any]) -> None:
        """Make the part of a shared array that each process wrote visible to all."""
        world = self.world
        self.crew.memory.barrier()
        if self.machines == 1:
            return
        if world.row == 0:
            data = array.reshape(-1).view(np.uint8)
            size = data.size // max(len(array), 1)  # of an element of the first axis
            parts = self._machine_parts(len(array))
            counts = [(part.stop - part.start) * size for part in parts]
            begins = [part.start * size for part in parts]
            everything = [data, counts, begins, MPI.BYTE]
            world.wait(world.leaders.Iallgatherv(MPI.IN_PLACE, everything))
        self.crew.memory.barrier()

    def merge(self, array: NDArray[Any]) -> None:
        """Make what each process wrote anywhere into a shared array visible to all."""
        self.crew.memory.barrier()
        if len(self.world.machines) > 1 and self.world.row == 0:
            total = np.empty_like(array)
            self.world.wait(self.world.leaders.Iallreduce(array, total))
            array[...] = total
        self.crew.memory.barrier()

    def broadcast(self, array: NDArray[Any]) -> None:
        """Make what rank 0 wrote into a shared array visible to all."""
        self.crew.memory.broadcast(array.reshape(-1).view(np.uint8))

    def sum_between(self, array: NDArray[Any], news: NDArray[np.float64], *, half: bool) -> None:
        """Replace a shared array by its sum over all machines."""
        self.here.barrier()
        if self.row == 0:
            sum_of_machines(self.world, array, news, half=half)
        self.here.barrier()

    def part(self, length: int) -> slice:
        """Return this process's part of a range."""
        return part_of(length, self.rank, self.size)

    def machine_part(self, length: int) -> slice:
        """Return this machine's part of a range."""
        return self._machine_parts(length)[self.world.number]

    def _machine_parts(self, length: int) -> list[slice]:
        """Return the part of each machine: those of its processes, one behind the other."""
        return [
            slice(length * first // self.size, length * last // self.size)
            for first, last in self.world.machines
        ]

    def check(self) -> None:
        """Raise WorkerLostError if a process of this machine has died."""
        self.world.look()

    def close(self) -> None:
        """Have the others forget the task; they wait for the next one."""
        with contextlib.suppress(WorkerLostError):
            for _ in self._round:  # the others are in the middle of it
                pass
        self.crew.tasks.pop(self._group, None)
        if not self.crew.broken:
            self.crew.command("leave_task", self._group)
            self.crew.memory.unused += self._moved
            self._moved = []


_crew: Crew | None = None


def _own_group() -> MpiGroup:
    """Return the group of this process, where a pickled one was."""
    assert _crew is not None  # noqa: S101  # unpickled in a process that serves
    group: MpiGroup = _crew.group
    return group


def connect(found: Launched) -> bool:
    """Join the processes that a launcher started. Returns True in rank 0, which leads the others.

    In the others, it returns when rank 0 has ended. Raises TrainingError, in rank 0, if this MPI is
    not that of the launcher.
    """
    global _crew  # noqa: PLW0603  # a process is in one world
    if MPI.COMM_WORLD.size != found.size:
        raise TrainingError(
            f"{found.by} has started {found.size} processes, but MPI finds {MPI.COMM_WORLD.size}",
            hint=f"use the {found.by} of the MPI that mpi4py was built for, or build it for this "
            "one: pip install --no-binary mpi4py --force-reinstall mpi4py",
        )
    _crew = Crew(World(), MpiGroup)
    if found.rank == 0:
        return True
    _crew.serve()
    return False


def processes() -> int:
    """Return how many processes have been connected; 0 before ``connect``."""
    return 0 if _crew is None else _crew.world.size


def make_group() -> MpiGroup:
    """Return a group of all processes. Raises ConfigError if they have not been connected."""
    if _crew is None:
        raise ConfigError(
            "MPI works from the command line only", hint="mpiexec -n 8 charrnn train text.txt"
        )
    group: MpiGroup = _crew.command("begin", _crew.take_unused())
    return group


def finish(code: int) -> None:
    """Have all other processes end, at the end of rank 0.

    code   of rank 0: if a process is lost, it exits with that at once
    """
    if _crew is None or _crew.world.rank:
        return
    if not _crew.broken:
        with contextlib.suppress(WorkerLostError):
            _crew.command("end")
            return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)  # MPI would wait for the lost ones
