"""A group of processes forked from this one.

They share arrays in anonymous memory, which the system frees when the last process ends. They
synchronize through pipes. A pipe closes when the process at the other end dies, even by kill -9,
so no process waits for a dead one and no worker outlives the run.
"""

import math
import mmap
import os
import pickle
import select
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.parallel.group import (
    ENDING_SIGNALS,
    MAX_VALUES,
    WorkerLostError,
    part_of,
    sum_of_rows,
)

# The size in bytes of the length prefix of a message.
HEADER_BYTES = 4


class ForkedGroup:
    """This process, rank 0, and workers forked from it. Requires ``os.fork``."""

    def __init__(self, size: int) -> None:
        self.rank, self.size = 0, size
        self._pipes: list[tuple[int, int]] = []  # read and write ends, one pair per other process
        self._children: list[int] = []
        # Double buffer: when a process writes a value, all have read the one before the last.
        self._values = self.array((2, size, MAX_VALUES), np.float64)
        self._turn = 0
        self._task: object = None

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros in shared memory."""
        size = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
        try:
            memory = mmap.mmap(-1, size)
        except (OSError, OverflowError) as error:
            raise MemoryError from error
        return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)

    def start(self, task: object) -> None:
        """Fork the workers."""
        self._task = task
        # A signal between fork and ``_serve`` would unwind a child into the caller's code.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            self._fork()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _fork(self) -> None:
        for rank in range(1, self.size):
            to_child, from_child = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                for read, write in self._pipes:  # the pipes of workers forked earlier
                    os.close(read)
                    os.close(write)
                os.close(to_child[1])
                os.close(from_child[0])
                self.rank, self._pipes = rank, [(to_child[0], from_child[1])]
                self._serve()
            os.close(to_child[0])
            os.close(from_child[1])
            self._pipes.append((from_child[0], to_child[1]))
            self._children.append(child)

    def _serve(self) -> NoReturn:
        """Run the calls of rank 0 until its pipe closes."""
        # Rank 0 handles signals; workers exit when its pipe closes.
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
        code = 0
        try:
            while True:
                method, args = self._receive()
                getattr(self._task, method)(*args)
        except WorkerLostError:
            pass
        except BaseException as error:  # noqa: BLE001  # must not propagate to the caller's code
            if sys.stderr is not None:
                sys.stderr.write(f"charrnn: worker {self.rank}: {error!r}\n")
            code = 1
        finally:
            os._exit(code)

    def call(self, method: str, *args: object) -> Any:  # noqa: ANN401
        """Broadcast a call: every process runs this method of its task."""
        message = pickle.dumps((method, args))
        self._send(len(message).to_bytes(HEADER_BYTES, "little") + message)
        return getattr(self._task, method)(*args)

    def barrier(self) -> None:
        """Wait until every process has reached the barrier."""
        if self.rank == 0:
            self._wait()
            self._send(b".")
        else:
            self._send(b".")
            self._wait()

    def all_reduce(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same in every process."""
        self._turn = 1 - self._turn
        table = self._values[self._turn, :, : len(values)]
        table[self.rank] = values
        self.barrier()
        sums: list[float] = table.sum(axis=0).tolist()
        return sums

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return this process's part of the sum of all rows."""
        self.barrier()
        return sum_of_rows(rows, self.part(rows.shape[1]))

    def part(self, length: int) -> slice:
        """Return this process's part of a range."""
        return part_of(length, self.rank, self.size)

    def check(self) -> None:
        """Raise WorkerLostError if rank 0 has died."""
        # Rank 0 sends nothing during a call, so a readable pipe is a closed pipe.
        if self.rank and select.select([self._pipes[0][0]], [], [], 0)[0]:
            raise WorkerLostError

    def close(self) -> None:
        """Kill the workers, whatever they are doing: they have nothing left to finish."""
        for read, write in self._pipes:
            os.close(read)
            os.close(write)
        self._pipes = []
        for child in self._children:
            # If the caller ignores SIGCHLD, a worker that has ended is gone already.
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
        self._children = []

    def _send(self, message: bytes) -> None:
        try:
            for _, write in self._pipes:
                os.write(write, message)
        except BrokenPipeError as error:
            raise WorkerLostError from error

    def _wait(self) -> None:
        for read, _ in self._pipes:
            _read(read, 1)

    def _receive(self) -> tuple[str, tuple[Any, ...]]:
        """Return the next call of rank 0."""
        ((read, _),) = self._pipes
        size = int.from_bytes(_read(read, HEADER_BYTES), "little")
        call: tuple[str, tuple[Any, ...]] = pickle.loads(_read(read, size))  # noqa: S301  # our own
        return call


def _read(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = os.read(descriptor, size - len(data))
        if not more:
            raise WorkerLostError
        data += more
    return data
