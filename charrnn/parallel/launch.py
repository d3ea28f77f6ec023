"""How many processes to use for a job, and the group of them."""

import multiprocessing
import platform
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from numpy.typing import DTypeLike

from charrnn.config import ModelConfig
from charrnn.parallel import mpi
from charrnn.parallel.group import Group, WorkerLostError
from charrnn.parallel.machine import available_cores
from charrnn.parallel.processes import ProcessGroup, end_with_parent

# With fewer windows per process than this, BLAS does not use its faster kernels.
MIN_WINDOWS = 16
# A step with fewer operations than this (about a millisecond) ends before a process could help.
MIN_OPERATIONS = 100_000_000

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def can_fork() -> bool:
    """Return True where several processes train: NumPy's BLAS survives a fork on Linux only."""
    return platform.system() == "Linux"


def default_workers(model: ModelConfig, seq_length: int, batch_size: int) -> int:
    """Return the number of training processes: one per core, if each has enough work."""
    if not can_fork():
        return 1
    members, cores = model.members, available_cores()
    # Forward and backward, as if every cell had four gates.
    operations = 24 * model.layers * model.hidden_size**2 * seq_length * batch_size
    teams = 1 << (min(cores, members).bit_length() - 1)
    while teams > 1 and members * operations < teams * MIN_OPERATIONS:
        teams //= 2
    if teams < members or operations < 2 * MIN_OPERATIONS:
        return teams
    helpful = min(cores // members, batch_size // MIN_WINDOWS, operations // MIN_OPERATIONS)
    return members * max(1, helpful)


def count_teams(processes: int, members: int) -> int:
    """Return how many teams train the networks of an ensemble apart.

    Each team trains some of the networks; its processes share each batch. If the networks cannot be
    shared out evenly, all processes are one team.
    """
    if processes % members == 0:
        return members
    return processes if members % processes == 0 else 1


def make_group(workers: int, members: int, length: int, dtype: DTypeLike) -> Group:
    """Return the group of a run: the processes of MPI, if there are any, else of this machine.

    workers   processes of this machine, this one included
    members   networks of the ensemble
    length    number of parameters of one network
    """
    if (comm := mpi.world()) is not None:
        return mpi.MPIGroup(comm, count_teams(comm.size, members), length, dtype)
    if workers == 1:
        return Group(length, dtype)
    return ProcessGroup(workers, count_teams(workers, members), length, dtype)


def sampling_workers(count: int) -> int:
    """Return the number of processes to generate this many samples with."""
    return min(available_cores(), max(1, count // MIN_WINDOWS)) if can_fork() else 1


def scoring_workers() -> int:
    """Return the number of processes to score many lines with."""
    return available_cores() if can_fork() else 1


@contextmanager
def map_in_processes(
    function: Callable[[ItemT], ResultT], workers: int
) -> Iterator[Callable[[Iterable[ItemT]], Iterator[ResultT]]]:
    """Yield a ``map`` that calls a function in several processes.

        with map_in_processes(score, 2) as score_all:
            for result in score_all(lines): ...

    function   called in forked processes, so that it may hold what cannot be pickled
    workers    number of processes; 1, or on systems without fork: this process does all

    Results come in the order of the items. Raises WorkerLostError if a process dies.
    """
    if workers == 1 or not can_fork():
        yield lambda items: map(function, items)
        return
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, context, _begin_work, initargs=(function,))

    def call_all(items: Iterable[ItemT]) -> Iterator[ResultT]:
        try:
            with warnings.catch_warnings():
                # Threads of BLAS do not matter: it is made for being forked.
                warnings.simplefilter("ignore", DeprecationWarning)
                yield from pool.map(_call_function, items)
        except BrokenProcessPool as error:
            raise WorkerLostError from error

    with pool:
        try:
            yield call_all
        except BaseException:
            # Their results are not needed. Python 3.14 has ``kill_workers``.
            for process in list(pool._processes.values()):  # noqa: SLF001
                process.kill()
            raise


_function: Callable[[Any], Any]


def _begin_work(function: Callable[[Any], Any]) -> None:
    """Begin a worker process: it ends with its parent, and leaves Ctrl-C to it."""
    global _function  # noqa: PLW0603  # what a forked process is for
    _function = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _call_function(item: Any) -> Any:  # what the function takes and returns
    return _function(item)
