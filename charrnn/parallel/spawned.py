"""A group of newly started processes, for systems where forking is unsafe.

The task is pickled. Arrays are not: they are views of memory that all processes map, and only their
location is pickled. That memory is an unnamed file, passed to the workers as a descriptor.
"""

import io
import json
import math
import mmap
import os
import pickle
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.parallel.forked import ForkedGroup
from charrnn.parallel.sharing import Place, TaskPickler, TaskUnpickler, place_of

# Why not multiprocessing: its spawned workers import the caller's __main__ again, so a script
# without a __main__ guard would train again in each worker. Its shared memory has a name, and a
# tracker process that survives a kill. And it still pickles a view of shared memory as a copy.


class SpawnedGroup(ForkedGroup):
    """This process, rank 0, and newly started workers."""

    def __init__(self, size: int) -> None:
        self._memories: dict[int, NDArray[np.uint8]] = {}
        self._descriptors: list[int] = []
        super().__init__(size)

    def __getstate__(self) -> dict[str, Any]:
        return {"size": self.size, "rows": self.size, "_values": self._values, "_turn": self._turn}

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros in shared memory."""
        size = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            descriptor = os.dup(file.fileno())
        self._memories[len(self._descriptors)] = memory = _mapped(descriptor, size)
        self._descriptors.append(descriptor)
        return np.frombuffer(memory, dtype, math.prod(shape)).reshape(shape)

    def start(self, task: object) -> None:
        """Start the workers."""
        self._task = task
        pickled = io.BytesIO()
        TaskPickler(pickled, self._memories, self._move).dump((self, task))
        for rank in range(1, self.size):
            to_child, from_child = os.pipe(), os.pipe()
            plan = {
                "rank": rank,
                "pipe": [to_child[0], from_child[1]],
                "memories": [
                    (descriptor, self._memories[number].size)
                    for number, descriptor in enumerate(self._descriptors)
                ],
                "path": sys.path,  # to find the modules of pickled objects
            }
            ours = [to_child[0], from_child[1], *self._descriptors]
            # -P: do not import modules from the current folder. A new session: only rank 0 gets
            # Ctrl-C, and then stops the workers itself.
            child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "charrnn.parallel.spawned", json.dumps(plan)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=ours,
                start_new_session=True,
            )
            os.close(to_child[0])
            os.close(from_child[1])
            self._pipes.append((from_child[0], to_child[1]))
            self._children.append(child.pid)
            child.returncode = 0  # ``close`` waits for it
            assert child.stdin is not None  # noqa: S101  # because of stdin=PIPE
            with child.stdin:
                child.stdin.write(pickled.getbuffer())
        for descriptor in self._descriptors:
            os.close(descriptor)

    def join(self, plan: dict[str, Any], task: object) -> None:
        """Become the worker described by a plan. Does not return."""
        self.rank, self._pipes, self._children = plan["rank"], [tuple(plan["pipe"])], []
        self._task = task
        self._serve()

    def _move(self, array: NDArray[Any]) -> Place:
        moved = self.array(array.shape, array.dtype)
        moved[...] = array
        place = place_of(moved, self._memories)
        assert place is not None  # noqa: S101  # just made
        return place


def _mapped(descriptor: int, size: int) -> NDArray[np.uint8]:
    return np.frombuffer(mmap.mmap(descriptor, size), np.uint8)


def main() -> None:
    """Run a worker: the plan is the command-line argument, the task comes through stdin."""
    plan = json.loads(sys.argv[1])
    sys.path[:] = plan["path"]
    memories = {number: _mapped(*memory) for number, memory in enumerate(plan["memories"])}
    try:
        group, task = TaskUnpickler(sys.stdin.buffer, memories).load()
    except (EOFError, pickle.UnpicklingError):  # rank 0 has died
        return
    group.join(plan, task)


if __name__ == "__main__":
    main()
