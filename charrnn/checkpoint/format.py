"""What all checkpoints have in common: a header and named arrays in one .npz file.

Members, all stored uncompressed:

    header              UTF-8 JSON in a uint8 array: format, kind, config, progress, history and
                        what the kind of model adds
    weight_ih_l0 ...    the weights to use, named as in torch.nn
    resume.weights      the latest weights, flat, and with them what else a run needs to go on:
    resume.<slot>       the optimiser's memory, flat

A file is written beside its target and renamed over it, so the target is the old one or the new one
at any moment. A file is not trusted when read: only the bytes that ``npz.write`` would write are
read, and names, shapes and types must be exactly those that its own config implies.
"""

import json
import math
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from charrnn._version import __version__
from charrnn.checkpoint import npz
from charrnn.checkpoint.files import replacing
from charrnn.config import ClassifierConfig, Config, ModelConfig
from charrnn.errors import CharRNNError, CheckpointError
from charrnn.nn.cells import Array
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.optimizers import OPTIMIZERS
from charrnn.training.state import RunState

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

# A generator's header has no kind: there was none when format 1 was made. Others have it at the
# beginning, within so many bytes of the file.
KIND_BYTES = 512
Kind = Literal["generator", "classifier"]
KINDS: dict[str, tuple[str, str]] = {
    "generator": ("a model that writes", "charrnn sample -c"),
    "classifier": ("a classifier", "charrnn classify"),
}

AnyConfig = TypeVar("AnyConfig", Config, ClassifierConfig)
Loaded = TypeVar("Loaded")


@dataclass
class Saved(Generic[AnyConfig]):
    """What every checkpoint holds.

    weights     named arrays, the best seen while training
    resume      named arrays of the training state; see the module
    progress    the numbers of the training state
    history     losses in the course of training
    sha256      of what it was trained on
    """

    config: AnyConfig
    vocabulary: Vocabulary
    weights: dict[str, Array]
    resume: dict[str, Array]
    progress: dict[str, Any]
    history: list[dict[str, float | None]] = field(default_factory=list)
    sha256: str = ""

    def save(self, path: str | os.PathLike[str], **more: object) -> None:
        """Write a file atomically, with more entries in its header; see the module."""
        header = {
            "format": FORMAT,
            **more,
            "charrnn": __version__,
            "config": asdict(self.config),
            "characters": self.vocabulary.characters,
            "counts": self.vocabulary.counts.tolist(),
            "progress": self.progress,
            "history": self.history,
            "sha256": self.sha256,
        }
        text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
        if len(text) > MAX_HEADER_BYTES or _brackets(text) > MAX_HEADER_BRACKETS:
            raise CheckpointError(f"{path}: names and history are too much for a checkpoint")
        arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(text, np.uint8)}
        arrays |= self.weights
        arrays |= {f"resume.{name}": array for name, array in self.resume.items()}
        with replacing(Path(path)) as file:
            npz.write(file, arrays)

    def restore(self, state: RunState, best: Array) -> None:
        """Bring a fresh state to where the run was.

        best   the weights that were kept, flat
        """
        state.model.flat[...] = self.resume["weights"]
        for name, slot in state.optimizer.slots.items():
            slot[...] = self.resume[name]
        progress = self.progress
        state.optimizer.steps = progress["optimizer_steps"]
        state.step, state.seconds = progress["step"], progress["seconds"]
        state.stale, state.history = progress["stale"], list(self.history)
        state.loss_total, state.loss_count = progress["loss_total"], progress["loss_count"]
        state.rate_scale = progress["rate_scale"]
        if progress["best_val_loss"] is not None:
            state.best_val_loss, state.best_weights = progress["best_val_loss"], best


def resume_arrays(state: RunState) -> dict[str, Array]:
    """Return the arrays that a run needs to go on. Shared, not copied."""
    return {"weights": state.model.flat, **state.optimizer.slots}


def progress_of(state: RunState) -> dict[str, Any]:
    """Return the numbers that a run needs to go on."""
    return {
        "step": state.step,
        "seconds": state.seconds,
        "optimizer_steps": state.optimizer.steps,
        "best_val_loss": None if math.isinf(state.best_val_loss) else state.best_val_loss,
        "stale": state.stale,
        "loss_total": state.loss_total,
        "loss_count": state.loss_count,
        "rate_scale": state.rate_scale,
    }


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Return True if a file starts like a checkpoint rather than like a text."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # reading a pipe would eat it
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def kind_of(path: str | os.PathLike[str]) -> Kind | None:
    """Return what kind of checkpoint a file seems to be, by its first bytes; None: not any."""
    try:
        if not is_checkpoint(path):
            return None
        with Path(path).open("rb") as file:
            start = file.read(KIND_BYTES)
    except OSError:
        return None
    if not start[npz.LOCAL.size :].startswith(b"header.npy"):
        return None
    return "classifier" if b'"kind": "classifier"' in start else "generator"


def load(
    path: str | os.PathLike[str],
    kind: Kind,
    interpret: Callable[[dict[str, Any], dict[str, NDArray[Any]]], Loaded],
) -> Loaded:
    """Read a file of a kind; ``interpret`` makes a checkpoint of its header and arrays.

    Raises CheckpointError for a file that cannot be read, is not such a checkpoint, or is damaged;
    no other exception, whatever the bytes.
    """
    made_by = "charrnn train" if kind == "generator" else "charrnn train-classifier"
    try:
        header, arrays = _read(path)
        found = header.pop("kind", "generator")
        if found != kind and isinstance(found, str) and found in KINDS:
            what, use = KINDS[found]
            raise CheckpointError(  # noqa: TRY301  # as it is, not as one of the errors below
                f"{path}: is {what}", hint=f"{use} {path}"
            )
        require(found == kind, "it is of a kind that this charrnn does not know")
        return interpret(header, arrays)
    except CheckpointError:
        raise
    except FileNotFoundError:
        example = "corpus.txt" if kind == "generator" else "labelled.tsv"
        raise CheckpointError(
            f"{path}: no such checkpoint", hint=f"make one: {made_by} {example}"
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}",
            hint=f"checkpoints are the .npz files that '{made_by}' writes",
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
            hint=f"checkpoints are the .npz files that '{made_by}' writes",
        ) from error


