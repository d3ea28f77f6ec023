"""How many processes a job is worth, and the group that runs them."""

import os
import platform
import sys
from typing import Literal

from charrnn.config import ModelConfig
from charrnn.parallel.forked import ForkedGroup
from charrnn.parallel.group import Group, SingleProcess
from charrnn.parallel.spawned import SpawnedGroup

# Fewer windows than this for a process keep BLAS from its quicker kernels, and a step of less
# arithmetic than this (about a millisecond of it) is over before the others can help.
MIN_COLUMNS = 16
MIN_OPERATIONS = 100_000_000


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
    if operations < 2 * MIN_OPERATIONS:
        return 1
    return max(1, min(_cores(), batch_size // MIN_COLUMNS, operations // MIN_OPERATIONS))


def sampling_workers(count: int) -> int:
    """Return how many processes to write this many samples in."""
    # A fresh process takes longer to start than most samples take to be written.
    return min(_cores(), max(1, count // MIN_COLUMNS)) if start_method() == "fork" else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def make_group(size: int) -> Group:
    """Return a group of this many processes."""
    if size == 1:
        return SingleProcess()
    return ForkedGroup(size) if start_method() == "fork" else SpawnedGroup(size)
