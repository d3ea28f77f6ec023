"""Groups of processes that work in lockstep: the interface, and the group of one process.

NumPy uses one core for everything except matrix products, so a second process is the best way to
use a second core. The processes of a group share memory, run the same task and synchronize through
collectives named after those of MPI.
"""

import signal
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import CharRNNError

# The most values that ``all_reduce`` accepts.
MAX_VALUES = 4

# The signals that ask a program to end, if the system has them.
ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class WorkerLostError(CharRNNError):
    """Another process of the group has died."""

    def __init__(self) -> None:
        super().__init__("a worker process died", hint="was it killed for memory?")


class Group(Protocol):
    """Processes that work in lockstep. Rank 0 is the process that created the group.

    rank   index of this process, from 0
    size   number of processes

    All processes must call each collective. It raises WorkerLostError if one of them has died.
    """

    rank: int
    size: int

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros in shared memory. Only before ``start``."""
        ...

    def start(self, task: object) -> None:
        """Start the workers, each with the task; they wait for ``call``."""
        ...

    def call(self, method: str, *args: object) -> Any:  # noqa: ANN401
        """Broadcast a call: every process runs this method of its task. Only in rank 0.

        Returns the result of the method in this process.
        """
        ...

    def barrier(self) -> None:
        """Wait until every process has reached the barrier and its writes are visible to all."""
        ...

    def all_reduce(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same in every process."""
        ...

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return this process's ``part`` of the sum of all rows of a shared array (size, N).

        Each process has written the row of its rank. The sum overwrites the first one.
        """
        ...

    def part(self, length: int) -> slice:
        """Return this process's part of a range."""
        ...

    def check(self) -> None:
        """Raise WorkerLostError if rank 0 has died; to poll during work that takes seconds."""
        ...

    def close(self) -> None:
        """End the workers."""
        ...


def shared(group: Group, array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of an array in the shared memory of a group. Only before ``start``."""
    copy = group.array(array.shape, array.dtype)
    copy[...] = array
    return copy


def part_of(length: int, rank: int, size: int) -> slice:
    """Return the part of a range that one of several processes works on."""
    return slice(length * rank // size, length * (rank + 1) // size)


def sum_of_rows(rows: NDArray[Any], part: slice) -> NDArray[Any]:
    """Return a part of the sum of all rows, which overwrites that part of the first."""
    total: NDArray[Any] = rows[0, part]
    for row in rows[1:]:
        total += row[part]
    return total


class SingleProcess:
    """A group of one process."""

    rank, size = 0, 1

    def __init__(self) -> None:
        self._task: object = None

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros."""
        return np.zeros(shape, dtype)

    def start(self, task: object) -> None:
        """Keep the task; there are no workers to start."""
        self._task = task

    def call(self, method: str, *args: object) -> Any:  # noqa: ANN401
        """Run a method of the task."""
        return getattr(self._task, method)(*args)

    def barrier(self) -> None:
        """Do nothing."""

    def all_reduce(self, *values: float) -> list[float]:
        """Return the values."""
        return list(values)

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the only row."""
        row: NDArray[Any] = rows[0]
        return row

    def part(self, length: int) -> slice:
        """Return the whole range."""
        return slice(0, length)

    def check(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
