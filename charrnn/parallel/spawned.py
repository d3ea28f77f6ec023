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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from charrnn.parallel.forked import ForkedGroup

# Why not multiprocessing: its spawned workers import the caller's __main__ again, so a script
# without a __main__ guard would train again in each worker. Its shared memory has a name, and a
# tracker process that survives a kill. And it still pickles a view of shared memory as a copy.

# Arrays larger than this many bytes are moved to shared memory; smaller ones are pickled.
LARGEST_PICKLED = 1 << 16


class _Segment(NamedTuple):
    descriptor: int
    memory: NDArray[np.uint8]


class _Place(NamedTuple):
    """The location of an array in shared memory."""

    segment: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


class SpawnedGroup(ForkedGroup):
    """This process, rank 0, and newly started workers."""

    def __init__(self, size: int) -> None:
        self._segments: list[_Segment] = []
        super().__init__(size)

    def __getstate__(self) -> dict[str, Any]:
        return {"size": self.size, "_values": self._values, "_turn": self._turn}

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of zeros in shared memory."""
        size = max(math.prod(shape) * np.dtype(dtype).itemsize, 1)
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            descriptor = os.dup(file.fileno())
        segment = _mapped(descriptor, size)
        self._segments.append(segment)
        return np.frombuffer(segment.memory, dtype, math.prod(shape)).reshape(shape)

    def start(self, task: object) -> None:
        """Start the workers."""
        self._task = task
        pickled = io.BytesIO()
        _Pickler(pickled, self).dump((self, task))
        for rank in range(1, self.size):
            to_child, from_child = os.pipe(), os.pipe()
            plan = {
                "rank": rank,
                "pipe": [to_child[0], from_child[1]],
                "segments": [(s.descriptor, s.memory.size) for s in self._segments],
                "path": sys.path,  # to find the modules of pickled objects
            }
            ours = [to_child[0], from_child[1], *(s.descriptor for s in self._segments)]
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
        for segment in self._segments:
            os.close(segment.descriptor)

    def join(self, plan: dict[str, Any], task: object) -> None:
        """Become the worker described by a plan. Does not return."""
        self.rank, self._pipes, self._children = plan["rank"], [tuple(plan["pipe"])], []
        self._task = task
        self._serve()

    def place(self, array: NDArray[Any]) -> _Place | None:
        """Return the location of an array in shared memory, or None."""
        address = array.__array_interface__["data"][0]
        for number, segment in enumerate(self._segments):
            offset = address - segment.memory.__array_interface__["data"][0]
            if 0 <= offset < segment.memory.size:
                return _Place(number, offset, array.shape, array.strides, array.dtype.str)
        return None


class _Pickler(pickle.Pickler):
    """Replaces shared arrays by their locations, and moves other large arrays to shared memory."""

    def __init__(self, file: io.BytesIO, group: SpawnedGroup) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._group = group
        self._moved: dict[int, NDArray[Any]] = {}

    def persistent_id(self, obj: object) -> _Place | None:
        """Return the location of a shared array; None for an object to be pickled."""
        if not isinstance(obj, np.ndarray):
            return None
        place = self._group.place(obj)
        if place is None and obj.nbytes > LARGEST_PICKLED:
            if id(obj) not in self._moved:
                self._moved[id(obj)] = moved = self._group.array(obj.shape, obj.dtype)
                moved[...] = obj
            return self._group.place(self._moved[id(obj)])
        return place


class _Unpickler(pickle.Unpickler):
    """Replaces locations by views of shared memory."""

    def __init__(self, file: Any, segments: list[_Segment]) -> None:  # noqa: ANN401
        super().__init__(file)
        self._segments = segments

    def persistent_load(self, pid: _Place) -> NDArray[Any]:
        """Return the array at a location."""
        memory = self._segments[pid.segment].memory
        return np.ndarray(pid.shape, pid.dtype, memory, pid.offset, pid.strides)


def _mapped(descriptor: int, size: int) -> _Segment:
    return _Segment(descriptor, np.frombuffer(mmap.mmap(descriptor, size), np.uint8))


def main() -> None:
    """Run a worker: the plan is the command-line argument, the task comes through stdin."""
    plan = json.loads(sys.argv[1])
    sys.path[:] = plan["path"]
    segments = [_mapped(*segment) for segment in plan["segments"]]
    try:
        group, task = _Unpickler(sys.stdin.buffer, segments).load()
    except (EOFError, pickle.UnpicklingError):  # rank 0 has died
        return
    group.join(plan, task)


if __name__ == "__main__":
    main()
