"""Lines scored in several processes, each its share of the batches.

It pays for long inputs only, so the processes are started after the first blocks: see
``line_scoring.score_blocks``.
"""

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.line_batches import LineBatches, Sums
from charrnn.parallel.group import Group
from charrnn.text.vocabulary import Ids


class LineWorkers:
    """Scores sequences like ``LineBatches``, in all processes of a group.

    batches    what each process scores with
    group      the group, not started yet
    capacity   the most ids, and lines, that the shared memory takes at once
    """

    def __init__(self, batches: LineBatches, group: Group, capacity: int) -> None:
        self.batches, self.group, self.capacity = batches, group, capacity
        self._ids = group.array((capacity,), np.uint32)
        self._starts = group.array((capacity,), np.int64)
        self._steps = group.array((capacity,), np.int64)
        self._sums = Sums(
            group.array((capacity,), np.float64),
            group.array((capacity,), np.float64),
            group.array((capacity,), np.int64),
        )
        group.start(self)

    def sums(self, ids: Ids, starts: NDArray[np.int64], steps: NDArray[np.int64]) -> Sums:
        """See ``LineBatches.sums``. Raises WorkerLostError if a process dies."""
        if len(ids) > self.capacity or len(steps) <= self.batches.at_once:
            return self.batches.sums(ids, starts, steps)
        S = len(steps)
        self._ids[: len(ids)], self._starts[:S], self._steps[:S] = ids, starts, steps
        for array in self._sums.first(S):
            array[...] = 0
        self.group.call("score_part", len(ids), S)
        return self._sums.first(S).copy()

    def score_part(self, length: int, count: int) -> None:
        """Score this process's share of the batches, into the shared arrays."""
        sums = self._sums.first(count)
        ids, starts, steps = self._ids[:length], self._starts[:count], self._steps[:count]
        self.batches.add_sums(ids, starts, steps, sums, (self.group.rank, self.group.size))
        self.group.barrier()

    def close(self) -> None:
        """End the other processes."""
        self.group.close()
