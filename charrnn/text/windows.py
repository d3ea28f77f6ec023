"""From one long array of ids to training batches.

A batch is a pure function of the random seed and the step number, so a run resumed at step n gets
the same batches without a stored position.
"""

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from charrnn.config import DataConfig
from charrnn.errors import CorpusError
from charrnn.randomness import Purpose, generator
from charrnn.text.batches import Batch, Batches
from charrnn.text.lines import in_another_order
from charrnn.text.vocabulary import Ids

FEISTEL_ROUNDS = 6

# Up to this many windows are shuffled in memory: the Feistel network is not random enough for few.
SHUFFLED_WHOLE = 512


def sliding_windows(ids: Ids, length: int, stride: int = 1) -> tuple[Ids, Ids]:
    """Return input and target windows, shape (N, length) each, as views without a copy.

    Window i starts at i * stride. Its targets are the same window shifted by one character, so the
    last target is the character that follows the window.

    Raises CorpusError if the text is too short for one window and its next character.
    """
    if len(ids) <= length:
        raise CorpusError(
            f"{len(ids)} characters are too few for a window of {length} and the one after it"
        )
    views = sliding_window_view(ids, length + 1)[::stride]
    return views[:, :-1], views[:, 1:]


class Streams(Batches):
    """B contiguous streams: each row of the batch reads its own part of the text in order.

    The hidden state is carried from batch to batch, so the context is longer than one window. An
    epoch starts from a zero state at a random offset, up to the number of characters that do not
    fill a batch, so that no character is always left out.
    """

    def __init__(self, ids: Ids, seq_length: int, batch_size: int, random_seed: int) -> None:
        self.ids, self.seq_length, self.batch_size = ids, seq_length, batch_size
        self.random_seed = random_seed
        self.steps_per_epoch = (len(ids) - 1) // (seq_length * batch_size)
        if self.steps_per_epoch < 1:
            raise CorpusError(
                f"{len(ids)} characters are too few for {batch_size} windows of {seq_length}"
            )

    def _in_epoch(self, epoch: int, position: int, samples: slice) -> Batch:
        T, B = self.seq_length, self.batch_size
        used, ids = self.steps_per_epoch * T * B, self._text(epoch)
        slack = len(self.ids) - 1 - used
        start = int(generator(self.random_seed, Purpose.ORDER, epoch).integers(slack + 1))
        window = slice(position * T, (position + 1) * T)
        inputs, targets = (
            ids[first : first + used].reshape(B, -1)[samples, window].T
            for first in (start, start + 1)
        )
        return Batch(inputs, targets, fresh=position == 0)

    def _text(self, epoch: int) -> Ids:  # noqa: ARG002  # lines have an order for each epoch
        """Return the text to read in an epoch."""
        return self.ids


class LineStreams(Streams):
    """Streams of flat lines, in another order every epoch, each line from a zero state.

    Batches of lines of equal length would waste no step either, but each would teach one length
    only: measured on names, they are 0.01 nats per character worse.
    """

    def __init__(self, ids: Ids, seq_length: int, batch_size: int, random_seed: int) -> None:
        super().__init__(ids, seq_length, batch_size, random_seed)
        self._epoch, self._order = -1, ids

    def _in_epoch(self, epoch: int, position: int, samples: slice) -> Batch:
        batch = super()._in_epoch(epoch, position, samples)
        return replace(batch, starts=batch.inputs == self.ids[0])

    def _text(self, epoch: int) -> Ids:
        if epoch != self._epoch:
            rng = generator(self.random_seed, Purpose.LINES, epoch)
            self._epoch, self._order = epoch, in_another_order(self.ids, rng)
        return self._order


class ShuffledWindows(Batches):
    """Independent windows, reshuffled every epoch, each from a zero state."""

    def __init__(self, ids: Ids, data: DataConfig, random_seed: int) -> None:
        self.inputs, self.targets = sliding_windows(ids, data.seq_length, data.stride or 1)
        self.batch_size = min(data.batch_size, len(self.inputs))
        self.random_seed = random_seed
        # Windows that do not fill the last batch are left out of that epoch.
        self.steps_per_epoch = len(self.inputs) // self.batch_size

    def _in_epoch(self, epoch: int, position: int, samples: slice) -> Batch:
        places = np.arange(position * self.batch_size, (position + 1) * self.batch_size)
        chosen = permuted(
            places, len(self.inputs), generator(self.random_seed, Purpose.ORDER, epoch)
        )
        chosen = chosen[samples]
        return Batch(self.inputs[chosen].T, self.targets[chosen].T)


def permuted(places: NDArray[np.int64], length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the elements of a random permutation of 0 to length - 1 at these places.

    Only these elements are computed, so the permutation takes no memory: a Feistel network over the
    next power of 4, applied again until the result is below the length (cycle walking; Black &
    Rogaway 2002, "Ciphers with arbitrary finite domains").
    """
    if length <= SHUFFLED_WHOLE:
        return rng.permutation(length)[places]
    half = np.uint64(max(1, ((length - 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = rng.integers(2**64, size=(FEISTEL_ROUNDS, 2), dtype=np.uint64)
    order = places.astype(np.uint64)
    outside = np.arange(len(order))
    while len(outside):
        left, right = order[outside] >> half, order[outside] & mask
        for multiplier, offset in keys:
            mixed = right * (multiplier | np.uint64(1)) + offset
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0x9E3779B97F4A7C15)
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        order[outside] = (left << half) | right
        outside = outside[order[outside] >= length]
    return order.astype(np.int64)


def fit_to_corpus(data: DataConfig, length: int) -> tuple[int, int]:
    """Return the sequence length and batch size for a text of this many characters.

    If the text is too short for a full batch, the batch gets smaller; if it is shorter than a
    window, the window gets shorter. Raises CorpusError for fewer than two characters, because then
    there is nothing to predict.
    """
    if length < 2:  # noqa: PLR2004
        raise CorpusError(
            f"{length} characters to train on are too few: there is nothing to predict",
            hint="give it more text, or hold less of it out with --val-fraction",
        )
    seq_length = min(data.seq_length, length - 1)
    if data.stride is not None:
        windows = (length - 1 - seq_length) // data.stride + 1
        return seq_length, min(data.batch_size, windows)
    return seq_length, min(data.batch_size, (length - 1) // seq_length)


def make_batches(ids: Ids, data: DataConfig, random_seed: int) -> Batches:
    """Return the source of batches that the config describes."""
    if data.lines:
        return LineStreams(ids, data.seq_length, data.batch_size, random_seed)
    if data.stride is None:
        return Streams(ids, data.seq_length, data.batch_size, random_seed)
    return ShuffledWindows(ids, data, random_seed)
