"""Labeled sequences: stored end to end, split by class, batched by length."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from charrnn.errors import CorpusError
from charrnn.randomness import Purpose, generator
from charrnn.text.batches import Batch, Batches
from charrnn.text.vocabulary import Ids, Vocabulary, code_points, id_dtype

# The number of batches whose sequences are sorted by length together, to reduce padding.
SORTED_TOGETHER = 32


@dataclass(frozen=True)
class Examples:
    """Labeled sequences of different lengths; ``Examples.of`` builds them.

    values   the steps of all sequences, end to end: ids (N,) or features (N, I)
    starts   index in ``values`` at which each sequence begins, (S,)
    lengths  number of steps of each sequence, (S,)
    labels   class of each sequence, from 0, (S,)
    unknown  the id that stands for all unknown characters; None if the values are not characters
    """

    values: NDArray[Any]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.intp]
    unknown: int | None = None

    @classmethod
    def of(cls, sequences: Sequence[ArrayLike], labels: ArrayLike) -> "Examples":
        """Build examples from sequences.

        sequences   features (T, I) each, or ids (T,) each; T may differ
        labels      class of each sequence, integers from 0

        Raises CorpusError if all sequences are empty, there are none, or the number of labels
        differs.
        """
        arrays = [np.asarray(sequence) for sequence in sequences]
        lengths = np.array([len(array) for array in arrays], np.int64)
        if not lengths.any():
            raise CorpusError("all sequences are empty: there is nothing to learn from")
        values = np.concatenate([array for array in arrays if len(array)])
        return cls._of(values, lengths, labels)

    @classmethod
    def of_texts(
        cls, texts: Sequence[str], labels: ArrayLike, vocabulary: Vocabulary, max_length: int
    ) -> "Examples":
        """Build examples from texts, cut to ``max_length``; unknown characters get the id V."""
        cut = [text[:max_length] for text in texts]
        # One extra character, so that ``values`` is not empty even if all texts are.
        ids = encode_known("".join(cut) + vocabulary.characters[0], vocabulary)
        examples = cls._of(ids, np.array([len(text) for text in cut], np.int64), labels)
        return replace(examples, unknown=len(vocabulary))

    @classmethod
    def _of(cls, values: NDArray[Any], lengths: NDArray[np.int64], labels: ArrayLike) -> "Examples":
        classes = np.asarray(labels).astype(np.intp)
        if classes.shape != lengths.shape:
            raise CorpusError(f"{len(lengths)} sequences and labels {classes.shape} do not fit")
        return cls(values, np.cumsum(lengths) - lengths, lengths, classes)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.intp]) -> Batch:
        """Return some of the sequences as a padded batch."""
        if self._equally_long is not None:
            return Batch(self._equally_long[:, which], self.labels[which])
        lengths = self.lengths[which]
        T = max(1, int(lengths.max(initial=0)))
        steps = np.arange(T)[:, None]
        places = np.minimum(self.starts[which] + steps, len(self.values) - 1)
        mask = None if (lengths == T).all() else steps < lengths
        return Batch(self.values[places], self.labels[which], mask)

    @cached_property
    def _equally_long(self) -> NDArray[Any] | None:
        """All sequences as one view, (T, S) or (T, S, I), if that needs no copy and no mask."""
        S, T = len(self), int(self.lengths.max(initial=0))
        if not S * T or not np.array_equal(self.starts, np.arange(S) * T + self.starts[0]):
            return None
        if self.lengths.min() < T:
            return None
        values = self.values[self.starts[0] : self.starts[0] + S * T]
        return values.reshape(S, T, *values.shape[1:]).swapaxes(0, 1)

    def select(self, which: NDArray[np.intp]) -> "Examples":
        """Return some of the sequences, which (S',), as new examples that share the values."""
        starts, lengths, labels = self.starts[which], self.lengths[which], self.labels[which]
        return replace(self, starts=starts, lengths=lengths, labels=labels)


def encode_known(text: str, vocabulary: Vocabulary) -> Ids:
    """Return the id of each character, and V, one past the last id, for unknown ones."""
    points = code_points(text)
    known = code_points(vocabulary.characters)
    places = np.searchsorted(known, points).clip(max=len(known) - 1)
    ids = np.where(known[places] == points, places, len(known))
    return ids.astype(id_dtype(len(known) + 1))


class SequenceBatches(Batches):
    """Batches of sequences of similar length, reshuffled every epoch.

    Sequences that do not fill the last batch of an epoch are left out of that epoch.
    """

    def __init__(self, examples: Examples, batch_size: int, random_seed: int) -> None:
        self.examples, self.random_seed = examples, random_seed
        self.batch_size = min(batch_size, len(examples))
        self.steps_per_epoch = len(examples) // self.batch_size
        self._epoch, self._order = -1, np.empty((0, 0), np.intp)

    def _in_epoch(self, epoch: int, position: int, samples: slice) -> Batch:
        return self.examples.take(self._numbers(epoch, position)[samples])

    def _numbers(self, epoch: int, position: int) -> NDArray[np.intp]:
        """Return the numbers of the sequences of a batch."""
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._draw(epoch)
        numbers: NDArray[np.intp] = self._order[position]
        return numbers

    def _draw(self, epoch: int) -> NDArray[np.intp]:
        rng = generator(self.random_seed, Purpose.ORDER, epoch)
        order = rng.permutation(len(self.examples))[: self.steps_per_epoch * self.batch_size]
        lengths = self.examples.lengths
        if lengths.min() < lengths.max():
            size = SORTED_TOGETHER * self.batch_size
            for start in range(0, len(order), size):
                part = order[start : start + size]
                part[...] = part[np.argsort(lengths[part], kind="stable")]
        batches = order.reshape(self.steps_per_epoch, self.batch_size)
        return batches[rng.permutation(self.steps_per_epoch)]


def split_examples(
    examples: Examples, fraction: float, random_seed: int
) -> tuple[Examples, Examples]:
    """Split examples into a training part and a held-out part, stratified by class.

    examples      labeled sequences
    fraction      share of every class to hold out, 0 to 1
    random_seed   the same number gives the same split

    Returns (train, held_out). Identical sequences stay on the same side, so that no held-out
    sequence is in the training part. Every class keeps at least one sequence to train on, so a
    class with a single sequence is not held out.
    """
    train, held_out = split_numbers(examples, fraction, random_seed)
    return examples.select(train), examples.select(held_out)


def split_numbers(
    examples: Examples, fraction: float, random_seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the sequences in either part of ``split_examples``."""
    rng = generator(random_seed, Purpose.SPLIT)
    copies: dict[bytes, list[int]] = {}
    for number, (start, length) in enumerate(zip(examples.starts, examples.lengths, strict=True)):
        sequence = examples.values[start : start + length]
        copies.setdefault(sequence.tobytes(), []).append(number)
    groups: dict[int, list[list[int]]] = {}
    for numbers in copies.values():
        groups.setdefault(int(examples.labels[numbers[0]]), []).append(numbers)
    held_out = np.zeros(len(examples), bool)
    for label in sorted(groups):
        members = groups[label]
        wanted = round(fraction * sum(map(len, members)))
        if fraction and not wanted and len(members) > 1:
            wanted = 1
        for place in rng.permutation(len(members))[: len(members) - 1]:
            if wanted <= 0:
                break
            held_out[members[place]] = True
            wanted -= len(members[place])
    # Identical sequences with different labels may have removed the last one of a class.
    for label in np.setdiff1d(examples.labels, examples.labels[~held_out]):
        number = int(np.flatnonzero(examples.labels == label)[0])
        held_out[next(members for members in copies.values() if number in members)] = False
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
