"""The checkpoint: one .npz file that holds everything a model is.

Members, all stored uncompressed:

    header              UTF-8 JSON in a uint8 array: format, config, vocabulary with counts,
                        progress, history
    weight_ih_l0 ...    the weights to sample from, named as in torch.nn
    resume.weights      the latest weights, flat, and with them what else a run needs to go on:
    resume.<slot>       the optimiser's memory, flat
    resume.h_l0 ...     the carried hidden state of each layer (B, H), for contiguous streams

A file is written beside its target and renamed over it, so the target is the old one or the new one
at any moment. A file is not trusted when read: only the bytes that ``npz.write`` would write are
read, and names, shapes and types must be exactly those that its own config implies.
"""

import json
import math
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn import npz
from charrnn._version import __version__
from charrnn.cells import Array
from charrnn.config import Config
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.files import replacing
from charrnn.model import Model, param_shapes
from charrnn.optimizers import OPTIMIZERS
from charrnn.state import TrainingState
from charrnn.vocabulary import Vocabulary

FORMAT = 1
MAGIC = npz.LOCAL_MAGIC
MAX_NUMBER = 1e300
MAX_HEADER_BYTES = 1 << 25
MAX_HEADER_BRACKETS = 20_000
HEADER_KEYS = {
    "format",
    "charrnn",
    "config",
    "characters",
    "counts",
    "progress",
    "history",
    "sha256",
}
HISTORY_KEYS = {"step", "seconds", "progress", "train_loss", "val_loss"}


@dataclass
class Checkpoint:
    """A model with its vocabulary, and what is needed to train it further.

    weights     named arrays, the best seen while training
    resume      named arrays of the training state; see the module
    progress    the numbers of the training state
    history     losses in the course of training
    sha256      of the corpus
    """

    config: Config
    vocabulary: Vocabulary
    weights: dict[str, Array]
    resume: dict[str, Array]
    progress: dict[str, Any]
    history: list[dict[str, float | None]] = field(default_factory=list)
    sha256: str = ""

    @classmethod
    def of(
        cls, config: Config, vocabulary: Vocabulary, state: TrainingState, sha256: str = ""
    ) -> "Checkpoint":
        """Return the checkpoint of a training run as it stands. Arrays are shared, not copied."""
        best = Model(config.model, len(vocabulary))
        best.flat[...] = state.weights
        resume = {"weights": state.model.flat, **state.optimizer.slots}
        for layer, arrays in enumerate(state.carried or []):
            for name, array in zip(state.model.cell.state_names, arrays, strict=True):
                resume[f"{name}_l{layer}"] = array
        progress = {
            "step": state.step,
            "seconds": state.seconds,
            "optimizer_steps": state.optimizer.steps,
            "best_val_loss": None if math.isinf(state.best_val_loss) else state.best_val_loss,
            "stale": state.stale,
            "loss_total": state.loss_total,
            "loss_count": state.loss_count,
            "rate_scale": state.rate_scale,
        }
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
        state.model.flat[...] = self.resume["weights"]
        for name, slot in state.optimizer.slots.items():
            slot[...] = self.resume[name]
        state.optimizer.steps = self.progress["optimizer_steps"]
        if "h_l0" in self.resume:
            state.carried = [
                tuple(self.resume[f"{name}_l{layer}"] for name in state.model.cell.state_names)
                for layer in range(self.config.model.layers)
            ]
        state.step, state.seconds = self.progress["step"], self.progress["seconds"]
        state.stale, state.history = self.progress["stale"], list(self.history)
        state.loss_total = self.progress["loss_total"]
        state.loss_count = self.progress["loss_count"]
        state.rate_scale = self.progress["rate_scale"]
        if self.progress["best_val_loss"] is not None:
            state.best_val_loss = self.progress["best_val_loss"]
            state.best_weights = self.model().flat
        return state


def save(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically: a crash or a full disk leaves the old file as it was.

    Raises CheckpointError naming the path if it cannot be written.
    """
    header = {
        "format": FORMAT,
        "charrnn": __version__,
        "config": asdict(checkpoint.config),
        "characters": checkpoint.vocabulary.characters,
        "counts": checkpoint.vocabulary.counts.tolist(),
        "progress": checkpoint.progress,
        "history": checkpoint.history,
        "sha256": checkpoint.sha256,
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(text.encode(), np.uint8)}
    arrays |= checkpoint.weights
    arrays |= {f"resume.{name}": array for name, array in checkpoint.resume.items()}
    with replacing(Path(path)) as file:
        npz.write(file, arrays)


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Return True if a file starts like a checkpoint rather than like a text."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # reading a pipe would eat it
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint.

    Raises CheckpointError for a file that cannot be read, is not a checkpoint, or is damaged; no
    other exception, whatever the bytes.
    """
    try:
        return _load(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path}: no such checkpoint", hint="make one: charrnn train corpus.txt"
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}",
            hint="checkpoints are the .npz files that 'charrnn train' writes",
        ) from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: does not fit into memory") from error
    except _NewerFormatError as error:
        raise CheckpointError(f"{path}: {error}", hint="upgrade charrnn") from error
    except Exception as error:  # bytes can make the zip, npy and JSON readers raise anything
        reason = (
            str(error)
            if isinstance(error, (_Damaged, npz.DamagedError, CharRNNError))
            else repr(error)
        )
        raise CheckpointError(
            f"{path}: not a charrnn checkpoint, or damaged: {reason}",
            hint="checkpoints are the .npz files that 'charrnn train' writes",
        ) from error


