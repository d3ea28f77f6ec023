"""The number of processes to use for a job, and the group that runs them."""

import os
import platform
from typing import Literal

from charrnn.config import EngineName, ModelConfig, RunConfig
from charrnn.parallel.cores import available_cores
from charrnn.parallel.forked import ForkedGroup
from charrnn.parallel.group import Group, SingleProcess
from charrnn.parallel.launcher import launched
from charrnn.parallel.spawned import SpawnedGroup

# With fewer windows per process than this, BLAS does not use its faster kernels. A step with fewer
# operations than this (about a millisecond) ends before another process could help.
MIN_COLUMNS = 16
MIN_OPERATIONS = 100_000_000


def start_method() -> Literal["fork", "spawn"] | None:
    """Return how to start workers on this system, or None if it cannot.

    Forking is cheap and shares existing memory, but NumPy's BLAS only survives it on Linux.
    """
    if platform.system() == "Linux":
        return "fork"
    return "spawn" if os.name == "posix" else None


def default_workers(model: ModelConfig, seq_length: int, batch_size: int) -> int:
    """Return the number of training processes: one per core, if each has enough work."""
    if start_method() is None:
        return 1
    members, cores = model.members, available_cores()
    weights = model.layers * (model.hidden_size // members) ** 2
    operations = 24 * weights * seq_length * batch_size  # forward and backward, four gates
    # Members are shared out evenly first; see ``training.next_character``.
    shares = 1 << (min(cores, members).bit_length() - 1)
    while shares > 1 and members * operations < shares * MIN_OPERATIONS:
        shares //= 2
    if shares < members:
        return shares
    return members * _helpful(cores // members, batch_size, operations)


def _helpful(cores: int, batch_size: int, operations: int) -> int:
    """Return how many of these cores help to do so many operations."""
    if operations < 2 * MIN_OPERATIONS:
        return 1
    return max(1, min(cores, batch_size // MIN_COLUMNS, operations // MIN_OPERATIONS))


def sampling_workers(count: int) -> int:
    """Return the number of processes to generate this many samples with."""
    # A spawned process takes longer to start than most samples take to generate.
    return min(available_cores(), max(1, count // MIN_COLUMNS)) if start_method() == "fork" else 1


def scoring_workers() -> int:
    """Return the number of processes to score many lines with."""
    return available_cores() if start_method() == "fork" else 1


def processes_here(run: RunConfig) -> int:
    """Return how many of the processes of a run are on this machine."""
    found = launched() if run.engine == "mpi" else None
    return (run.workers or 1) if found is None else found.here


def make_group(size: int, engine: EngineName = "processes") -> Group:
    """Return a group of this many processes; with MPI, of all that its launcher has started.

    Raises ConfigError for MPI in a process that has no part in it.
    """
    if engine == "mpi":
        from charrnn.parallel import mpi  # noqa: PLC0415  # MPI starts when it is imported

        return mpi.make_group()
    if size == 1:
        return SingleProcess()
    return ForkedGroup(size) if start_method() == "fork" else SpawnedGroup(size)