class _Damaged(Exception):  # noqa: N818
    """Why a file is refused."""


class _NewerFormatError(Exception):
    """The file is of a later charrnn."""


def require(condition: bool, reason: str) -> None:  # noqa: FBT001
    """Refuse a file for a reason, while it is being interpreted."""
    if not condition:
        raise _Damaged(reason)


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    # Before it is opened, for that would wait for the writer of a pipe.
    require(stat.S_ISREG(Path(path).stat().st_mode), "not a regular file")
    with Path(path).open("rb") as file:
        info = os.fstat(file.fileno())
        require(stat.S_ISREG(info.st_mode), "not a regular file")
        require(file.read(len(MAGIC)) == MAGIC, "it does not start like one")
        require(info.st_size <= npz.MAX_BYTES, "the file is too large")
        file.seek(0)
        arrays = npz.read(file.read(info.st_size + 1))
    require("header" in arrays, "it has no header")
    header = _read_header(arrays.pop("header"))
    version = header.get("format")
    if type(version) is not int:
        raise _Damaged("the header names no format")
    if version > FORMAT:
        raise _NewerFormatError(f"format {version}, this charrnn reads up to {FORMAT}")
    for name, array in arrays.items():
        require(bool(np.isfinite(array).all()), f"{name} holds numbers that are not finite")
    return header, arrays


def _read_header(array: NDArray[Any]) -> dict[str, Any]:
    require(array.dtype == np.uint8 and array.ndim == 1, "the header is not a text")
    require(array.size <= MAX_HEADER_BYTES, "the header is too long")
    text = array.tobytes()
    # Nested lists are the one kind of JSON that takes far more memory than it has bytes.
    require(_brackets(text) <= MAX_HEADER_BRACKETS, "the header is too deep")
    header = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    require(isinstance(header, dict), "the header is not an object")
    return header  # type: ignore[no-any-return]


def _brackets(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _refuse_constant(name: str) -> float:
    raise _Damaged(f"the header holds {name}")


def checked_vocabulary(header: dict[str, Any]) -> Vocabulary:
    """Return the vocabulary in a header."""
    characters, counts = header["characters"], header["counts"]
    require(isinstance(characters, str), "characters must be a text")
    require(
        isinstance(counts, list) and all(type(n) is int and 0 <= n < 2**53 for n in counts),
        "counts must be whole numbers",
    )
    return Vocabulary(characters, np.array(counts, np.int64))


def resume_shapes(optimizer: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Return name and shape of the arrays that ``resume_arrays`` gives for such weights."""
    size = sum(math.prod(shape) for shape in shapes.values())
    names = ("weights", *OPTIMIZERS[optimizer].slot_names)
    return {f"resume.{name}": (size,) for name in names}


def checked_arrays(
    arrays: dict[str, NDArray[Any]],
    model: ModelConfig,
    weights: dict[str, tuple[int, ...]],
    resume: dict[str, tuple[int, ...]],
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return weights and resume arrays if they are exactly those expected."""
    expected = weights | resume
    require([*arrays] == [*expected], "arrays are missing or unexpected")
    for name, shape in expected.items():
        matches = arrays[name].shape == shape and arrays[name].dtype == model.dtype
        require(matches, f"{name} does not have the shape and type that the config asks for")
    return (
        {name: arrays[name] for name in weights},
        {name.removeprefix("resume."): arrays[name] for name in resume},
    )


def _is_number(value: object) -> bool:
    # Python compares integers of any length with floats exactly; isfinite would overflow.
    return isinstance(value, (int, float)) and -MAX_NUMBER < value < MAX_NUMBER


def checked_progress(header: dict[str, Any]) -> dict[str, Any]:
    """Return the progress in a header."""
    progress = header["progress"]
    counts = ("step", "optimizer_steps", "stale", "loss_count")
    keys = {*counts, "seconds", "best_val_loss", "loss_total", "rate_scale"}
    require(isinstance(progress, dict) and progress.keys() == keys, "the progress is incomplete")
    for key in counts:
        value = progress[key]
        require(type(value) is int and 0 <= value < 2**53, f"{key} must be a whole number")
    best = progress["best_val_loss"]
    for key in ("seconds", "loss_total", "rate_scale"):
        require(_is_number(progress[key]), f"{key} must be a number")
    require(0 < progress["rate_scale"] <= 1, "rate_scale must be above 0 and at most 1")
    require(best is None or _is_number(best), "best_val_loss must be a number")
    return progress  # type: ignore[no-any-return]


def checked_history(header: dict[str, Any]) -> list[dict[str, float | None]]:
    """Return the history in a header."""
    history = header["history"]
    require(
        isinstance(history, list) and all(_is_history_entry(entry) for entry in history),
        "the history is not a list of losses",
    )
    require(isinstance(header["sha256"], str), "the hash of the corpus is not a text")
    return history  # type: ignore[no-any-return]


def _is_history_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == HISTORY_KEYS
        and all(value is None or _is_number(value) for value in entry.values())
    )
