"""The checkpoint format: a JSON header and named arrays in one .npz file.

Members, all stored uncompressed:

    header              UTF-8 JSON in a uint8 array: format, config, progress, history and
                        more
    weight_ih_l0 ...    the weights to use, named as in torch.nn
    resume.weights      the latest weights, flat; this and the following are for resuming
    resume.<slot>       the state of the optimizer, flat
    resume.h_l0 ...     the carried hidden state of each layer, (B, H), for contiguous streams

A compact file has only the header and the weights, in half precision (float16). It is an eighth of
the size, and enough to sample, to score and to start a new run from, but not to resume a run.

The entry "charrnn" of the header is the version that wrote the file or, since ``origin`` was added,
an object with the version and where the model comes from; no version requires anything of it.

Files are not trusted: the reader accepts only bytes that ``npz.write`` could have written, and the
names, shapes and types must be exactly those implied by the config in the file.

A setting added in a later version is left out of the file if it has the value that means the old
behavior, so that earlier versions can read the file. A change in the meaning of a file increments
FORMAT.
"""

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import npz
from charrnn.checkpoint.bases import BASES
from charrnn.errors import CharRNNError, CheckpointError, UnknownSettingError
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.state import History, Progress

# Format 2 is for files with weights only; a file with a training state still has format 1.
FORMAT, WEIGHTS_ONLY_FORMAT = 1, 2
WEIGHTS_ONLY_DTYPE = "float16"
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

# What losses are measured in.
LOSS_UNIT = "nats per character"

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Return True if a file starts like a checkpoint."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # do not consume a pipe
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def is_model(path: str | os.PathLike[str]) -> bool:
    """Return True if a file starts like the checkpoint of a model."""
    try:
        if not is_checkpoint(path):
            return False
        with Path(path).open("rb") as file:
            start = file.read(npz.LOCAL.size + len(b"header.npy"))
    except OSError:
        return False
    return start.endswith(b"header.npy")


def encode_header(header: Header) -> NDArray[np.uint8]:
    """Return a header as bytes. Raises CheckpointError if it exceeds the limits of the reader."""
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode()
    if len(text) > MAX_HEADER_BYTES or _brackets(text) > MAX_HEADER_BRACKETS:
        raise CheckpointError("names and history are too much for a checkpoint")
    return np.frombuffer(text, np.uint8)


@contextlib.contextmanager
def read_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn every error while reading and interpreting a file into a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except FileNotFoundError:
        close = get_close_matches(str(path), BASES, 1)
        hint = f"did you mean {close[0]}?" if close else "make one: charrnn train corpus.txt"
        raise CheckpointError(f"{path}: no such checkpoint", hint=hint) from None
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read: {error.strerror or error}", hint=_HINT
        ) from error
    except MemoryError as error:
        raise CheckpointError(f"{path}: does not fit into memory") from error
    except (_NewerFormatError, UnknownSettingError) as error:
        raise CheckpointError(f"{path}: {error}", hint="upgrade charrnn") from error
    except Exception as error:  # invalid bytes can make zip, npy and JSON readers raise anything
        known = isinstance(error, (_Damaged, npz.DamagedError, CharRNNError))
        raise CheckpointError(
            f"{path}: not a charrnn checkpoint, or damaged: {error if known else repr(error)}",
            hint=_HINT,
        ) from error


_HINT = "checkpoints are the .npz files that 'charrnn train' writes"


class _Damaged(Exception):  # noqa: N818
    """The reason why a file is rejected."""


class _NewerFormatError(Exception):
    """The file was written by a later version of charrnn."""


def require(condition: bool, reason: str) -> None:  # noqa: FBT001
    """Reject a file, for this reason, unless the condition holds."""
    if not condition:
        raise _Damaged(reason)


