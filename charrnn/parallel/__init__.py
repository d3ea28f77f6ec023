"""Processes that train together.

NumPy uses one core for everything except matrix products, so a second process is the best way to
use a second core. Every process runs the same program on its share of the data (SPMD) and takes
part in collective operations, named after those of MPI.

    group       the operations, and the group of one process
    processes   processes of one machine, forked, over shared memory
    mpi         processes of many machines, started by mpiexec
    launch      how many processes, and which group
    machine     the cores and the memory that this process may use
"""
