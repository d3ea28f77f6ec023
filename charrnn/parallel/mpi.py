"""Processes of many machines, started by ``mpiexec`` or ``srun``: every rank runs the same program.

Each has all weights and a part of what the optimizer keeps. Gradients are summed by Reduce_scatter,
each rank updates its part of the weights, and Allgatherv sends it to all (a sharded optimizer,
Rajbhandari et al. 2020, ZeRO stage 1).
"""

import os
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.errors import TrainingError
from charrnn.extras import require_extra
from charrnn.parallel.group import Group

# Variables with the number of processes. SLURM_NTASKS would not do: a batch script, which is one
# process, has it too.
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def launched_processes() -> int:
    """Return how many processes a launcher of MPI started; 1 if none started this one."""
    return next((int(os.environ[name]) for name in SIZES if name in os.environ), 1)


@cache
def world() -> Any:  # mpi4py is not always there
    """Return the communicator of all processes; None if no launcher started several.

    Raises TrainingError without the package mpi4py, or with that of another MPI.
    """
    if launched_processes() == 1:
        return None
    try:
        comm = require_extra("mpi4py.MPI", "mpi").COMM_WORLD
    except RuntimeError:  # mpi4py without an MPI
        raise TrainingError("mpi4py finds no MPI library", hint="pip install mpich") from None
    if comm.size == 1:
        raise TrainingError(
            f"{launched_processes()} processes were started, but each sees itself only",
            hint="the launcher and mpi4py belong to different MPIs: pip install mpich mpi4py",
        )
    return comm


def abort(code: int) -> None:
    """End all processes of MPI, if there are others: they would wait for this one."""
    if world.cache_info().currsize and (comm := world()) is not None:
        comm.Abort(code)


class MPIGroup(Group):
    """The processes of a communicator.

    comm     the communicator
    teams    number of teams of equal size that they are divided into
    length   of the buffer of each process
    """

    shares_memory = False

    def __init__(self, comm: Any, teams: int, length: int, dtype: DTypeLike) -> None:
        super().__init__(length, dtype)
        self._comm, self.rank, self.size = comm, int(comm.rank), int(comm.size)
        self._sum = np.empty_like(self.buffer[self.part(length)])
        if teams == self.size:
            self.team = Group(length, dtype)
        elif teams > 1:
            self.team = MPIGroup(comm.Split(self.rank * teams // self.size), 1, length, dtype)

    def sum(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes, the same in every process."""
        totals = np.empty(len(values))
        self._comm.Allreduce(np.array(values, np.float64), totals)
        return list(map(float, totals))

    def reduce_scatter(self) -> NDArray[Any]:
        """Return this process's part of the sum of all buffers."""
        self._comm.Reduce_scatter(self.buffer, self._sum, self._counts(self.buffer))
        return self._sum

    def all_gather(self, array: NDArray[Any]) -> None:
        """Send the part that each process wrote, along the first axis, to all."""
        from_here = array[self.part(len(array))].copy()
        self._comm.Allgatherv(from_here, [array, self._counts(array)])

    def broadcast(self, array: NDArray[Any], root: int = 0) -> None:
        """Send an array of one process to all."""
        self._comm.Bcast(array, root)

    def _counts(self, array: NDArray[Any]) -> list[int]:
        """Return the number of elements of each process's part."""
        edges = (len(array) * rank // self.size for rank in range(self.size + 1))
        return [(end - start) * array[:1].size for start, end in pairwise(edges)]