class _Damaged(Exception):  # noqa: N818
    """Why a file is refused."""


class _NewerFormatError(Exception):
    """The file is of a later charrnn."""


def _require(condition: bool, reason: str) -> None:  # noqa: FBT001
    if not condition:
        raise _Damaged(reason)


def _load(path: str | os.PathLike[str]) -> Checkpoint:
    with Path(path).open("rb") as file:
        info = os.fstat(file.fileno())
        _require(stat.S_ISREG(info.st_mode), "not a regular file")
        _require(file.read(len(MAGIC)) == MAGIC, "it does not start like one")
        _require(info.st_size <= npz.MAX_BYTES, "the file is too large")
        file.seek(0)
        arrays = npz.read(file.read(info.st_size + 1))
    _require("header" in arrays, "it has no header")
    header = _read_header(arrays.pop("header"))
    version = header.get("format")
    if type(version) is not int:
        raise _Damaged("the header names no format")
    if version > FORMAT:
        raise _NewerFormatError(f"format {version}, this charrnn reads up to {FORMAT}")
    _require(header.keys() == HEADER_KEYS, "the header has missing or unexpected entries")
    checkpoint = _interpret(header, arrays)
    for name, array in arrays.items():
        _require(bool(np.isfinite(array).all()), f"{name} holds numbers that are not finite")
    return checkpoint


def _read_header(array: NDArray[Any]) -> dict[str, Any]:
    _require(array.dtype == np.uint8 and array.ndim == 1, "the header is not a text")
    _require(array.size <= MAX_HEADER_BYTES, "the header is too long")
    text = array.tobytes()
    # Nested lists are the one kind of JSON that takes far more memory than it has bytes.
    _require(text.count(b"[") + text.count(b"{") <= MAX_HEADER_BRACKETS, "the header is too deep")
    header = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    _require(isinstance(header, dict), "the header is not an object")
    return header  # type: ignore[no-any-return]


def _refuse_constant(name: str) -> float:
    raise _Damaged(f"the header holds {name}")


def _interpret(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Checkpoint:
    config = Config.from_dict(header["config"])
    characters, counts = header["characters"], header["counts"]
    _require(isinstance(characters, str), "characters must be a text")
    _require(
        isinstance(counts, list) and all(type(n) is int and 0 <= n < 2**53 for n in counts),
        "counts must be whole numbers",
    )
    vocabulary = Vocabulary(characters, np.array(counts, np.int64))
    shapes = param_shapes(config.model, len(vocabulary))
    expected = shapes | _resume_shapes(config, shapes, carried="resume.h_l0" in arrays)
    _require([*arrays] == [*expected], "arrays are missing or unexpected")
    for name, shape in expected.items():
        matches = arrays[name].shape == shape and arrays[name].dtype == config.model.dtype
        _require(matches, f"{name} does not have the shape and type that the config asks for")
    weights = {name: arrays[name] for name in shapes}
    resume = {
        name.removeprefix("resume."): array
        for name, array in arrays.items()
        if name.startswith("resume.")
    }
    progress = _checked_progress(header["progress"])
    history = header["history"]
    _require(
        isinstance(history, list) and all(_is_history_entry(entry) for entry in history),
        "the history is not a list of losses",
    )
    _require(isinstance(header["sha256"], str), "the hash of the corpus is not a text")
    return Checkpoint(config, vocabulary, weights, resume, progress, history, header["sha256"])


def _resume_shapes(
    config: Config, shapes: dict[str, tuple[int, ...]], *, carried: bool
) -> dict[str, tuple[int, ...]]:
    size = sum(math.prod(shape) for shape in shapes.values())
    slots = OPTIMIZERS[config.optimizer.name].slot_names
    expected: dict[str, tuple[int, ...]] = {
        f"resume.{name}": (size,) for name in ("weights", *slots)
    }
    if carried:
        state_names = ("h", "c") if config.model.cell == "lstm" else ("h",)
        state_shape = (config.data.batch_size, config.model.hidden_size)
        expected |= {
            f"resume.{name}_l{layer}": state_shape
            for layer in range(config.model.layers)
            for name in state_names
        }
    return expected


def _is_number(value: object) -> bool:
    # Python compares integers of any length with floats exactly; isfinite would overflow.
    return isinstance(value, (int, float)) and -MAX_NUMBER < value < MAX_NUMBER


def _checked_progress(progress: Any) -> dict[str, Any]:  # noqa: ANN401
    counts = ("step", "optimizer_steps", "stale", "loss_count")
    keys = {*counts, "seconds", "best_val_loss", "loss_total", "rate_scale"}
    _require(isinstance(progress, dict) and progress.keys() == keys, "the progress is incomplete")
    for key in counts:
        value = progress[key]
        _require(type(value) is int and 0 <= value < 2**53, f"{key} must be a whole number")
    best = progress["best_val_loss"]
    for key in ("seconds", "loss_total", "rate_scale"):
        _require(_is_number(progress[key]), f"{key} must be a number")
    _require(0 < progress["rate_scale"] <= 1, "rate_scale must be above 0 and at most 1")
    _require(best is None or _is_number(best), "best_val_loss must be a number")
    return progress  # type: ignore[no-any-return]


def _is_history_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == HISTORY_KEYS
        and all(value is None or _is_number(value) for value in entry.values())
    )
