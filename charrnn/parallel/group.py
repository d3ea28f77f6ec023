"""The collective operations of processes that train together, and the group of one process."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import TrainingError


class WorkerLostError(TrainingError):
    """Another process has died."""

    def __init__(self) -> None:
        hint = "was it killed for memory? --resume goes on with a run that was saved"
        super().__init__("a worker process died", hint=hint)


class Group:
    """A group of one process, and the interface of all groups.

    rank     index of this process, from 0
    size     number of processes
    team     the group of those that train the same networks; this one if all do
    buffer   array of this process, (N,): its gradient, for ``reduce_scatter``

    Processes call the same operations in the same order. Each raises WorkerLostError if another
    process has died.
    """

    rank = 0
    size = 1
    # True if what one process writes into a shared array is written for all.
    shares_memory = True

    def __init__(self, length: int, dtype: DTypeLike) -> None:
        self.buffer: NDArray[Any] = np.zeros(length, dtype)
        self.team: Group = self

    def share(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array with these values that all processes of a machine see. Before ``start``.

        An array of one process need not be copied.
        """
        return array

    def start(self, work: Callable[[], object]) -> None:
        """Have the other processes do this work. Call once, in the first process."""

    def sum(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same in every process.

        What a process wrote into shared memory before is visible to all afterwards.
        """
        return list(values)

    def reduce_scatter(self) -> NDArray[Any]:
        """Return this process's ``part`` of the sum of all buffers."""
        return self.buffer

    def all_gather(self, array: NDArray[Any]) -> None:
        """Send the ``part`` that each process wrote to all; shared memory waits for ``sum``."""

    def broadcast(self, array: NDArray[Any], root: int = 0) -> None:
        """Send an array of one process to all; shared memory waits for ``sum``."""

    def part(self, length: int) -> slice:
        """Return this process's part of a range."""
        return slice(length * self.rank // self.size, length * (self.rank + 1) // self.size)

    def close(self) -> None:
        """End the other processes."""