def read(path: str | os.PathLike[str]) -> tuple[Header, Arrays]:
    """Return header and arrays of a file. Call it within ``read_errors``."""
    # Check before opening, because opening a pipe would block until it has a writer.
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
    if version > WEIGHTS_ONLY_FORMAT:
        raise _NewerFormatError(f"format {version}, this charrnn reads up to {WEIGHTS_ONLY_FORMAT}")
    for name, array in arrays.items():
        require(bool(np.isfinite(array).all()), f"{name} holds numbers that are not finite")
    return header, arrays


def _read_header(array: NDArray[Any]) -> dict[str, Any]:
    require(array.dtype == np.uint8 and array.ndim == 1, "the header is not a text")
    require(array.size <= MAX_HEADER_BYTES, "the header is too long")
    text = array.tobytes()
    # Nested lists are the only JSON that needs far more memory than it has bytes.
    require(_brackets(text) <= MAX_HEADER_BRACKETS, "the header is too deep")
    header = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    require(isinstance(header, dict), "the header is not an object")
    return header  # type: ignore[no-any-return]


def _brackets(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _refuse_constant(name: str) -> float:
    raise _Damaged(f"the header holds {name}")


def checked_vocabulary(header: Header) -> Vocabulary:
    """Return the vocabulary stored in a header, after checking it."""
    characters, counts = header["characters"], header["counts"]
    require(isinstance(characters, str), "characters must be a text")
    require(
        isinstance(counts, list) and all(type(n) is int and 0 <= n < 2**53 for n in counts),
        "counts must be whole numbers",
    )
    return Vocabulary(characters, np.array(counts, np.int64))


def checked_arrays(
    arrays: Arrays,
    dtype: str,
    weights: dict[str, tuple[int, ...]],
    resume: dict[str, tuple[int, ...]],
) -> tuple[Arrays, Arrays]:
    """Return weights and resume arrays, after checking that they are exactly those expected."""
    expected = weights | resume
    require([*arrays] == [*expected], "arrays are missing or unexpected")
    for name, shape in expected.items():
        matches = arrays[name].shape == shape and arrays[name].dtype == dtype
        require(matches, f"{name} does not have the shape and type that the config asks for")
    return (
        {name: arrays[name] for name in weights},
        {name.removeprefix("resume."): arrays[name] for name in resume},
    )


def _is_number(value: object) -> bool:
    # Python compares integers of any size with floats exactly; isfinite would overflow.
    return isinstance(value, (int, float)) and -MAX_NUMBER < value < MAX_NUMBER


def progress_entry(progress: Progress) -> dict[str, Any]:
    """Return the progress as a header entry."""
    entry = asdict(progress)
    entry["stale"] = entry.pop("evaluations_since_best")  # its name in format 1
    if math.isinf(progress.best_val_loss):
        entry["best_val_loss"] = None
    return entry


def checked_progress(header: Header) -> Progress:
    """Return the progress stored in a header, after checking it."""
    entry = header["progress"]
    counts = ("step", "optimizer_steps", "stale", "loss_count")
    keys = {*counts, "seconds", "best_val_loss", "loss_total", "rate_scale"}
    require(isinstance(entry, dict) and entry.keys() == keys, "the progress is incomplete")
    for key in counts:
        value = entry[key]
        require(type(value) is int and 0 <= value < 2**53, f"{key} must be a whole number")
    best = entry["best_val_loss"]
    for key in ("seconds", "loss_total", "rate_scale"):
        require(_is_number(entry[key]), f"{key} must be a number")
    require(0 < entry["rate_scale"] <= 1, "rate_scale must be above 0 and at most 1")
    require(best is None or _is_number(best), "best_val_loss must be a number")
    others = {name: entry[name] for name in keys - {"stale", "best_val_loss"}}
    return Progress(
        **others,
        evaluations_since_best=entry["stale"],
        best_val_loss=math.inf if best is None else best,
    )


def checked_history(header: Header) -> History:
    """Return the history stored in a header, after checking it."""
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
