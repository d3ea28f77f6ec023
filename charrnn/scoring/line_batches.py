"""Many independent sequences under a language model, in batches of similar length.

A batch is read in windows that carry the state, and sequences that have ended leave it: so neither
padding nor memory grows with the longest.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.mixture import AnyLanguageModel
from charrnn.text.vocabulary import Ids

# Sequences per batch: OpenBLAS has faster kernels for up to 61 rows, see ``kernels``.
MOST_AT_ONCE, FEWEST_AT_ONCE = 60, 15
# Steps per window.
LONGEST_WINDOW, SHORTEST_WINDOW = 32, 8
# The most values in a window, so that a large network or vocabulary gets smaller batches.
VALUES_AT_ONCE = 1 << 22


class Sums(NamedTuple):
    """The likelihood of S sequences.

    nats    -log p of all targets together in nats, (S,)
    worst   that of the least likely target, (S,)
    where   the step of that target, (S,)
    """

    nats: NDArray[np.float64]
    worst: NDArray[np.float64]
    where: NDArray[np.int64]

    @classmethod
    def zeros(cls, count: int) -> "Sums":
        """Return the sums of sequences without steps."""
        return cls(np.zeros(count), np.zeros(count), np.zeros(count, np.int64))

    def first(self, count: int) -> "Sums":
        """Return a view of the first sequences."""
        return Sums(self.nats[:count], self.worst[:count], self.where[:count])

    def copy(self) -> "Sums":
        """Return a copy."""
        return Sums(self.nats.copy(), self.worst.copy(), self.where.copy())


class LineBatches:
    """Scores batches of sequences under a language model."""

    def __init__(self, model: AnyLanguageModel) -> None:
        self.model, self._workspaces = model, model.workspaces()
        config = model.config
        per_step = 2 * config.layers * (model.cell.gates + 2) * config.hidden_size
        per_step += 3 * model.vocab_size
        most = VALUES_AT_ONCE // (LONGEST_WINDOW * per_step)
        self.at_once = max(FEWEST_AT_ONCE, min(MOST_AT_ONCE, most))

    def sums(self, ids: Ids, starts: NDArray[np.int64], steps: NDArray[np.int64]) -> Sums:
        """Return the likelihood of S sequences, each from a zero state.

        ids      those of all sequences, (N,)
        starts   index of the first input of each, (S,); the first target is behind it
        steps    number of inputs, and of targets, of each, (S,)
        """
        sums = Sums.zeros(len(steps))
        self.add_sums(ids, starts, steps, sums)
        return sums

    def add_sums(
        self,
        ids: Ids,
        starts: NDArray[np.int64],
        steps: NDArray[np.int64],
        sums: Sums,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Write the sums, or those of one process.

        share   its rank and the number of processes: of so many batches, it scores one
        """
        order = np.argsort(-steps, kind="stable")
        rank, size = share
        for at in range(rank * self.at_once, len(order), size * self.at_once):
            which = order[at : at + self.at_once]
            batch = self._sum_batch(ids, starts[which], steps[which])
            for whole, part in zip(sums, batch, strict=True):
                whole[which] = part

    def _sum_batch(self, ids: Ids, starts: NDArray[np.int64], steps: NDArray[np.int64]) -> Sums:
        """Return the likelihood of the sequences of one batch, the longest first."""
        sums, state, begin = Sums.zeros(len(steps)), self.model.zero_state(len(steps)), 0
        active = int(np.count_nonzero(steps))
        while active:
            # To the end of the shortest, if that is not too near or too far: then nothing is padded
            T = min(max(int(steps[active - 1]) - begin, SHORTEST_WINDOW), LONGEST_WINDOW)
            at = np.arange(begin, min(begin + T, int(steps[0])) + 1)[:, None]
            texts, at = ids[np.minimum(starts[:active] + at, len(ids) - 1)], at[:-1]
            state = [tuple(part[:active] for part in layer) for layer in state]
            log_p, state = self.model.log_probabilities(
                texts[:-1], texts[1:], state, self._workspaces
            )
            # What is behind the end of a sequence does not change what is before.
            nats = np.where(at < steps[:active], -log_p, 0)
            sums.nats[:active] += nats.sum(axis=0, dtype=np.float64)
            most = nats.argmax(axis=0)
            worst = nats[most, np.arange(active)]
            rows = np.flatnonzero(worst > sums.worst[:active])
            sums.worst[rows], sums.where[rows] = worst[rows], begin + most[rows]
            begin += len(at)
            active = int(np.count_nonzero(steps > begin))
        return sums
