"""A checkpoint: a trained model and the state to resume its training, in one .npz file.

Members, all stored uncompressed:

    header              see ``header``
    pieces.seen         of pieces: filters of those read, (K, size); see ``generate.seen``
    spans.seen          filters of the spans read, (K, size); see ``generate.seen``
    ngram.*             n-grams of the text; see ``ngrams``
    weight_ih_l0 ...    the weights with the lowest validation loss, named as in torch.nn
    resume.weights      the latest weights, flat; this and the following are for resuming
    resume.<slot>       what the optimizer keeps, flat
    resume.h_l0 ...     the carried hidden state of each layer, (B, H), for contiguous streams

Of an ensemble, the weights and the resume entries of each network have its number before their
names: m0.weight_ih_l0 ..., m1.weight_ih_l0 ....

A compact file has weights only, in half precision (float16): enough to sample, to score and to
start a new run from, but not to resume.
"""

import contextlib
import math
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn._version import __version__
from charrnn.checkpoint import npz
from charrnn.checkpoint.bases import resolve_path, suggest_model
from charrnn.checkpoint.files import replacing
from charrnn.checkpoint.header import Header, Origin
from charrnn.checkpoint.npz import Arrays, require
from charrnn.config import Config
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.ngrams.kneser_ney import NGrams
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import LanguageModel, Shapes, param_shapes, view_parameters
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.state import History, Progress, TrainingState

T = TypeVar("T")

COMPACT_DTYPE = "float16"
SEEN = {"seen_pieces": "pieces.seen", "seen_spans": "spans.seen"}
NGRAM = "ngram."

# Fields that a checkpoint and its header have in common.
IN_HEADER = ("config", "progress", "history", "sha256", "origin")


@dataclass
class Checkpoint:
    """A trained model and the state to resume its training; ``Model`` says what the fields are."""

    config: Config
    vocabulary: Vocabulary
    weights: Arrays
    resume: Arrays
    progress: Progress
    history: History = field(default_factory=list)
    sha256: str = ""
    origin: Origin | None = None
    seen_pieces: NDArray[np.uint8] | None = None
    seen_spans: NDArray[np.uint8] | None = None
    ngram: NGrams | None = None

    def __post_init__(self) -> None:
        if self.ngram is None and self.config.data.ngram:
            self.config = replace(self.config, data=replace(self.config.data, ngram=0))

    @classmethod
    def of(
        cls, config: Config, vocabulary: Vocabulary, state: TrainingState, **fields: Any
    ) -> Self:
        """Return a checkpoint of a run in its current state, whose arrays are shared, not copied.

        fields   sha256, origin, seen_pieces, seen_spans, ngram
        """
        shapes = state.networks[0].shapes
        weights = join_members([view_parameters(flat, shapes) for flat in state.weights])
        resume = _name_state(state)
        return cls(config, vocabulary, weights, resume, state.progress, state.history, **fields)

    def ensemble(self) -> Ensemble:
        """Return the networks, with a copy of these weights."""
        networks = self._empty_networks()
        for name, param in join_members([network.params for network in networks]).items():
            param[...] = self.weights[name]
        return Ensemble(networks)

    def network(self) -> LanguageModel:
        """Return one network with the same predictions; see ``Ensemble.merge``."""
        return self.ensemble().merge()

    def training_state(self) -> TrainingState:
        """Return the training state to resume from.

        Raises CheckpointError for a model that has weights only, and for arrays that are not what
        the config implies.
        """
        if not self.resume:
            raise CheckpointError(
                "the checkpoint holds weights only, no run to resume",
                hint="start a new run from its weights: --from CHECKPOINT -o NEW.npz",
            )
        networks, batch_size = self._empty_networks(), self.config.data.batch_size
        state = TrainingState.start(networks, self.config.optimizer.name)
        if carried := [array for name, array in self.resume.items() if name.endswith(".h_l0")]:
            require(len(carried[0]) == batch_size, "the carried state is not that of a batch")
            state.carried = [network.zero_state(batch_size) for network in networks]
        named = _name_state(state)
        shapes = {name: array.shape for name, array in named.items()}
        _require_shapes(self.resume, shapes, self.config.model.dtype)
        for name, array in named.items():
            array[...] = self.resume[name]
        state.progress, state.history = self.progress, list(self.history)
        if not math.isinf(self.progress.best_val_loss):
            state.best_weights = [network.flat for network in self.ensemble().networks]
        return state

    def _empty_networks(self) -> list[LanguageModel]:
        shape = self.config.model
        return [LanguageModel(shape, len(self.vocabulary)) for _ in range(shape.members)]

    def arrays(self) -> Arrays:
        """Return the arrays of the file. Raises CheckpointError if they cannot be stored."""
        header = Header(
            characters=self.vocabulary.characters,
            counts=self.vocabulary.counts.tolist(),
            charrnn=__version__,
            **{name: getattr(self, name) for name in IN_HEADER},
        )
        weights = self.weights
        if not self.resume:
            with np.errstate(over="ignore"):
                weights = {name: values.astype(COMPACT_DTYPE) for name, values in weights.items()}
        for name, values in {**weights, **self.resume}.items():
            if not np.isfinite(values).all():
                wrong = "not finite" if self.resume else "too large for half precision"
                raise CheckpointError(f"has numbers in {name} that are {wrong}")
        return {"header": header.encode(), **self.extra_arrays(), **weights, **self.resume}

    def extra_arrays(self) -> Arrays:
        """Return the arrays of the file that are neither weights nor training state."""
        filters = {name: getattr(self, field) for field, name in SEEN.items()}
        arrays: Arrays = {name: bits for name, bits in filters.items() if bits is not None}
        if self.ngram is not None:
            arrays |= {NGRAM + name: array for name, array in self.ngram.to_arrays().items()}
        return arrays

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
        """Read a file, or a base model included in charrnn by its name.

        Raises CheckpointError for a file that cannot be read or is damaged; no other exception,
        whatever the bytes.
        """
        path = resolve_path(path)
        try:
            return cls._interpret(npz.read(_read_bytes(path)))
        except FileNotFoundError:
            hint = suggest_model(path)
            raise CheckpointError(f"{path}: no such checkpoint", hint=hint) from None
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror or error}"
            hint = "check the path, and that you may read it"
            raise CheckpointError(message, hint=hint) from error
        except MemoryError as error:
            raise CheckpointError(f"{path}: does not fit into memory") from error
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}", hint=error.hint) from error
        except Exception as error:  # hostile entries can be wrong in any way
            reason = str(error) if isinstance(error, CharRNNError) else repr(error)
            raise CheckpointError(f"{path}: {npz.DAMAGED}: {reason}", hint=npz.HINT) from error

    @classmethod
    def _interpret(cls, arrays: Arrays) -> Self:
        """Return the checkpoint in the arrays of a file; any exception means that there is none."""
        require("header" in arrays, "it has no header")
        header = Header.decode(arrays.pop("header"))
        for name, array in arrays.items():
            require(np.isfinite(array).all(), f"{name} holds numbers that are not finite")
        shape, characters = header.config.model, header.characters
        vocabulary = Vocabulary(characters, np.array(header.counts, np.int64))
        knows_end = header.config.data.end in {None, *characters}
        require(knows_end, "it does not know the character with which pieces end")
        extra = pop_extra(arrays, len(vocabulary))
        resume = {name: array for name, array in arrays.items() if name.startswith("resume.")}
        weights = {name: array for name, array in arrays.items() if name not in resume}
        shapes = join_members([param_shapes(shape, len(vocabulary))] * shape.members)
        _require_shapes(weights, shapes, shape.dtype if resume else COMPACT_DTYPE)
        weights = {name: array.astype(shape.dtype, copy=False) for name, array in weights.items()}
        fields = {name: getattr(header, name) for name in IN_HEADER}
        return cls(vocabulary=vocabulary, weights=weights, resume=resume, **fields, **extra)


