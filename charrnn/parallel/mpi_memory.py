"""Memory that the processes of a machine share, under MPI; every machine has its own.

All processes make it together, in the same order, and know each piece by the same number.
"""

import gc
import mmap
import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import TrainingError
from charrnn.parallel.mpi_world import MPI, World

# Bytes that are sent at once.
PIECE = 1 << 24

_SHARED = Path("/dev/shm")  # noqa: S108  # where shared memory is on Linux


class _Holder:
    """The owner of a piece of memory as NumPy sees it: it lives as long as an array that needs it.

    Memory that was freed too early would end the process, without a word.
    """

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self.memory = memory
        self.__array_interface__ = memory.__array_interface__


class SharedMemory:
    """The pieces of memory that processes share.

    pieces   by number; in rank 0, those of files are missing
    unused   numbers of those that no array of rank 0 needs any more
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.pieces: dict[int, NDArray[np.uint8]] = {}
        self.unused: list[int] = []
        self._windows: dict[int, Any] = {}
        self._made = 0

    def make(self, size: int) -> int:
        """Make a piece of so many bytes, all 0; return its number.

        Raises TrainingError if the machine has no room for it.
        """
        row, machine = self.world.row, self.world.machine
        if row == 0:
            _require_room(size)
        self.world.barrier()  # what follows would wait forever for a process that is lost
        window = MPI.Win.Allocate_shared(0 if row else size, 1, comm=machine)
        window.Lock_all(MPI.MODE_NOCHECK)
        piece = np.frombuffer(window.Shared_query(0)[0], np.uint8)
        if row == 0:
            piece[...] = 0
        number = self._next()
        self._windows[number], self.pieces[number] = window, piece
        self.barrier()
        return number

    def held(self, number: int) -> NDArray[np.uint8]:
        """Return a piece as an array; once nobody needs that any more, the piece is unused."""
        holder = _Holder(self.pieces[number])
        weakref.finalize(holder, self.unused.append, number).atexit = False
        return np.asarray(holder)

    def free(self, numbers: list[int]) -> None:
        """Free pieces that no process needs any more."""
        gc.collect()
        for number in numbers:
            del self.pieces[number]
            self.barrier()
            window = self._windows.pop(number)
            window.Unlock_all()
            window.Free()

    def barrier(self) -> None:
        """Wait until all processes of this machine are here, and see what they wrote."""
        self.sync()
        self.world.barrier()
        self.sync()

    def sync(self) -> None:
        """Order what this process reads and writes here, and what others do."""
        for window in self._windows.values():
            window.Sync()

    def broadcast(self, piece: NDArray[np.uint8]) -> None:
        """Send what rank 0 has in a piece to the other machines."""
        world = self.world
        if world.row == 0 and len(world.machines) > 1:
            for at in range(0, len(piece), PIECE):
                world.wait(world.leaders.Ibcast(piece[at : at + PIECE]))
        self.barrier()

    def store(self, size: int, source: NDArray[np.uint8] | None) -> int:
        """Store an array of rank 0 in a file on each machine, and map it; return its number.

        size     of the array in bytes
        source   the array, in rank 0
        """
        world = self.world
        name = None
        if world.row == 0:
            with tempfile.NamedTemporaryFile(prefix="charrnn-", delete=False) as file:
                name = Path(file.name)
                for at in range(0, size, PIECE):
                    end = min(at + PIECE, size)
                    data = np.empty(end - at, np.uint8) if source is None else source[at:end]
                    if len(world.machines) > 1:
                        world.wait(world.leaders.Ibcast(np.ascontiguousarray(data)))
                    file.write(data.tobytes())
                    if source is not None:
                        _forget_pages(source)
        self.barrier()
        name = world.machine.bcast(name)
        number = self._next()
        if source is None:
            self.pieces[number] = np.asarray(np.memmap(name, np.uint8, "r", shape=(size,)))
        self.barrier()
        if world.row == 0:
            name.unlink()
        return number

    def _next(self) -> int:
        self._made += 1
        return self._made - 1


def _forget_pages(array: NDArray[Any]) -> None:
    """Let the system have back what it has read of a mapped file: it counts as this process's."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def _require_room(size: int) -> None:
    """Raise TrainingError if shared memory has no room: to write there would end the process."""
    if not _SHARED.is_dir():
        return
    found = os.statvfs(_SHARED)
    if size > (free := found.f_bavail * found.f_frsize):
        raise TrainingError(
            f"{size >> 20:,} MiB of shared memory are needed, {_SHARED} has {free >> 20:,} left",
            hint="a smaller --hidden-size, or more of it: docker run --shm-size=8g",
        )
