"""From one long array of ids to training batches.

A batch is a pure function of the random seed and the step number, so a run resumed at step n gets
the same batches without a stored position.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from charrnn.config import Config, DataConfig
from charrnn.errors import CorpusError
from charrnn.randomness import Purpose, generator
from charrnn.text.pieces import shuffle_pieces
from charrnn.text.vocabulary import Ids

ALL = slice(None)


@dataclass(frozen=True)
class Batch:
    """A mini-batch of B sequences of T characters.

    inputs    ids, (T, B)
    targets   ids, (T, B): targets[t] follows inputs[t]
    starts    (T, B), True at steps that begin a piece, from a zero state; None: nowhere
    fresh     True: start from a zero state. False: start from the final state of the last batch
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    starts: NDArray[Any] | None = None
    fresh: bool = True


class Streams:
    """B contiguous streams: each row of the batch reads its own part of the text in order.

    The hidden state is carried from batch to batch, so the context is longer than one window. An
    epoch starts from a zero state at a random offset, up to the number of characters that do not
    fill a batch, so that no character is always left out.

    Flat pieces are read in another order every epoch, each from a zero state. Batches of pieces
    of equal length would waste no step either, but each would teach one length only: measured on
    names, they are 0.01 nats per character worse.

    steps_per_epoch   steps in one pass over the text

    Raises CorpusError if the text is too short for one batch.
    """

    def __init__(self, ids: Ids, data: DataConfig, random_seed: int) -> None:
        self.seq_length, self.batch_size = data.seq_length, data.batch_size
        self.random_seed, self.pieces = random_seed, data.end is not None
        self.steps_per_epoch = (len(ids) - 1) // (self.seq_length * self.batch_size)
        if self.steps_per_epoch < 1:
            windows = f"{self.batch_size} windows of {self.seq_length}"
            raise CorpusError(f"{len(ids)} characters are too few for {windows}")
        self._ids, self._epoch, self._ordered = ids, -1, ids

    def at(self, step: int, samples: slice = ALL) -> Batch:
        """Return the batch of a step, counted from 0 across epochs, or some of its samples."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self.pieces and epoch != self._epoch:
            rng = generator(self.random_seed, Purpose.PIECES, epoch)
            self._epoch, self._ordered = epoch, shuffle_pieces(self._ids, rng)
        T, B, ids = self.seq_length, self.batch_size, self._ordered
        used = self.steps_per_epoch * T * B
        slack = len(ids) - 1 - used
        start = int(generator(self.random_seed, Purpose.ORDER, epoch).integers(slack + 1))
        window = slice(position * T, (position + 1) * T)
        inputs, targets = (
            ids[first : first + used].reshape(B, -1)[samples, window].T
            for first in (start, start + 1)
        )
        starts = inputs == ids[0] if self.pieces else None
        return Batch(inputs, targets, starts, fresh=position == 0)


class ShuffledWindows:
    """Independent windows, reshuffled every epoch, each from a zero state.

    The order takes 8 bytes a window. Windows that do not fill the last batch are left out of that
    epoch.
    """

    def __init__(self, ids: Ids, data: DataConfig, random_seed: int) -> None:
        self.inputs, self.targets = sliding_windows(ids, data.seq_length, data.stride or 1)
        self.batch_size = min(data.batch_size, len(self.inputs))
        self.random_seed = random_seed
        self.steps_per_epoch = len(self.inputs) // self.batch_size
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def at(self, step: int, samples: slice = ALL) -> Batch:
        """Return the batch of a step, counted from 0 across epochs, or some of its samples."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            rng = generator(self.random_seed, Purpose.ORDER, epoch)
            self._epoch, self._order = epoch, rng.permutation(len(self.inputs))
        first = position * self.batch_size
        chosen = self._order[first : first + self.batch_size][samples]
        return Batch(self.inputs[chosen].T, self.targets[chosen].T)


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


def fit_config(config: Config, length: int) -> Config:
    """Return a config with windows and batches that fit a training text of this many characters.

    If the text is too short for a full batch, the batch gets smaller; if it is shorter than a
    window, the window gets shorter. Raises CorpusError for fewer than two characters.
    """
    if length <= 1:
        raise CorpusError(
            f"{length} character{'s' * (length != 1)} to train on: there is nothing to predict",
            hint="give it more text, or hold less of it out with --val-fraction",
        )
    data = config.data
    seq_length = min(data.seq_length, length - 1)
    windows = (length - 1 - seq_length) // (data.stride or seq_length) + 1
    batch_size = min(data.batch_size, windows)
    return replace(config, data=replace(data, seq_length=seq_length, batch_size=batch_size))


def make_batches(ids: Ids, data: DataConfig, random_seed: int) -> Streams | ShuffledWindows:
    """Return the source of batches that the config describes."""
    kind = Streams if data.stride is None else ShuffledWindows
    return kind(ids, data, random_seed)