def pop_extra(arrays: Arrays, vocab_size: int) -> dict[str, Any]:
    """Take the filters and ``ngram`` of a ``Checkpoint`` out of the arrays of a file."""
    filters = {field: arrays.pop(name, None) for field, name in SEEN.items()}
    for bits in filters.values():
        valid = bits is None or (bits.dtype == np.uint8 and bits.ndim == 2 and bits.size)
        require(valid, "a filter is not rows of bytes")
    names = [name for name in arrays if name.startswith(NGRAM)]
    tables = {name.removeprefix(NGRAM): arrays.pop(name) for name in names}
    ngram = NGrams.from_arrays(tables, vocab_size) if tables else None
    return {**filters, "ngram": ngram}


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Return True if a file starts like a checkpoint."""
    first = b"header.npy"
    with contextlib.suppress(OSError):
        if Path(path).is_file():  # opening a pipe would wait for its writer
            with Path(path).open("rb") as file:
                start = file.read(npz.MEMBER_HEADER + len(first))
            return start.startswith(npz.MAGIC) and start.endswith(first)
    return False


def member_prefixes(members: int) -> list[str]:
    """Return the prefix of the names of each network's arrays."""
    return [""] if members == 1 else [f"m{member}." for member in range(members)]


def join_members(named: Sequence[Mapping[str, T]]) -> dict[str, T]:
    """Return what each network has, by the names in the file."""
    prefixes = member_prefixes(len(named))
    return {
        prefix + name: value
        for prefix, own in zip(prefixes, named, strict=True)
        for name, value in own.items()
    }


def _name_state(state: TrainingState) -> Arrays:
    """Return all arrays of a training state but its best weights, by their names in the file."""
    named = []
    for member, network in enumerate(state.networks):
        own = {"weights": network.flat, **state.slots[member]}
        for depth, layer in enumerate(state.carried[member] if state.carried else []):
            names = [f"{name}_l{depth}" for name in network.cell.state_names]
            own |= dict(zip(names, layer, strict=True))
        named.append(own)
    return {f"resume.{name}": array for name, array in join_members(named).items()}


def _require_shapes(arrays: Arrays, shapes: Shapes, dtype: str) -> None:
    """Raise CheckpointError unless the arrays have these names and shapes."""
    require(arrays.keys() == shapes.keys(), "arrays are missing or unexpected")
    for name, shape in shapes.items():
        matches = arrays[name].shape == shape and arrays[name].dtype == dtype
        require(matches, f"{name} does not have the shape and type that the config asks for")


def _read_bytes(path: Path) -> bytes:
    # Check before opening, because opening a pipe would block until it has a writer.
    require(stat.S_ISREG(path.stat().st_mode), "not a regular file")
    with path.open("rb") as file:
        require(file.read(len(npz.MAGIC)) == npz.MAGIC, "it does not start like one")
        file.seek(0)
        return file.read()
