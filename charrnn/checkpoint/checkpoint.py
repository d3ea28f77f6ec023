"""A checkpoint: a trained model and the state to resume its training, in one .npz file.

Members, all stored uncompressed:

    header              see ``header``
    lines.seen          of a model of lines: filter of its lines; see ``generate.novelty``
    spans.seen          filter of the spans of the text; see ``generate.spans``
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
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import npz
from charrnn.checkpoint.bases import BASES, resolve_path
from charrnn.checkpoint.files import replacing
from charrnn.checkpoint.header import Header, NewerFormatError, Origin, require
from charrnn.config import Config
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.ngrams.kneser_ney import NGrams
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import LanguageModel, param_shapes, view_parameters
from charrnn.nn.stack import Shapes, make_cell
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.optimizers import OPTIMIZERS
from charrnn.training.state import History, Progress, TrainingState

Arrays = dict[str, NDArray[Any]]

MAGIC = npz.LOCAL_MAGIC
COMPACT_DTYPE = "float16"
SEEN = {"seen_lines": "lines.seen", "seen_spans": "spans.seen"}
NGRAM = "ngram."


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
    seen_lines: NDArray[np.uint8] | None = None
    seen_spans: NDArray[np.uint8] | None = None
    ngram: NGrams | None = None

    def __post_init__(self) -> None:
        if self.ngram is None and self.config.data.ngram:
            self.config = replace(self.config, data=replace(self.config.data, ngram=0))

    @classmethod
    def of(
        cls,
        config: Config,
        vocabulary: Vocabulary,
        state: TrainingState,
        **fields: Any,
    ) -> Self:
        """Return a checkpoint of a run in its current state, whose arrays are shared, not copied.

        fields   sha256, origin, seen_lines, seen_spans, ngram
        """
        best: Arrays = {}
        resume: Arrays = {}
        for member, prefix in enumerate(member_prefixes(len(state.networks))):
            network, own = state.networks[member], f"resume.{prefix}"
            for name, values in view_parameters(state.weights[member], network.shapes).items():
                best[prefix + name] = values
            resume[f"{own}weights"] = network.flat
            resume |= {own + name: slot for name, slot in state.slots[member].items()}
            for depth, layer in enumerate(state.carried[member] if state.carried else []):
                for name, part in zip(network.cell.state_names, layer, strict=True):
                    resume[f"{own}{name}_l{depth}"] = part
        return cls(config, vocabulary, best, resume, state.progress, state.history, **fields)

    def ensemble(self) -> Ensemble:
        """Return the networks, with a copy of these weights."""
        networks = []
        for prefix in member_prefixes(self.config.model.members):
            network = LanguageModel(self.config.model, len(self.vocabulary))
            for name, param in network.params.items():
                param[...] = self.weights[prefix + name]
            networks.append(network)
        return Ensemble(networks)

    def network(self) -> LanguageModel:
        """Return one network with the same predictions; see ``Ensemble.merge``."""
        return self.ensemble().merge()

    def training_state(self) -> TrainingState:
        """Return the training state to resume from.

        Raises CheckpointError for a model that has weights only.
        """
        if not self.resume:
            raise CheckpointError(
                "the checkpoint holds weights only, no run to resume",
                hint="start a new run from its weights: --from CHECKPOINT -o NEW.npz",
            )
        model, copies = self.config.model, {name: part.copy() for name, part in self.resume.items()}
        networks, slots, carried = [], [], []
        for prefix in member_prefixes(model.members):
            own = f"resume.{prefix}"
            network = LanguageModel(model, len(self.vocabulary), copies[f"{own}weights"])
            networks.append(network)
            slot_names = OPTIMIZERS[self.config.optimizer.name].slot_names
            slots.append({name: copies[own + name] for name in slot_names})
            if f"{own}h_l0" in copies:
                names, depths = network.cell.state_names, range(model.layers)
                carried.append([tuple(copies[f"{own}{n}_l{d}"] for n in names) for d in depths])
        is_tested = not math.isinf(self.progress.best_val_loss)
        best = [network.flat for network in self.ensemble().networks] if is_tested else None
        history = list(self.history)
        return TrainingState(networks, slots, self.progress, best, history, carried or None)

    def arrays(self) -> Arrays:
        """Return the named arrays of the file. Raises CheckpointError if they cannot be stored."""
        header = Header(
            self.config,
            self.vocabulary.characters,
            self.vocabulary.counts.tolist(),
            self.progress,
            self.history,
            self.sha256,
            self.origin,
        )
        arrays: Arrays = {"header": header.encode(), **self.extra_arrays()}
        weights = self.weights
        if not self.resume:
            with np.errstate(over="ignore"):
                weights = {name: values.astype(COMPACT_DTYPE) for name, values in weights.items()}
        for name, values in {**weights, **self.resume}.items():
            if not np.isfinite(values).all():
                wrong = "not finite" if self.resume else "too large for half precision"
                raise CheckpointError(f"has numbers in {name} that are {wrong}")
        return arrays | weights | self.resume

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
        with _read_errors(path):
            arrays = npz.read(_read_bytes(path))
            require("header" in arrays, "it has no header")
            header = Header.decode(arrays.pop("header"))
            for name, array in arrays.items():
                require(np.isfinite(array).all(), f"{name} holds numbers that are not finite")
            return cls._interpret(header, arrays)

    @classmethod
    def _interpret(cls, header: Header, arrays: Arrays) -> Self:
        """Return the checkpoint of a header and arrays, which must be what the config implies."""
        config, counts = header.config, np.array(header.counts, np.int64)
        vocabulary = Vocabulary(header.characters, counts)
        extra = pop_extra(arrays, len(vocabulary))
        resume = {name: array for name, array in arrays.items() if name.startswith("resume.")}
        weights = _weight_shapes(config, len(vocabulary))
        expected = weights | (_resume_shapes(config, weights, resume) if resume else {})
        dtype: str = config.model.dtype if resume else COMPACT_DTYPE
        require([*arrays] == [*expected], "arrays are missing or unexpected")
        for name, shape in expected.items():
            matches = arrays[name].shape == shape and arrays[name].dtype == dtype
            require(matches, f"{name} does not have the shape and type that the config asks for")
        return cls(
            config,
            vocabulary,
            {name: arrays[name].astype(config.model.dtype, copy=False) for name in weights},
            resume,
            header.progress,
            header.history,
            header.sha256,
            header.origin,
            **extra,
        )


def pop_extra(arrays: Arrays, vocab_size: int) -> dict[str, Any]:
    """Take the filters and ``ngram`` of a ``Checkpoint`` out of the arrays of a file."""
    filters = {field: arrays.pop(name, None) for field, name in SEEN.items()}
    for bits in filters.values():
        valid = bits is None or (bits.dtype == np.uint8 and bits.ndim == 1 and bits.size)
        require(valid, "a filter is not an array of bytes")
    names = [name for name in arrays if name.startswith(NGRAM)]
    tables = {name.removeprefix(NGRAM): arrays.pop(name) for name in names}
    ngram = NGrams.from_arrays(tables, vocab_size) if tables else None
    return {**filters, "ngram": ngram}


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Return True if a file starts like a checkpoint."""
    if not Path(path).is_file():  # opening a pipe would wait for its writer
        return False
    try:
        with Path(path).open("rb") as file:
            start = file.read(npz.LOCAL.size + len(b"header.npy"))
    except OSError:
        return False
    return start.startswith(MAGIC) and start.endswith(b"header.npy")


