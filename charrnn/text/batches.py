"""Mini-batches, in one form for texts and for labeled sequences."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

EVERY = slice(None)


@dataclass(frozen=True)
class Batch:
    """A mini-batch.

    inputs    ids (T, B) or features (T, B, I)
    targets   ids (T, B), where targets[t] follows inputs[t]; or classes (B,)
    mask      (T, B), False at padded steps; None if all samples have the same length
    starts    (T, B), True at steps that begin a sample anew, from a zero state; None: nowhere
    fresh     True: start from a zero state. False: start from the final state of the last batch
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    mask: NDArray[Any] | None = None
    starts: NDArray[Any] | None = None
    fresh: bool = True


class Batches(ABC):
    """A source of batches with random access to every step of every epoch.

    A batch is a pure function of the random seed and the step, so a resumed run needs no stored
    position.

    batch_size        samples per batch (B)
    steps_per_epoch   steps in one pass over the training data
    """

    batch_size: int
    steps_per_epoch: int

    def at(self, step: int, samples: slice = EVERY) -> Batch:
        """Return the batch of a step, counted from 0 across epochs, or some of its samples."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._in_epoch(epoch, position, samples)

    @abstractmethod
    def _in_epoch(self, epoch: int, position: int, samples: slice) -> Batch:
        """Return some samples of the batch at a position in an epoch."""
