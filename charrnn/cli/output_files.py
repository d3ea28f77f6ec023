"""What an output option may replace: a file of its own kind, with --overwrite, and no input."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from charrnn.checkpoint.checkpoint import is_checkpoint
from charrnn.checkpoint.files import file_exists, replacing
from charrnn.cli.console import console, count
from charrnn.errors import CheckpointError, ConfigError

FileKind = Literal["checkpoint", "log", "page", "figure", "weights"]

NAMES: dict[FileKind, str] = {
    "checkpoint": "a checkpoint",
    "log": "a log of training",
    "page": "a web page",
    "figure": "a figure",
    "weights": "a file of weights",
}
HEAD_BYTES = 1024


def check_output(
    path: Path | None,
    option: str,
    kind: FileKind,
    *,
    overwrite: bool,
    others: Iterable[str | Path | None] = (),
    resume: str = "",
) -> None:
    """Raise unless an output option may write this file.

    path        the file; None and devices: there is nothing to replace; "-": stdout
    option      as the user writes it
    kind        what the option writes, and so what it may replace
    overwrite   an existing file of this kind may be replaced
    others      files that the command reads, and its other outputs
    resume      what else can be done with an existing file of this kind

    Raises ConfigError for a terminal and for a file that is one of the others, CheckpointError for
    one of another kind, and for an existing one unless it may be replaced.
    """
    if path is not None and str(path) == "-" and console.shows_text:
        raise ConfigError(f"{NAMES[kind]} is not for a terminal", hint=f"{option} FILE, or a pipe")
    if path is None or str(path) == "-":
        return
    if any(_is_same(path, other) for other in others if other is not None):
        raise ConfigError(
            f"{path}: {option} would replace what the same command uses",
            hint=f"give {option} another name",
        )
    if not file_exists(path):
        return
    hint = f"{option} writes elsewhere"
    if not is_of_kind(path, kind):
        raise CheckpointError(f"{path}: exists and is not {NAMES[kind]}", hint=hint)
    if not overwrite:
        hint = f"{resume}--overwrite replaces it, {hint}"
        raise CheckpointError(f"{path}: exists already", hint=hint)


def write_output(path: Path, data: bytes, about: str = "") -> None:
    """Write a file or, for "-", stdout; of a file, say so, and what else there is to say."""
    if str(path) == "-":
        console.write_bytes(data)
        return
    with replacing(path) as file:
        file.write(data)
    console.note(f"written: {path}, {count(len(data), 'byte')}{about}")


def is_of_kind(path: Path, kind: FileKind) -> bool:
    """Return True if a file begins like one that charrnn writes, or is empty."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    zipped = head.startswith(b"PK\x03\x04") and not is_checkpoint(path)
    return (
        not head
        or {
            "checkpoint": is_checkpoint(path),
            "log": head.startswith(b'{"step": '),
            "page": head.lower().startswith(b"<!doctype html"),
            "figure": head.startswith((b"%PDF", b"\x89PNG")) or b"<svg" in head,
            "weights": zipped or head.startswith(b"\x08") or head[8:9] == b"{",  # .npz, .onnx, ...
        }[kind]
    )


def _is_same(path: Path, other: str | Path) -> bool:
    if str(other) == "-":
        return False
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one does not exist
        return path.resolve() == Path(other).resolve()
