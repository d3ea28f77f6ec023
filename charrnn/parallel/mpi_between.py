"""The processes of one machine among themselves, and what machines tell each other at times."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from charrnn.parallel.group import MAX_VALUES, part_of, sum_of_rows
from charrnn.parallel.mpi_world import MPI, World
from charrnn.parallel.wire import pack, packed_size, unpack

if TYPE_CHECKING:
    from charrnn.parallel.mpi_crew import Crew


class Here:
    """The processes of this machine: collectives that no other machine takes part in."""

    def __init__(self, crew: "Crew") -> None:
        self.crew, self.rank = crew, crew.world.row
        self.size = int(crew.world.machine.size)
        self.signal: int | None = None

    def barrier(self) -> None:
        """Wait until all processes of this machine are here, and see what they wrote."""
        self.crew.memory.barrier()

    def all_reduce(self, *values: float) -> list[float]:
        """Return the sum of each value over the processes of this machine."""
        own = np.zeros(MAX_VALUES + 1)
        own[: len(values)], own[-1] = values, self.crew.signal or 0
        table = np.empty((self.size, MAX_VALUES + 1))
        self.crew.memory.sync()
        self.crew.world.wait(self.crew.world.machine.Iallgather(own, table))
        self.crew.memory.sync()
        self.signal = int(table[:, -1].max()) or None
        sums: list[float] = table[:, : len(values)].sum(axis=0).tolist()
        return sums

    def reduce_scatter(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return this process's part of the sum of the rows of this machine."""
        self.barrier()
        return sum_of_rows(rows[: self.size], self.part(rows.shape[1]))

    def all_gather(self, array: NDArray[Any]) -> None:  # noqa: ARG002
        """Wait until every process has written its part; the memory is shared."""
        self.barrier()

    def part(self, length: int) -> slice:
        """Return this process's part of a range."""
        return part_of(length, self.rank, self.size)


def sum_of_machines(
    world: World, array: NDArray[Any], news: NDArray[np.float64], *, half: bool
) -> None:
    """Replace an array by its sum over all machines: the same bits on each.

    Only in the first process of each machine. Each machine sums a part of the array, in the order
    of the machines, and sends the others what it has found; so nobody's sum is another.

    array   (N,)
    news    (K,), which goes along with the first message: the largest of each replaces it
    half    send numbers in half precision
    """
    count, own, dtype = len(world.machines), world.number, array.dtype
    parts = [part_of(array.size, number, count) for number in range(count)]
    lengths = [part.stop - part.start for part in parts]
    sizes = [packed_size(length, dtype, half=half) for length in lengths]
    head = news.nbytes
    sent = np.empty(sum(sizes) + count * head, np.uint8)
    letters = _pieces(sent, [head + size for size in sizes])
    for part, begin, size in zip(parts, letters[2], sizes, strict=True):
        sent[begin : begin + head] = news.view(np.uint8)
        sent[begin + head : begin + head + size] = pack(array[part], half=half)
    received = np.empty((count, head + sizes[own]), np.uint8)
    answers = _pieces(received.reshape(-1), [head + sizes[own]] * count)
    world.wait(world.leaders.Ialltoallv(letters, answers))
    news[...] = received[:, :head].copy().view(np.float64).max(axis=0)
    total = np.zeros(lengths[own], dtype)
    for letter in received:
        total += unpack(letter[head:], lengths[own], dtype, half=half)
    sums = np.empty(sum(sizes), np.uint8)
    everything = _pieces(sums, sizes)
    places = [slice(begin, begin + size) for begin, size in zip(everything[2], sizes, strict=True)]
    sums[places[own]] = pack(total, half=half)
    world.wait(world.leaders.Iallgatherv(MPI.IN_PLACE, everything))
    for part, length, place in zip(parts, lengths, places, strict=True):
        array[part] = unpack(sums[place], length, dtype, half=half)


def _pieces(data: NDArray[np.uint8], sizes: list[int]) -> list[Any]:
    """Return a buffer for MPI: pieces of these sizes, one behind the other."""
    begins = [sum(sizes[:number]) for number in range(len(sizes))]
    return [data, sizes, begins, MPI.BYTE]
