"""Tasks on their way to other processes: pickled, with arrays replaced by where they are."""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Arrays larger than this many bytes are moved to shared memory; smaller ones are pickled.
LARGEST_PICKLED = 1 << 16

# Pieces of memory that several processes map, by the number that all of them know each by.
Memories = Mapping[int, NDArray[np.uint8]]


class Place(NamedTuple):
    """The location of an array in shared memory."""

    memory: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


def place_of(array: NDArray[Any], memories: Memories) -> Place | None:
    """Return the location of an array in shared memory, or None."""
    address = array.__array_interface__["data"][0]
    for number, memory in memories.items():
        offset = address - memory.__array_interface__["data"][0]
        if 0 <= offset < memory.size:
            return Place(number, offset, array.shape, array.strides, array.dtype.str)
    return None


class TaskPickler(pickle.Pickler):
    """Replaces shared arrays by their locations, and has other large arrays moved.

    memories   what is shared
    move       makes a copy of an array in shared memory, and returns where
    """

    def __init__(
        self, file: io.BytesIO, memories: Memories, move: Callable[[NDArray[Any]], Place]
    ) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._memories, self._move = memories, move
        self._moved: dict[int, Place] = {}

    def persistent_id(self, obj: object) -> Place | None:
        """Return the location of a shared array; None for an object to be pickled."""
        if not isinstance(obj, np.ndarray):
            return None
        place = place_of(obj, self._memories)
        if place is None and obj.nbytes > LARGEST_PICKLED:
            if id(obj) not in self._moved:
                self._moved[id(obj)] = self._move(obj)
            return self._moved[id(obj)]
        return place


class TaskUnpickler(pickle.Unpickler):
    """Replaces locations by views of shared memory."""

    def __init__(self, file: IO[bytes], memories: Memories) -> None:
        super().__init__(file)
        self._memories = memories

    def persistent_load(self, pid: Place) -> NDArray[Any]:
        """Return the array at a location."""
        memory = self._memories[pid.memory]
        return np.ndarray(pid.shape, pid.dtype, memory, pid.offset, pid.strides)