def member_prefixes(members: int) -> list[str]:
    """Return what stands before the names of each network's arrays."""
    return [""] if members == 1 else [f"m{member}." for member in range(members)]


def _weight_shapes(config: Config, vocab_size: int) -> Shapes:
    """Return the name and shape of the weights of all networks."""
    shapes, prefixes = param_shapes(config.model, vocab_size), member_prefixes(config.model.members)
    return {prefix + name: shape for prefix in prefixes for name, shape in shapes.items()}


def _resume_shapes(config: Config, weights: Shapes, resume: Arrays) -> Shapes:
    """Return the name and shape of every array of the training state."""
    model, expected = config.model, Shapes()
    size = sum(map(math.prod, weights.values())) // model.members
    carried = any(name.endswith(".h_l0") for name in resume)
    state_shape = (config.data.batch_size, model.hidden_size)
    state_names = make_cell(model.cell, model.nonlinearity).state_names
    for prefix in member_prefixes(model.members):
        for name in ("weights", *OPTIMIZERS[config.optimizer.name].slot_names):
            expected[f"resume.{prefix}{name}"] = (size,)
        for depth in range(model.layers if carried else 0):
            for name in state_names:
                expected[f"resume.{prefix}{name}_l{depth}"] = state_shape
    return expected


def _read_bytes(path: Path) -> bytes:
    # Check before opening, because opening a pipe would block until it has a writer.
    require(stat.S_ISREG(path.stat().st_mode), "not a regular file")
    with path.open("rb") as file:
        info = os.fstat(file.fileno())
        require(stat.S_ISREG(info.st_mode), "not a regular file")
        require(file.read(len(MAGIC)) == MAGIC, "it does not start like one")
        require(info.st_size <= npz.MAX_BYTES, "the file is too large")
        file.seek(0)
        return file.read(info.st_size + 1)


@contextlib.contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Turn every error while reading and interpreting a file into a CheckpointError."""
    hint = "checkpoints are the .npz files that 'charrnn train' writes"
    try:
        yield
    except FileNotFoundError:
        close = get_close_matches(str(path), BASES, 1)
        hint = f"did you mean {close[0]}?" if close else "make one: charrnn train corpus.txt"
        raise CheckpointError(f"{path}: no such checkpoint", hint=hint) from None
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}"
        raise CheckpointError(message, hint=hint) from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: does not fit into memory") from error
    except NewerFormatError as error:
        raise CheckpointError(f"{path}: {error}", hint="upgrade charrnn") from error
    except Exception as error:  # invalid bytes can make zip, npy and JSON readers raise anything
        known = isinstance(error, (npz.DamagedError, CharRNNError))
        raise CheckpointError(
            f"{path}: not a charrnn checkpoint, or damaged: {error if known else repr(error)}",
            hint=hint,
        ) from error
