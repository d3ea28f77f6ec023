"""Training in several processes: each takes a share of the batch and of the parameters.

NumPy runs on one core but for its matrix products, so a second core is best used by a second
process. All of them work on the same arrays, in memory that they share and that has no name: it
goes with the last of them, however it ends. They wait for each other through pipes. A pipe closes
when the process at its other end is gone, kill -9 included, so nobody waits for the dead and no
worker outlives the run.

``Alone`` and ``Team`` have the same interface, so that the code that trains is written once.
"""

import math
import mmap
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.config import ModelConfig

# A share of the batch narrower than this keeps BLAS from its quicker kernels, and a step of less
# arithmetic than this (about a millisecond of it) is over before the others can help.
LEAST_COLUMNS = 16
LEAST_OPERATIONS = 100_000_000


class WorkerLostError(Exception):
    """Another process of the team is gone."""


class Group(Protocol):
    """Processes that work in step."""

    rank: int
    size: int

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros that all processes see. Before ``start`` only."""
        ...

    def start(self, work: Callable[[], None]) -> None:
        """Start the other processes: each calls ``work`` whenever ``begin`` is called here."""
        ...

    def begin(self) -> None:
        """Let the other processes do their work once."""
        ...

    def barrier(self) -> None:
        """Wait until every process is here. Raises WorkerLostError if one is gone."""
        ...

    def close(self) -> None:
        """End the other processes."""
        ...


class Alone:
    """A group of one process."""

    rank = 0
    size = 1

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros."""
        return np.zeros(shape, dtype)

    def start(self, work: Callable[[], None]) -> None:
        """Do nothing: there is nobody to start."""

    def begin(self) -> None:
        """Do nothing."""

    def barrier(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Team:
    """This process, rank 0, and forked ones around it. Needs ``os.fork``."""

    def __init__(self, size: int) -> None:
        self.rank, self.size = 0, size
        self._pipes: list[tuple[int, int]] = []  # read and write ends, towards each of the others
        self._children: list[int] = []

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros in shared memory."""
        size = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
        return np.frombuffer(mmap.mmap(-1, size), dtype, math.prod(shape)).reshape(shape)

    def start(self, work: Callable[[], None]) -> None:
        """Fork the other processes."""
        for rank in range(1, self.size):
            to_child, from_child = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                for read, write in self._pipes:  # those of its elder siblings
                    os.close(read)
                    os.close(write)
                os.close(to_child[1])
                os.close(from_child[0])
                self.rank, self._pipes = rank, [(to_child[0], from_child[1])]
                self._serve(work)
            os.close(to_child[0])
            os.close(from_child[1])
            self._pipes.append((from_child[0], to_child[1]))
            self._children.append(child)

    def _serve(self, work: Callable[[], None]) -> NoReturn:
        """Work whenever told to, until the pipe closes."""
        # What ends a run is decided by the first process; the others go when its pipe closes.
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        code = 0
        try:
            while True:
                self._wait()
                work()
        except WorkerLostError:
            pass
        except BaseException as error:  # noqa: BLE001  # it must not return into the caller's code
            if sys.stderr is not None:
                sys.stderr.write(f"charrnn: worker {self.rank}: {error!r}\n")
            code = 1
        finally:
            os._exit(code)

    def begin(self) -> None:
        """Let the other processes do their work once."""
        self._tell()

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.rank == 0:
            self._wait()
            self._tell()
        else:
            self._tell()
            self._wait()

    def close(self) -> None:
        """Close the pipes and wait for the other processes to go."""
        for read, write in self._pipes:
            os.close(read)
            os.close(write)
        self._pipes = []
        for child in self._children:
            os.waitpid(child, 0)
        self._children = []

    def _tell(self) -> None:
        try:
            for _, write in self._pipes:
                os.write(write, b".")
        except BrokenPipeError as error:
            raise WorkerLostError from error

    def _wait(self) -> None:
        for read, _ in self._pipes:
            if os.read(read, 1) == b"":
                raise WorkerLostError


def can_fork() -> bool:
    """Return True where a process with NumPy in it can safely be forked."""
    return sys.platform == "linux"


def default_workers(model: ModelConfig, seq_length: int, batch_size: int) -> int:
    """Return how many processes to train in: one per core, as far as they all have enough to do."""
    if not can_fork():
        return 1
    weights = model.layers * model.hidden_size**2
    operations = 24 * weights * seq_length * batch_size  # forward and backward, four gates
    if operations < 2 * LEAST_OPERATIONS:
        return 1
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, batch_size // LEAST_COLUMNS, operations // LEAST_OPERATIONS))


def make_group(size: int) -> Group:
    """Return a group of this many processes."""
    return Team(size) if size > 1 else Alone()
