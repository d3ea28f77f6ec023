"""Processes of one machine, forked from this one.

They share arrays in anonymous memory, which the system frees when the last process ends. They
synchronize through pipes. A pipe closes when the process at the other end dies, even by kill -9, so
no process waits for a dead one and no worker outlives the run.
"""

import contextlib
import ctypes
import math
import mmap
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import TrainingError
from charrnn.parallel.group import Group, WorkerLostError

# The most values that ``sum`` accepts.
MAX_VALUES = 8

# The request of prctl(2).
PR_SET_PDEATHSIG = 1

# The signals that ask a program to end, if the system has them.
ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

# What OpenBLAS adds to the names of its functions in NumPy's wheels.
BLAS_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")


class ProcessGroup(Group):
    """This process, rank 0, and workers forked from it in ``start``. Requires Linux.

    size     number of processes
    teams    number of teams of equal size that they are divided into
    length   of the buffer of each process
    """

    def __init__(self, size: int, teams: int, length: int, dtype: DTypeLike) -> None:
        self.size = size
        # Double buffer: when a process writes a value, all have read the one before the last.
        self._values = _shared_array((2, size, MAX_VALUES), np.float64)
        self._turn = 0
        self._rows = _shared_array((size, length if teams == 1 else 0), dtype)
        self._total: NDArray[Any] | None = None
        # Between rank 0 and each other rank, a pipe to it and one from it.
        self._pipes = [(os.pipe(), os.pipe()) for _ in range(1, size)]
        self._links: list[tuple[int, int]] = []  # of this process: to read from, to write to
        self._children: list[int] = []  # descriptors of processes
        self._teams: list[Group] = [self]
        if teams == size:
            self._teams = [Group(length, dtype) for _ in range(teams)]
        elif teams > 1:
            self._teams = [ProcessGroup(size // teams, 1, length, dtype) for _ in range(teams)]
        # This process's ends of pipes, those of its team included; before the fork, all there are.
        self.descriptors = {end for pipes in self._pipes for pipe in pipes for end in pipe}
        for team in self._teams:
            if isinstance(team, ProcessGroup) and team is not self:
                self.descriptors |= team.descriptors
        self._restore_threads: Callable[[], None] = lambda: None

    @property
    def team(self) -> Group:
        """The group of the processes that train the same networks. After ``start``."""
        return self._teams[self.rank * len(self._teams) // self.size]

    @property
    def buffer(self) -> NDArray[Any]:  # type: ignore[override]
        """The gradient of this process, (N,)."""
        row: NDArray[Any] = self._rows[self.rank]
        return row

    def share(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of an array in memory that all processes see. Before ``start``."""
        copy = _shared_array(array.shape, array.dtype)
        copy[...] = array
        return copy

    def start(self, work: Callable[[], object]) -> None:
        """Fork the workers. Each does the work and ends."""
        self._restore_threads = limit_threads(1)
        # A signal between fork and ``_work`` would unwind a child into the caller's code.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            for rank in range(1, self.size):
                with warnings.catch_warnings():
                    # Threads of BLAS do not matter: it is made for being forked.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    child = os.fork()
                if child == 0:
                    self._work(rank, work)
                self._children.append(os.pidfd_open(child))
            everyone = self.descriptors
            self.take_rank(0)
            _close(everyone - self.descriptors)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def take_rank(self, rank: int) -> None:
        """Become a member of the group and of its team."""
        self.rank = rank
        for other, (to_other, from_other) in enumerate(self._pipes, 1):
            if rank == 0:
                self._links.append((from_other[0], to_other[1]))
            elif rank == other:
                self._links.append((to_other[0], from_other[1]))
        self.descriptors = {end for link in self._links for end in link}
        team = self.team
        if isinstance(team, ProcessGroup) and team is not self:
            team.take_rank(rank % team.size)
            self.descriptors |= team.descriptors

    def _work(self, rank: int, work: Callable[[], object]) -> NoReturn:
        """Be a worker: do the work, and end. Never returns into the caller's code."""
        code = 1
        try:
            # Rank 0 handles signals; a worker ends with it.
            for number in ENDING_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
            end_with_parent()
            self.take_rank(rank)
            self._children = []
            # Locks and pipes of rank 0 must end with it, not with its workers.
            there = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
            _close(there - self.descriptors - {2})
            work()
            code = 0
        except (WorkerLostError, TrainingError):  # rank 0 says it, if it is still there
            code = 0
        except BaseException as error:  # noqa: BLE001  # must not propagate to the caller's code
            if sys.stderr is not None:
                sys.stderr.write(f"charrnn: worker {rank}: {error!r}\n")
        finally:
            os._exit(code)

    def sum(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same in every process."""
        self._turn = 1 - self._turn
        table = self._values[self._turn, :, : len(values)]
        table[self.rank] = values
        self._wait_for_all()
        sums: list[float] = table.sum(axis=0).tolist()
        return sums

    def reduce_scatter(self) -> NDArray[Any]:
        """Return this process's part of the sum of all buffers."""
        self._wait_for_all()
        part = self.part(self._rows.shape[1])
        # Not in a buffer: its process may be busy with the next gradient before this one is used.
        if self._total is None:
            self._total = np.empty_like(self._rows[0, part])
        np.copyto(self._total, self._rows[0, part])
        for row in self._rows[1:]:
            self._total += row[part]
        return self._total

    def _wait_for_all(self) -> None:
        """Wait until every process has called this: a barrier."""
        try:
            if self.rank == 0:
                for read, _ in self._links:
                    _receive(read)
                for _, write in self._links:
                    os.write(write, b".")
            else:
                ((read, write),) = self._links
                os.write(write, b".")
                _receive(read)
        except BrokenPipeError as error:
            raise WorkerLostError from error

    def close(self) -> None:
        """Kill the workers, whatever they are doing: they have nothing left to finish."""
        _close(self.descriptors)
        self.descriptors = set()
        for child in self._children:
            # The descriptor is of this process only, even if its id has been used again.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored
                os.waitid(os.P_PIDFD, child, os.WEXITED)
            os.close(child)
        self._children = []
        self._restore_threads()


def limit_threads(number: int) -> Callable[[], None]:
    """Limit the number of threads of OpenBLAS, if NumPy uses it; return what restores it.

    Processes that each start a thread for every core wait for each other's threads most of the
    time.
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    for path in set(re.findall(r"(/\S*openblas\S*\.so\S*)$", maps, re.MULTILINE)):
        library = ctypes.CDLL(path)
        for name in BLAS_NAMES:
            get = getattr(library, name.format("get_num_threads"), None)
            change = getattr(library, name.format("set_num_threads"), None)
            if get is not None and change is not None:
                before = int(get())
                change(min(number, before))
                return lambda: change(before)
    return lambda: None


def _shared_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros in memory that forked processes share."""
    size = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
    try:
        memory = mmap.mmap(-1, size)
    except (OSError, OverflowError) as error:
        raise MemoryError from error
    return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)


def end_with_parent() -> None:
    """Have the system kill this process when its parent ends, however that ends. Linux only."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _close(descriptors: set[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _receive(descriptor: int) -> None:
    if not os.read(descriptor, 1):
        raise WorkerLostError
