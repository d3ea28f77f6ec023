"""Processes that work in step: what a group of them can do, and the group of one.

NumPy runs on one core but for its matrix products, so a second core is best used by a second
process. The processes of a group share memory, run the same task and meet in collectives, which are
named after MPI's: a group that spans several machines can be one more implementation.
"""

import signal
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import CharRNNError

# How many values an ``all_reduce`` can take.
MAX_VALUES = 4

# The signals that ask a program to end, as far as this system has them.
ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class WorkerLostError(CharRNNError):
    """Another process of the group is gone."""

    def __init__(self) -> None:
        super().__init__("a worker process died", hint="was it killed for memory?")


class Group(Protocol):
    """Processes that work in step. Rank 0 is the one that made the group.

    rank   number of this process, from 0
    size   number of processes

    Each collective must be called by all processes, and raises WorkerLostError if one is gone.
    """

    rank: int
    size: int

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros that all processes see. Before ``start`` only."""
        ...

    def start(self, task: object) -> None:
        """Start the other processes, each with the task; they wait for ``call``."""
        ...

    def call(self, method: str, *args: object) -> Any:  # noqa: ANN401
        """Broadcast a call: every process runs this method of its task. Rank 0 only.

        Returns what the method returned here.
        """
        ...

    def barrier(self) -> None:
        """Wait until every process is here, and what each wrote to shared arrays with it."""
        ...

    def all_reduce(self, *values: float) -> list[float]:
        """Return the sum over all processes of each value, the same in all of them."""
        ...

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return this process's ``part`` of the sum of all rows of a shared array (size, N).

        Row r is that of rank r. The sum is made in the first row.
        """
        ...

    def all_gather(self, array: NDArray[Any]) -> None:
        """Make the ``part`` of a shared array that each process wrote known to all of them."""
        ...

    def part(self, length: int) -> slice:
        """Return this process's part of a range."""
        ...

    def check(self) -> None:
        """Raise WorkerLostError if rank 0 is gone; for work that takes seconds."""
        ...

    def close(self) -> None:
        """End the other processes."""
        ...


def shared(group: Group, array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of an array that all processes of a group see. Before ``start`` only."""
    copy = group.array(array.shape, array.dtype)
    copy[...] = array
    return copy


class SingleProcess:
    """A group of one process."""

    rank = 0
    size = 1

    def __init__(self) -> None:
        self._task: object = None

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros."""
        return np.zeros(shape, dtype)

    def start(self, task: object) -> None:
        """Remember the task: there is nobody to start."""
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

    def all_gather(self, array: NDArray[Any]) -> None:
        """Do nothing."""

    def part(self, length: int) -> slice:
        """Return the whole range."""
        return slice(0, length)

    def check(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
