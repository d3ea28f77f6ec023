"""The processes that a launcher of MPI started, as a crew that rank 0 leads.

Rank 0 runs the program. The others ``serve``: they wait for its commands, each the name of a method
of ``Crew`` that all of them then run, in step.
"""

import io
import signal
import socket
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from charrnn.parallel.group import ENDING_SIGNALS, WorkerLostError
from charrnn.parallel.mpi_memory import SharedMemory
from charrnn.parallel.mpi_world import World
from charrnn.parallel.sharing import Place, TaskUnpickler

if TYPE_CHECKING:
    from collections.abc import Callable

# Arrays of more bytes than this are moved to a file that is mapped, as long texts are.
IN_MEMORY = 1 << 26


class Crew:
    """The processes of a world, led by rank 0.

    tasks    what this process works on, by the number of the group
    group    the group that was made last, and
    groups   how many were made
    broken   True if a process is lost, or was left in the middle of a command
    signal   the first signal that asked this process to end; rank 0 handles its own
    """

    def __init__(self, world: World, make_group: "Callable[[Crew], Any]") -> None:
        self.world, self.memory = world, SharedMemory(world)
        self.broken = self._ended = False
        self.signal: int | None = None
        self.tasks: dict[int, Any] = {}
        self.group: Any = None
        self.groups = 0
        self._make_group = make_group
        self._moving: NDArray[np.uint8] | None = None
        self._stored: dict[int, tuple[NDArray[Any], int]] = {}
        # Hydra, told not to kill all others when one has died, lets them know by a fatal signal.
        if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    # ---- rank 0

    def command(self, name: str, *args: object) -> Any:  # noqa: ANN401
        """Have all processes run a method; return what it returns here.

        Raises WorkerLostError if a process is lost, or was before.
        """
        if self.broken:
            raise WorkerLostError
        self.broken = True  # until all have done it
        self.world.send((name, args))
        result = getattr(self, name)(*args)
        self.broken = False
        return result

    def iterate(self, group: int, method: str, args: tuple[object, ...]) -> Iterator[Any]:
        """Have all processes run a generator method of a group's task; yield what it yields here.

        It must be run to its end before the next command. Raises WorkerLostError.
        """
        if self.broken:
            raise WorkerLostError
        self.broken = True  # until all have done it
        self.world.send(("exhaust", (group, method, args)))
        yield from getattr(self.tasks[group], method)(*args)
        self.broken = False

    def move(self, array: NDArray[Any]) -> Place:
        """Copy an array to where all processes have it, once for each machine."""
        array = np.ascontiguousarray(array)
        if array.nbytes <= IN_MEMORY:
            number = self.command("make", array.nbytes)
            self.memory.pieces[number][...] = array.reshape(-1).view(np.uint8)
        elif id(array) in self._stored:  # a text, which several groups have
            _, number = self._stored[id(array)]
        else:
            self._moving = array.reshape(-1).view(np.uint8)
            number = self.command("store", array.nbytes)
            self._moving, self._stored[id(array)] = None, (array, number)
        return Place(number, 0, array.shape, array.strides, array.dtype.str)

    def take_unused(self) -> list[int]:
        """Return the memory that nobody needs any more, to free it."""
        taken = list(self.memory.unused)
        self.memory.unused.clear()
        return taken

    # ---- all others

    def serve(self) -> None:
        """Run the commands of rank 0 until the last."""
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked for it
                signal.signal(number, self._on_signal)
        try:
            while not self._ended:
                name, args = self.world.receive()
                getattr(self, name)(*args)
        except WorkerLostError:
            self.world.leave()
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody can go on
            if sys.__stderr__ is not None:
                who = f"process {self.world.rank} on {socket.gethostname()}"
                sys.__stderr__.write(f"charrnn: {who}: {type(error).__name__}: {error}\n")
                sys.__stderr__.flush()
            self.world.leave()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self.signal = self.signal or number

    # ---- commands

    def begin(self, unused: list[int]) -> Any:  # noqa: ANN401  # what ``make_group`` makes
        """Make a group."""
        self.memory.free(unused)
        self.groups += 1
        self.group = self._make_group(self)
        return self.group

    def make(self, size: int) -> int:
        """Make shared memory."""
        return self.memory.make(size)

    def store(self, size: int) -> int:
        """Make a file of an array of rank 0."""
        return self.memory.store(size, self._moving)

    def start(self, group: int, pickled: bytes, numbers: list[int]) -> None:
        """Give each process the task of a group, and what is in the shared memory of rank 0."""
        for number in numbers:
            self.memory.broadcast(self.memory.pieces[number])
        if self.world.rank:
            self.tasks[group] = TaskUnpickler(io.BytesIO(pickled), self.memory.pieces).load()

    def call(self, group: int, method: str, args: tuple[object, ...]) -> Any:  # noqa: ANN401
        """Run a method of the task of a group."""
        return getattr(self.tasks[group], method)(*args)

    def exhaust(self, group: int, method: str, args: tuple[object, ...]) -> None:
        """Run a generator method of the task of a group to its end."""
        for _ in getattr(self.tasks[group], method)(*args):
            pass

    def leave_task(self, group: int) -> None:
        """Forget the task of a group, if it had one."""
        self.tasks.pop(group, None)

    def end(self) -> None:
        """Be the last command."""
        self._ended = True
