"""The processes that a launcher of MPI started: who is where, waiting, messages of rank 0 to all.

No wait blocks inside MPI. So a signal is taken note of at once, a process that has died is noticed,
and one that waits for long leaves its core to others.
"""

import contextlib
import os
import pickle
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.extras import require_extra
from charrnn.parallel.group import WorkerLostError

with warnings.catch_warnings():
    # If the launcher is that of another MPI, it warns; ``mpi.connect`` says what to do.
    warnings.simplefilter("ignore", RuntimeWarning)
    MPI = require_extra("mpi4py.MPI", "mpi")

# How long a wait keeps its core busy, in seconds; then it sleeps for this share of what it has
# waited, between these limits.
SPIN = 0.0002
NAP_SHARE, SHORTEST_NAP, LONGEST_NAP = 0.02, 0.00005, 0.01

# How often a wait looks whether all processes live, in seconds, and after how many looks it gives
# up: ten minutes. Looks are counted and not seconds, because a job that is suspended does not look.
LOOK_EVERY, PATIENCE = 0.25, 2400

# How many seconds a process that cannot go on leaves rank 0 to save what there is.
TIME_TO_SAVE = 60

# A message up to this many bytes takes one broadcast, a longer one two.
HEADER, SHORT_MESSAGE = 8, 512

_LOST = 1  # the tag of what rank 0 is sent when a process has died


class World:
    """The processes that a launcher started; those of a machine have successive ranks.

    comm       all of them
    machine    those of this machine, which share memory
    leaders    the first of each machine; MPI.COMM_NULL in the others
    rank, size, row, rows   as in ``Group``
    machines   rank of the first process of each machine, and of the first behind it
    number     of this machine
    """

    def __init__(self) -> None:
        world = MPI.COMM_WORLD
        self.machine = world.Split_type(MPI.COMM_TYPE_SHARED)
        oldest = self.machine.bcast(world.rank)
        self.comm = world.Split(key=oldest * world.size + self.machine.rank)
        self.rank, self.size = int(self.comm.rank), int(self.comm.size)
        self.row = int(self.machine.rank)
        self.leaders = self.comm.Split(MPI.UNDEFINED if self.row else 0)
        first = self.rank - self.row
        own = first, first + int(self.machine.size)
        self.machines: list[tuple[int, int]] = sorted(set(self.comm.allgather(own)))
        self.number = self.machines.index(own)
        self.rows = max(last - first for first, last in self.machines)
        pids = self.machine.allgather(os.getpid())
        self._root = pids[0] if first == 0 else None
        # In containers that do not see each other's processes, there is nobody to watch.
        self._peers = [pid for pid in pids if pid != os.getpid() and _lives(pid)]

    def wait(self, request: Any, patience: int | None = PATIENCE) -> None:  # noqa: ANN401
        """Wait for a request of MPI. Raises WorkerLostError if a process is lost.

        patience   after how many looks to give up; None: never
        """
        try:
            if request.Test():
                return
            began = looked = time.perf_counter()
            looks = 0
            while not request.Test():
                now = time.perf_counter()
                if now - began < SPIN:
                    _give_way()
                    continue
                time.sleep(min(max(SHORTEST_NAP, (now - began) * NAP_SHARE), LONGEST_NAP))
                if now - looked > LOOK_EVERY:
                    looked, looks = now, looks + 1
                    self.look()
                    if looks == patience:
                        raise WorkerLostError
        except MPI.Exception:
            raise WorkerLostError from None

    def look(self) -> None:
        """Raise WorkerLostError if a process of this machine has died; in rank 0, of any."""
        lost = not all(map(_lives, self._peers))
        if lost or (self.rank == 0 and self.comm.Iprobe(tag=_LOST)):
            raise WorkerLostError

    def barrier(self) -> None:
        """Wait until all processes of this machine are here."""
        self.wait(self.machine.Ibarrier())

    def send(self, message: object) -> None:
        """Send an object to all others, which ``receive`` it. Rank 0 only."""
        data = np.frombuffer(pickle.dumps(message), np.uint8)
        header = np.zeros(SHORT_MESSAGE, np.uint8)
        header[:HEADER] = np.frombuffer(len(data).to_bytes(HEADER, "little"), np.uint8)
        if short := len(data) <= SHORT_MESSAGE - HEADER:
            header[HEADER : HEADER + len(data)] = data
        self.wait(self.comm.Ibcast(header))
        if not short:
            self.wait(self.comm.Ibcast(data))

    def receive(self) -> Any:  # noqa: ANN401
        """Return what rank 0 sends next, however long that takes."""
        header = np.empty(SHORT_MESSAGE, np.uint8)
        self.wait(self.comm.Ibcast(header), patience=None)
        size = int.from_bytes(header[:HEADER].tobytes(), "little")
        if size <= SHORT_MESSAGE - HEADER:
            data = header[HEADER : HEADER + size]
        else:
            self.wait(self.comm.Ibcast(data := np.empty(size, np.uint8)))
        return pickle.loads(data.tobytes())  # noqa: S301  # our own

    def leave(self) -> None:
        """Exit, because a process is lost; but let rank 0 know, and give it time to save."""
        with contextlib.suppress(MPI.Exception):
            request = self.comm.Isend(np.zeros(1, np.uint8), 0, _LOST)
            for _ in range(int(TIME_TO_SAVE / LOOK_EVERY)):
                if self._root is not None and not _lives(self._root):
                    break
                request.Test()
                time.sleep(LOOK_EVERY)
        os._exit(1)


def _lives(pid: int) -> bool:
    """Return False for a process that has ended, also if nobody has asked for its exit code yet."""
    try:
        os.kill(pid, 0)
        # "1234 (a name) S ...", where Z is a zombie
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to someone else, or there is no /proc
        return True


def _give_way() -> None:
    """Let another process have the core, if one wants it."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
