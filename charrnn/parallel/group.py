"""Work in several processes: each takes a share of the batch and of the parameters.

NumPy runs on one core but for its matrix products, so a second core is best used by a second
process. All of them work on the same arrays, in memory that they share and that has no name: it
goes with the last of them, however it ends. They wait for each other through pipes. A pipe closes
when the process at its other end is gone, kill -9 included, so nobody waits for the dead and no
worker outlives the run.

``Alone`` and ``Team`` have the same interface, so that the code that trains is written once, and
one that passes messages between machines could follow.
"""

import math
import mmap
import os
import platform
import select
import signal
import sys
from collections.abc import Callable
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.config import ModelConfig
from charrnn.errors import CharRNNError

# A share of the batch narrower than this keeps BLAS from its quicker kernels, and a step of less
# arithmetic than this (about a millisecond of it) is over before the others can help.
LEAST_COLUMNS = 16
LEAST_OPERATIONS = 100_000_000

# How many values an ``all_reduce`` can take.
MOST_VALUES = 4

# The signals that ask a program to end, as far as this system has them.
ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class WorkerLostError(CharRNNError):
    """Another process of the team is gone."""

    def __init__(self) -> None:
        super().__init__("a worker process died", hint="was it killed for memory?")


class Group(Protocol):
    """Processes that work in step."""

    rank: int
    size: int

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros that all processes see. Before ``start`` only."""
        ...

    def start(self, work: Callable[[], object]) -> None:
        """Start the other processes: each calls ``work`` whenever ``begin`` is called here."""
        ...

    def begin(self) -> None:
        """Let the other processes do their work once."""
        ...

    def barrier(self) -> None:
        """Wait until every process is here, and what each wrote to shared arrays with it.

        This and what contains it raise WorkerLostError if a process is gone.
        """
        ...

    def all_reduce(self, *values: float) -> list[float]:
        """Return the sum over all processes of each value, the same in all of them."""
        ...

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return this process's ``part`` of the sum of all rows of a shared array (size, N).

        The sum is made in the first row.
        """
        ...

    def part(self, length: int) -> slice:
        """Return this process's share of a range."""
        ...

    def check(self) -> None:
        """Raise WorkerLostError if the first process is gone; for work that takes seconds."""
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

    def start(self, work: Callable[[], object]) -> None:
        """Do nothing: there is nobody to start."""

    def begin(self) -> None:
        """Do nothing."""

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


class Team:
    """This process, rank 0, and forked ones around it. Needs ``os.fork``."""

    def __init__(self, size: int) -> None:
        self.rank, self.size = 0, size
        self._pipes: list[tuple[int, int]] = []  # read and write ends, towards each of the others
        self._children: list[int] = []
        # Two by turns: when a process writes a value, all have read the last but one.
        self._values = self.array((2, size, MOST_VALUES), np.float64)
        self._turn = 0

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros in shared memory."""
        size = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
        try:
            memory = mmap.mmap(-1, size)
        except (OSError, OverflowError) as error:
            raise MemoryError from error
        return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)

    def start(self, work: Callable[[], object]) -> None:
        """Fork the other processes."""
        # A signal between fork and ``_serve`` would unwind a child into the caller's code.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            self._fork(work)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _fork(self, work: Callable[[], object]) -> None:
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

    def _serve(self, work: Callable[[], object]) -> NoReturn:
        """Work whenever told to, until the pipe closes."""
        # What ends a run is decided by the first process; the others go when its pipe closes.
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
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

    def all_reduce(self, *values: float) -> list[float]:
        """Return the sum over all processes of each value, the same in all of them."""
        self._turn = 1 - self._turn
        table = self._values[self._turn, :, : len(values)]
        table[self.rank] = values
        self.barrier()
        sums: list[float] = table.sum(axis=0).tolist()
        return sums

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return this process's part of the sum of all rows."""
        self.barrier()
        part = self.part(rows.shape[1])
        total: NDArray[Any] = rows[0, part]
        for row in rows[1:]:
            total += row[part]
        return total

    def part(self, length: int) -> slice:
        """Return this process's share of a range."""
        return slice(length * self.rank // self.size, length * (self.rank + 1) // self.size)

    def check(self) -> None:
        """Raise WorkerLostError if the first process is gone."""
        # It sends nothing while there is work: what can be read then is the end of the pipe.
        if self.rank and select.select([self._pipes[0][0]], [], [], 0)[0]:
            raise WorkerLostError

    def close(self) -> None:
        """End the other processes, whatever they are at: nothing is left to them to finish."""
        for read, write in self._pipes:
            os.close(read)
            os.close(write)
        self._pipes = []
        for child in self._children:
            os.kill(child, signal.SIGKILL)
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


def start_method() -> Literal["fork", "spawn"] | None:
    """Return how workers are started here; None where they cannot be.

    Forking costs nothing and shares what is there already, but only on Linux does NumPy's BLAS
    survive it.
    """
    if platform.system() == "Linux":
        return "fork"
    return "spawn" if os.name == "posix" else None


def default_workers(model: ModelConfig, seq_length: int, batch_size: int) -> int:
    """Return how many processes to train in: one per core, as far as they all have enough to do."""
    if start_method() is None:
        return 1
    weights = model.layers * model.hidden_size**2
    operations = 24 * weights * seq_length * batch_size  # forward and backward, four gates
    if operations < 2 * LEAST_OPERATIONS:
        return 1
    return max(1, min(_cores(), batch_size // LEAST_COLUMNS, operations // LEAST_OPERATIONS))


def sampling_workers(count: int) -> int:
    """Return how many processes to write this many samples in."""
    # A fresh process takes longer to start than most samples take to be written.
    return min(_cores(), max(1, count // LEAST_COLUMNS)) if start_method() == "fork" else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def make_group(size: int) -> Group:
    """Return a group of this many processes."""
    if size == 1:
        return Alone()
    if start_method() == "fork":
        return Team(size)
    from charrnn.parallel.spawned import SpawnedTeam  # noqa: PLC0415  # it is built on this module

    return SpawnedTeam(size)
