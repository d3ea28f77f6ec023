"""How many processes to use for a job, and the group of them."""

from numpy.typing import DTypeLike

from charrnn.config import ModelConfig
from charrnn.parallel import mpi
from charrnn.parallel.group import Group
from charrnn.parallel.machine import available_cores
from charrnn.parallel.processes import ProcessGroup

# With fewer windows per process than this, BLAS does not use its faster kernels.
MIN_WINDOWS = 16
# A step with fewer operations than this (about a millisecond) ends before a process could help.
MIN_OPERATIONS = 100_000_000


def default_workers(model: ModelConfig, seq_length: int, batch_size: int) -> int:
    """Return the number of training processes: one per core, if each has enough work."""
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
    return min(available_cores(), max(1, count // MIN_WINDOWS))
