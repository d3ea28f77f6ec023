"""The number of processes to use for a job, and the group that runs them."""

import sys

from charrnn.config import ModelConfig
from charrnn.parallel.cores import available_cores
from charrnn.parallel.forked import ForkedGroup
from charrnn.parallel.group import Group, SingleProcess

# With fewer windows per process than this, BLAS does not use its faster kernels. A step with fewer
# operations than this (about a millisecond) ends before another process could help.
MIN_COLUMNS = 16
MIN_OPERATIONS = 100_000_000


def can_fork() -> bool:
    """Return True if workers can be started here: NumPy's BLAS survives a fork on Linux only."""
    return sys.platform == "linux"


def default_workers(model: ModelConfig, seq_length: int, batch_size: int) -> int:
    """Return the number of training processes: one per core, if each has enough work."""
    if not can_fork():
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
    return min(available_cores(), max(1, count // MIN_COLUMNS)) if can_fork() else 1


def scoring_workers() -> int:
    """Return the number of processes to score many lines with."""
    return available_cores() if can_fork() else 1


def make_group(size: int) -> Group:
    """Return a group of this many processes."""
    return SingleProcess() if size == 1 else ForkedGroup(size)
