"""The checkpoint of a model that writes: one .npz file that holds everything it is.

What it has beyond what all checkpoints have (see ``container``):

    resume.h_l0 ...     the carried hidden state of each layer (B, H), for contiguous streams
"""

import os
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from charrnn.checkpoint import format as container
from charrnn.checkpoint.format import Saved, require
from charrnn.config import Config
from charrnn.nn.language_model import Model, param_shapes
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.state import TrainingState


@dataclass
class Checkpoint(Saved[Config]):
    """A model with its vocabulary, and what is needed to train it further; see ``Saved``."""

    @classmethod
    def of(
        cls, config: Config, vocabulary: Vocabulary, state: TrainingState, sha256: str = ""
    ) -> "Checkpoint":
        """Return the checkpoint of a training run as it stands. Arrays are shared, not copied."""
        best = state.model.on(state.weights)
        resume = container.resume_arrays(state)
        for layer, arrays in enumerate(state.carried or []):
            for name, array in zip(state.model.cell.state_names, arrays, strict=True):
                resume[f"{name}_l{layer}"] = array
        progress = container.progress_of(state)
        return cls(config, vocabulary, best.params, resume, progress, state.history, sha256)

    def model(self) -> Model:
        """Return the model, ready to sample from."""
        model = Model(self.config.model, len(self.vocabulary))
        for name, array in self.weights.items():
            model.params[name][...] = array
        return model

    def training_state(self) -> TrainingState:
        """Return the state from which training goes on."""
        state = TrainingState.start(self.config, len(self.vocabulary))
        self.restore(state, self.model().flat)
        if "h_l0" in self.resume:
            state.carried = [
                tuple(self.resume[f"{name}_l{layer}"] for name in state.model.cell.state_names)
                for layer in range(self.config.model.layers)
            ]
        return state


def save(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: a crash or a full disk leaves the old file as it was.

    Raises CheckpointError naming the path if it cannot be written.
    """
    checkpoint.save(path)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint.

    Raises CheckpointError for a file that cannot be read, is not the checkpoint of a model that
    writes, or is damaged; no other exception, whatever the bytes.
    """
    return container.load(path, "generator", _interpret)


def _interpret(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Checkpoint:
    require(header.keys() == container.HEADER_KEYS, "the header has missing or unexpected entries")
    config = Config.from_dict(header["config"])
    vocabulary = container.checked_vocabulary(header)
    shapes = param_shapes(config.model, len(vocabulary))
    resume_shapes = container.resume_shapes(config.optimizer.name, shapes)
    if "resume.h_l0" in arrays:
        resume_shapes |= _carried_shapes(config)
    weights, resume = container.checked_arrays(arrays, config.model, shapes, resume_shapes)
    return Checkpoint(
        config,
        vocabulary,
        weights,
        resume,
        container.checked_progress(header),
        container.checked_history(header),
        header["sha256"],
    )


def _carried_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    state_names = ("h", "c") if config.model.cell == "lstm" else ("h",)
    return {
        f"resume.{name}_l{layer}": (config.data.batch_size, config.model.hidden_size)
        for layer in range(config.model.layers)
        for name in state_names
    }
