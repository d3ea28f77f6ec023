"""What is trained: the gradient of some samples, and how good the network is.

A data-parallel step knows nothing of texts or labels. It asks an objective, which every process of
the group has, for the gradient of that process's samples and for its part of the evaluation.
"""

from abc import ABC, abstractmethod

from charrnn.nn.cells import Params
from charrnn.parallel.group import Group
from charrnn.text.batches import Batches
from charrnn.training.state import TrainingState


class Objective(ABC):
    """Something to learn.

    batches     what there is to learn from
    step_size   how much a step learns from, and
    held_out    how much there is to validate on: both in characters
    """

    batches: Batches
    step_size: int
    held_out: int

    @abstractmethod
    def attach(self, state: TrainingState, group: Group) -> None:
        """Prepare to train this state in this group, which has not started yet.

        Arrays of the state that processes change in common move into the group's memory.
        """

    def allows(self, processes: int) -> bool:
        """Return True if so many processes have a share in each step."""
        return processes <= self.batches.batch_size

    def samples(self, group: Group) -> slice:
        """Return the samples of a batch that this process learns from."""
        return group.part(self.batches.batch_size)

    @abstractmethod
    def gradients(self, samples: slice, grads: Params, step: int) -> float:
        """Write the gradient of some samples of a step's batch; return their part of the loss.

        samples   which of the batch: those of ``samples``
        grads     where the gradients go, named as the parameters
        """

    @abstractmethod
    def evaluate(self) -> tuple[float, int]:
        """Return this process's part of the held-out loss, a sum, and what it is the sum over."""
