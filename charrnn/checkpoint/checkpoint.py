"""The contents of a checkpoint."""

import math
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from charrnn.checkpoint import npz
from charrnn.checkpoint.bases import located
from charrnn.checkpoint.files import replacing
from charrnn.checkpoint.format import (
    FORMAT,
    HEADER_KEYS,
    WEIGHTS_ONLY_DTYPE,
    WEIGHTS_ONLY_FORMAT,
    Arrays,
    Header,
    checked_arrays,
    checked_history,
    checked_progress,
    checked_vocabulary,
    encode_header,
    progress_entry,
    read,
    read_errors,
    require,
)
from charrnn.checkpoint.origin import Origin, checked_origin, origin_entry
from charrnn.config import Config, ModelConfig
from charrnn.errors import CheckpointError
from charrnn.nn.cells import Array, make_cell
from charrnn.nn.ensemble import expanded, narrowed, narrowed_flat, separate_members
from charrnn.nn.language_model import LanguageModel
from charrnn.nn.parameters import count
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.optimizers import OPTIMIZERS
from charrnn.training.state import History, Progress, TrainingState


@dataclass
class Checkpoint(ABC):
    """A trained model and the state to resume its training.

    config       all settings of the run
    vocabulary   the characters of the model
    weights      named arrays: the weights with the lowest validation loss
    resume       named arrays of the training state; see ``format``. Empty: weights only
    progress     counters of the training state
    history      losses during training
    sha256       hash of the training data
    origin       where the model comes from; None: not noted
    """

    config: Config
    vocabulary: Vocabulary
    weights: dict[str, Array]
    resume: dict[str, Array]
    progress: Progress
    history: History = field(default_factory=list)
    sha256: str = ""
    origin: Origin | None = None

    @classmethod
    def of(
        cls,
        config: Config,
        vocabulary: Vocabulary,
        state: TrainingState,
        sha256: str = "",
        **extra: Any,  # noqa: ANN401
    ) -> Self:
        """Return a checkpoint of a training run in its current state.

        config       all settings of the run
        vocabulary   the characters of the model
        state        the training state; its arrays are shared, not copied
        sha256       hash of the training data
        extra        the origin, and further fields of this kind of model
        """
        best = state.network.on(state.weights).merged_params()
        resume = {"weights": state.network.flat, **state.slots}
        names = state.network.stack.cell.state_names
        for layer, arrays in enumerate(state.carried or []):
            resume |= {f"{name}_l{layer}": a for name, a in zip(names, arrays, strict=True)}
        return cls(
            config,
            vocabulary,
            best,
            resume,
            state.progress,
            state.history,
            sha256,
            **extra,
        )

    @property
    def start(self) -> str | None:
        """Return what the run started from; see ``Origin``."""
        return None if self.origin is None else self.origin.start

    @abstractmethod
    def empty_network(self) -> LanguageModel:
        """Return the network with all weights 0."""

    @classmethod
    @abstractmethod
    def config_of(cls, values: object) -> Config:
        """Return the config stored in a header."""

    @classmethod
    def extra_of(cls, header: Header, arrays: Arrays) -> dict[str, Any]:  # noqa: ARG003
        """Return the further fields of this kind, after checking them.

        What is neither weights nor training state is taken out of the arrays.
        """
        return {}

    def extra_arrays(self) -> Arrays:
        """Return the arrays that only this kind has."""
        return {}

    def arrays(self) -> Arrays:
        """Return the named arrays of the file. Raises CheckpointError if they cannot be stored."""
        header = {
            "format": FORMAT if self.resume else WEIGHTS_ONLY_FORMAT,
            "charrnn": origin_entry(self.origin),
            "config": self.config.stored(),
            "characters": self.vocabulary.characters,
            "counts": self.vocabulary.counts.tolist(),
            "progress": progress_entry(self.progress),
            "history": self.history,
            "sha256": self.sha256,
        }
        arrays: Arrays = {"header": encode_header(header)} | self.extra_arrays()
        members = self.config.model.members
        if separate_members(self.weights, members) != members:
            raise CheckpointError(f"has weights between two of its {members} members")
        weights = narrowed(self.weights, members)
        if self.resume:
            resume = {f"resume.{name}": array for name, array in self.resume.items()}
            return arrays | weights | resume
        with np.errstate(over="ignore"):
            half = {name: a.astype(WEIGHTS_ONLY_DTYPE) for name, a in weights.items()}
        if not all(np.isfinite(array).all() for array in half.values()):
            raise CheckpointError("has weights that are too large for half precision")
        return arrays | half

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file atomically: after a crash or on a full disk, the old file is intact.

        A model that has weights only is written in half precision. Raises CheckpointError, with the
        path, if the file cannot be written.
        """
        try:
            arrays = self.arrays()
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        with replacing(Path(path)) as file:
            npz.write(file, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a checkpoint: a file, or a base model included in charrnn, by name.

        Raises CheckpointError for a file that cannot be read, is not a model, or is damaged.
        Invalid content raises no other exception.
        """
        path = located(path)
        with read_errors(path):
            header, arrays = read(path)
            return cls.interpret(header, arrays)

    @classmethod
    def interpret(cls, header: Header, arrays: Arrays) -> Self:
        """Return the checkpoint described by a header and arrays, after checking both."""
        extra = cls.extra_of(header, arrays)
        require(
            header.keys() == HEADER_KEYS,
            "the header has missing or unexpected entries",
        )
        config, vocabulary = cls.config_of(header["config"]), checked_vocabulary(header)
        empty = cls(config, vocabulary, {}, {}, Progress(), **extra)
        shapes, dtype = empty.shapes(), config.model.dtype
        whole, members = empty.whole_shapes(), config.model.members
        # The first ensembles were stored with zeros between their members.
        if (recurrent := arrays.get("weight_hh_l0")) is not None:
            shapes = whole if recurrent.shape == whole["weight_hh_l0"] else shapes
        weights_only = header["format"] == WEIGHTS_ONLY_FORMAT
        stored: str = dtype
        resume_shapes: dict[str, tuple[int, ...]] = {}
        if weights_only:
            stored = WEIGHTS_ONLY_DTYPE
        else:
            resume_shapes = empty.resume_shapes(shapes, carried="resume.h_l0" in arrays)
        weights, resume = checked_arrays(arrays, stored, shapes, resume_shapes)
        if weights_only:
            weights = {name: array.astype(dtype) for name, array in weights.items()}
        if shapes != whole:
            weights = expanded(weights, members)
        elif members > 1:
            resume = {
                name: narrowed_flat(array, whole, members) if array.ndim == 1 else array
                for name, array in resume.items()
            }
        return cls(
            config,
            vocabulary,
            weights,
            resume,
            checked_progress(header),
            checked_history(header),
            header["sha256"],
            checked_origin(header["charrnn"]),
            **extra,
        )

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every weight that is trained, in storage order."""

    def whole_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every array of ``weights``, in storage order."""
        return self.shapes()

    def resume_shapes(
        self, shapes: dict[str, tuple[int, ...]], *, carried: bool
    ) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every array of the training state."""
        names = ("weights", *OPTIMIZERS[self.config.optimizer.name].slot_names)
        sizes: dict[str, tuple[int, ...]] = {f"resume.{name}": (count(shapes),) for name in names}
        if carried:
            model, rows = self.config.model, self.config.data.batch_size
            sizes |= {
                f"resume.{name}_l{layer}": (rows, model.hidden_size)
                for layer in range(model.layers)
                for name in state_names(model)
            }
        return sizes

    def network_copy(self) -> LanguageModel:
        """Return a network with a copy of these weights."""
        return self.empty_network().set_merged(self.weights)

    def training_network(self) -> LanguageModel:
        """Return the network in the form that is trained, with all weights zero."""
        return self.empty_network()

    def training_state(self) -> TrainingState:
        """Return the training state to resume from.

        Raises CheckpointError for a model that has weights only.
        """
        if not self.resume:
            raise CheckpointError(
                "the checkpoint holds weights only, no run to resume",
                hint="start a new run from its weights: --from CHECKPOINT -o NEW.npz",
            )
        network = self.training_network()
        network.flat[...] = self.resume["weights"]
        state = TrainingState.start(network, self.config.optimizer)
        for name, slot in state.slots.items():
            slot[...] = self.resume[name]
        state.progress, state.history = self.progress, list(self.history)
        if not math.isinf(self.progress.best_val_loss):
            state.best_weights = self.training_network().set_merged(self.weights).flat
        if "h_l0" in self.resume:
            state.carried = [
                tuple(self.resume[f"{name}_l{layer}"] for name in state_names(self.config.model))
                for layer in range(self.config.model.layers)
            ]
        return state


def state_names(model: ModelConfig) -> tuple[str, ...]:
    """Return the names of the arrays of a layer's state."""
    return make_cell(model.cell).state_names
