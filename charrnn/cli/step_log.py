"""The log of a training run: one JSON object per step."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TextIO

from charrnn.checkpoint.files import replacing
from charrnn.errors import CheckpointError
from charrnn.training.loop import Event


class StepLog:
    """Context manager around a log file; without a path, it swallows what it is given.

    path         the file; None for no log
    steps_done   steps of the run that are done: the log goes on behind them
    warn         told when the log can no longer be written

    Raises CheckpointError if the file cannot be opened.
    """

    def __init__(self, path: Path | None, steps_done: int, warn: Callable[[str], None]) -> None:
        self.path, self._warn = path, warn
        self._file: TextIO | None = None
        if path is None:
            return
        try:
            if steps_done:
                _cut(path, steps_done)
            self._file = path.open("a" if steps_done else "w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise CheckpointError(
                f"{path}: the log cannot be written: {error.strerror}", hint="choose another --log"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def write(self, event: Event) -> None:
        """Write a line for a step."""
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(_record(event)) + "\n")
        except OSError as error:
            # A full disk must not end a run whose checkpoint lies on another.
            self._warn(f"warning: {self.path}: logging stops: {error.strerror}")
            with suppress(OSError):
                self._file.close()
            self._file = None


def _record(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = {
        "step": event.step,
        "epoch": event.epoch,
        "seconds": round(event.seconds, 4),
        "train_loss": event.train_loss,
        "learning_rate": event.learning_rate,
        "grad_norm": event.grad_norm,
        "chars_per_s": round(event.chars_per_s, 1),
    }
    if event.val_loss is not None:
        record["val_loss"] = event.val_loss
    if event.rollback is not None:
        record["rollback"] = event.rollback
    return record


def _cut(path: Path, steps_done: int) -> None:
    """Drop the steps that were logged but not saved: they are about to be done again."""
    if not path.is_file():  # or a device, which keeps nothing
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            if json.loads(line)["step"] > steps_done:
                break
        except (ValueError, KeyError, TypeError):  # the last line of a killed run may be half
            break
        kept.append(line)
    with replacing(path) as file:
        file.write("".join(kept).encode())
