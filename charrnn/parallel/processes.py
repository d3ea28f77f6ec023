"""Processes of one machine, forked from this one. Requires Linux.

They share arrays in anonymous memory, which the system frees when the last process ends. The system
kills a worker when its parent ends, even by kill -9. The first process watches all workers while it
waits, and kills the others when one has died.
"""

import contextlib
import ctypes
import math
import mmap
import multiprocessing
import os
import re
import select
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import TrainingError
from charrnn.parallel.group import Group, WorkerLostError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# The most values that ``sum`` accepts.
MAX_VALUES = 8

# The signals that ask a program to end, if the system has them.
ENDING_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

# What OpenBLAS adds to the names of its functions in NumPy's wheels.
BLAS_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class ProcessGroup(Group):
    """This process, rank 0, and workers forked from it in ``start``, which makes buffer and team.

    size     number of processes
    teams    number of teams of equal size that they are divided into
    length   of the buffer of each process
    """

    def __init__(self, size: int, teams: int, length: int, dtype: DTypeLike) -> None:
        self.size = size
        # Twice: when a process writes a value, all have read the one before the last.
        self._values = _shared_array((2, size, MAX_VALUES), np.float64)
        self._turn = 0
        self._rows = _shared_array((size, length if teams == 1 else 0), dtype)
        # Counters of the processes that have arrived at a barrier, and of those released from it:
        # two in turn, so that a fast process cannot take the release of a slow one.
        self._arrived, self._released = (
            os.eventfd(0),
            [os.eventfd(0, os.EFD_SEMAPHORE) for _ in "12"],
        )
        self.descriptors = {self._arrived, *self._released}
        self._children: list[int] = []
        self._teams: list[Group] = [self]
        if teams == size:
            self._teams = [Group(length, dtype)] * teams
        elif teams > 1:
            inner = [ProcessGroup(size // teams, 1, length, dtype) for _ in range(teams)]
            self.descriptors = self.descriptors.union(*(team.descriptors for team in inner))
            self._teams = [*inner]
        self._restore_threads: Callable[[], None] = lambda: None

    def share(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of an array in memory that all processes see. Before ``start``."""
        copy = _shared_array(array.shape, array.dtype)
        copy[...] = array
        return copy

    def start(self, work: Callable[[], object]) -> None:
        """Fork the workers. Each does the work and ends."""
        self._restore_threads = use_one_thread()
        for rank in range(1, self.size):
            self._children.append(fork(partial(self._work, rank, work), self.descriptors))
        self.take_rank(0)

    def _work(self, rank: int, work: Callable[[], object]) -> None:
        self._children = []  # they are those of rank 0
        self.take_rank(rank)
        work()

    def take_rank(self, rank: int) -> None:
        """Become a member of the group and of its team."""
        self.rank, self.buffer, self._watch = rank, self._rows[rank], select.poll()
        self.team = self._teams[rank * len(self._teams) // self.size]
        # Not a buffer: its process may be busy with the next gradient before this one is used.
        self._total = np.empty_like(self._rows[0, self.part(self._rows.shape[1])])
        for descriptor in (self._arrived, *self._children):
            self._watch.register(descriptor, select.POLLIN)
        if isinstance(self.team, ProcessGroup) and self.team is not self:
            self.team.take_rank(rank % self.team.size)

    def sum(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same in every process."""
        table = self._values[self._turn, :, : len(values)]
        table[self.rank] = values
        self._wait_for_all()
        sums: list[float] = table.sum(axis=0).tolist()
        return sums

    def reduce_scatter(self) -> NDArray[Any]:
        """Return this process's part of the sum of all buffers."""
        self._wait_for_all()
        rows = self._rows[:, self.part(self._rows.shape[1])]
        return np.add.reduce(rows, axis=0, out=self._total)

    def _wait_for_all(self) -> None:
        """Wait until every process has called this: a barrier."""
        released, self._turn = self._released[self._turn], 1 - self._turn
        if self.rank > 0:
            os.eventfd_write(self._arrived, 1)
            os.eventfd_read(released)
            return
        missing = self.size - 1
        while missing:
            if any(descriptor != self._arrived for descriptor, _ in self._watch.poll()):
                raise WorkerLostError
            missing -= os.eventfd_read(self._arrived)
        os.eventfd_write(released, self.size - 1)

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        end(self._children)
        for descriptor in self.descriptors:
            os.close(descriptor)
        self._children, self.descriptors = [], set()
        self._restore_threads()


@contextlib.contextmanager
def map_in_processes(
    function: Callable[[ItemT], ResultT], workers: int
) -> Iterator[Callable[[Iterable[ItemT]], Iterator[ResultT]]]:
    """Yield a ``map`` that calls a function in several processes.

        with map_in_processes(score, 2) as score_all:
            for result in score_all(lines): ...

    function   called in forked processes, so that it may hold what cannot be pickled
    workers    number of processes, which get an item each at a time; 1: this process does all

    Results come in the order of the items. Raises what the function raises, and WorkerLostError if
    a process dies.
    """
    if workers == 1:
        yield lambda items: map(function, items)
        return
    links, children = list["Connection[Any, Any]"](), list[int]()
    try:
        for _ in range(workers):
            ours, theirs = multiprocessing.Pipe()
            links.append(ours)
            children.append(fork(partial(_answer, function, theirs), {theirs.fileno()}))
            theirs.close()  # so that the link ends with the worker
        yield partial(_ask, links)
    finally:
        end(children)


def _ask(links: list["Connection[Any, Any]"], items: Iterable[Any]) -> Iterator[Any]:
    """Send an item to each worker, and yield their results; then the next items."""
    remaining = iter(items)
    while batch := list(islice(remaining, len(links))):
        try:
            for link, item in zip(links, batch, strict=False):
                link.send(item)
            for link in links[: len(batch)]:
                result = link.recv()
                if isinstance(result, Exception):
                    raise result
                yield result
        except (EOFError, ConnectionError) as error:
            raise WorkerLostError from error


def _answer(function: Callable[[Any], Any], link: "Connection[Any, Any]") -> None:
    """Be a worker: send what the function makes of each item, or the error that it raises."""
    while True:
        item = link.recv()
        try:
            answer = function(item)
        except Exception as error:  # noqa: BLE001  # the other process raises it
            answer = error
        link.send(answer)


def fork(work: Callable[[], object], descriptors: Iterable[int]) -> int:
    """Start a process that does some work and ends. Returns a descriptor of the process.

    descriptors   of files that it keeps open
    """
    parent, code = os.getpid(), 1
    try:
        with warnings.catch_warnings():
            # Threads of BLAS do not matter: it is made for being forked.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            # The parent handles signals; a worker ends with it.
            for number in ENDING_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:  # it has ended already
                os._exit(code)
            # Locks and pipes of the parent must end with it, not with its workers.
            opened = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
            for number in opened - {2, *descriptors}:
                with contextlib.suppress(OSError):
                    os.close(number)
            work()
            code = 0
    except BaseException as error:
        if os.getpid() == parent:
            raise
        if not isinstance(error, TrainingError | EOFError):  # the first process says it, or is gone
            os.write(2, f"charrnn: a worker process: {error!r}\n".encode())
    finally:
        if os.getpid() != parent:  # a worker never returns into the caller's code
            os._exit(code)
    return os.pidfd_open(child)


def end(processes: Iterable[int]) -> None:
    """Kill processes that ``fork`` started: they have nothing left to finish."""
    for process in processes:
        # The descriptor is of this process only, even if its id has been used again.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored
            os.waitid(os.P_PIDFD, process, os.WEXITED)
        os.close(process)


def use_one_thread() -> Callable[[], None]:
    """Set the number of threads of OpenBLAS to one, if NumPy uses it; return what restores it.

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
                before = get()
                change(1)
                return lambda: change(before)
    return lambda: None


def _shared_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros in memory that forked processes share."""
    count = math.prod(shape)
    memory = mmap.mmap(-1, max(count * np.dtype(dtype).itemsize, 1))
    return np.frombuffer(memory, dtype, count).reshape(shape)
