"""Batches: what a training step learns from, the same for texts and for labelled sequences."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

EVERY = slice(None)


@dataclass(frozen=True)
class Batch:
    """Samples side by side.

    inputs    ids (T, B) or features (T, B, I)
    targets   ids (T, B), targets[t] being what comes after inputs[t]; or classes (B,)
    mask      (T, B), False behind the end of a sample; None if all are equally long
    fresh     True: start from a zero state. False: carry on from the last batch's state
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    mask: NDArray[Any] | None = None
    fresh: bool = True


class Batches(ABC):
    """A source of batches that can be asked for any step of any epoch.

    Every batch is a pure function of the random seed and the step: nothing has to be remembered to
    resume a run.

    batch_size        samples of a batch (B)
    steps_per_epoch   steps in which all there is to learn from has been seen once
    """

    batch_size: int
    steps_per_epoch: int

    def at(self, step: int, samples: slice = EVERY) -> Batch:
        """Return the batch of a step, counted from 0 through all epochs, or some of its samples."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._in_epoch(epoch, position, samples)

    @abstractmethod
    def _in_epoch(self, epoch: int, position: int, samples: slice) -> Batch:
        """Return some samples of a batch of an epoch."""
