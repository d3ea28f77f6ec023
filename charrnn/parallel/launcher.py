"""Who started this process: a launcher of MPI, which started others like it, or nobody.

It shows in the environment, so that nobody has to import MPI to find out.
"""

import os
from dataclasses import dataclass

# Variables with the rank, the number of processes, and how many of them are on this machine. A
# launcher comes before the scheduler that it may have used. SLURM_NTASKS would not do: a batch
# script has it too, which is one process.
_VARIABLES = (
    ("mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("mpiexec", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"),
    ("mpirun", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE"),
    ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE"),
)


@dataclass(frozen=True)
class Launched:
    """What a launcher says of a process.

    by     name of the launcher
    rank   number of this process, from 0
    size   how many there are
    here   how many of them are on this machine
    """

    by: str
    rank: int
    size: int
    here: int


def launched() -> Launched | None:
    """Return what a launcher says of this process; None if none started it."""
    for by, *names in _VARIABLES:
        rank, size, here = (_number(os.environ.get(name, "")) for name in names)
        if rank is not None and size is not None and 0 <= rank < size:
            return Launched(by, rank, size, min(here or size, size))
    return None


def _number(text: str) -> int | None:
    # Slurm writes the tasks per machine as "4(x2),3".
    first = text.replace("(", ",").partition(",")[0]
    return int(first) if first.isascii() and first.isdigit() else None
