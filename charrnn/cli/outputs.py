"""Files: what an option may replace, the log of a run, and how a run is saved whatever ends it."""

import errno
import json
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Literal, Self, TextIO

from charrnn.checkpoint.files import file_exists, replacing
from charrnn.cli.console import console, count
from charrnn.errors import CheckpointError, ConfigError, TrainingError
from charrnn.models.train import Run
from charrnn.parallel.processes import ENDING_SIGNALS
from charrnn.training.loop import Event

SAVE_EVERY_SECONDS = 30.0
# A second signal this soon after the first is the same key press.
SAME_PRESS_SECONDS = 0.5

FileKind = Literal["checkpoint", "log", "page", "figure", "weights"]
# What each is called, and how it begins. Weights are .npz, .onnx or .safetensors.
KINDS: dict[FileKind, tuple[str, bytes]] = {
    "checkpoint": ("a checkpoint", rb"PK\x03\x04.{26}header\.npy"),
    "log": ("a log of training", rb'\{"step": '),
    "page": ("a web page", rb"(?i)<!doctype html"),
    "figure": ("a figure", rb"%PDF|\x89PNG|.*<svg"),
    "weights": ("a file of weights", rb"PK\x03\x04(?!.{26}header\.npy)|\x08|.{8}\{"),
}


def check_output(
    path: Path | None,
    option: str,
    kind: FileKind,
    *,
    overwrite: bool,
    others: Iterable[str | Path | None] = (),
    resume: str = "",
) -> None:
    """Raise unless an output option may write this file: a new one, or one of its kind.

    others   files that the command reads, and its other outputs
    resume   what else can be done with an existing file of this kind

    Raises ConfigError for a terminal and for one of the others, CheckpointError for an existing
    file that may not be replaced.
    """
    if path is None:
        return
    called, pattern = KINDS[kind]
    if str(path) == "-":
        if console.shows_text:
            raise ConfigError(f"{called} is not for a terminal", hint=f"{option} FILE, or a pipe")
        return
    if path.resolve() in {Path(other).resolve() for other in others if other is not None}:
        raise ConfigError(
            f"{path}: {option} would replace what the same command uses",
            hint=f"give {option} another name",
        )
    hint = f"{option} writes elsewhere"
    if not file_exists(path, hint):
        return
    with path.open("rb") as file:
        head = file.read(1024)
    if head and not re.match(pattern, head, re.DOTALL):
        raise CheckpointError(f"{path}: exists and is not {called}", hint=hint)
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


def open_log(path: Path | None, steps_done: int) -> AbstractContextManager[TextIO | None]:
    """Open the log of a run that has done this many steps, whose lines stay; None: no log.

    Raises CheckpointError if the file cannot be opened.
    """
    if path is None:
        return nullcontext()
    try:
        if steps_done and path.is_file():  # a device keeps nothing
            _cut_log(path, steps_done)
        if not path.is_fifo():
            return path.open("a" if steps_done else "w", encoding="utf-8", buffering=1)
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # fails if nobody reads it
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
    except OSError as error:
        why = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
        message, hint = f"{path}: the log cannot be written: {why}", "choose another --log"
        raise CheckpointError(message, hint=hint) from error


def _cut_log(path: Path, steps_done: int) -> None:
    """Drop the steps that were logged but not saved: they are about to be done again."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        with suppress(ValueError, KeyError, TypeError):  # the last of a killed run may be half
            if json.loads(line)["step"] <= steps_done:
                kept.append(line)
    with replacing(path) as file:
        file.write("".join(kept).encode())


@contextmanager
def note_interrupt() -> Iterator[None]:
    """Say what Ctrl-C means outside of ``StopSignals``."""
    try:
        yield
    except KeyboardInterrupt:
        console.note("stopped before the first step: nothing is saved")
        raise


class StopSignals:
    """Context manager: the first signal is recorded in ``received``, the second ends the process.

    The handler writes nothing: it may have interrupted a write to the same stream.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._received_at = 0.0
        self._before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}

    def __enter__(self) -> Self:
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:  # nohup asked for it
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Return True if a signal was received."""
        return self.received is not None

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received, self._received_at = number, time.monotonic()
        elif time.monotonic() - self._received_at > SAME_PRESS_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


class Saver:
    """Context manager that saves a run: at its best, every 30 seconds, at its end, after an error.

    keep_old    whether the file has an older model, which stays until this one is validated
    last_step   the last step done; None before the first
    is_saved    whether the last call of ``save`` wrote the file
    """

    def __init__(self, run: Run, path: Path, *, keep_old: bool) -> None:
        self.run, self.path, self.keep_old = run, path, keep_old
        self.last_step: int | None = None
        self.is_saved = False
        self._saved_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        # Between two steps the state is good; in a step, ``train_events`` has restored it.
        is_good = self.last_step is not None or isinstance(error, TrainingError)
        has_steps = self.run.state.progress.step > 0
        if error is None or (isinstance(error, Exception) and is_good and has_steps):
            self.save()

    def save_after(self, event: Event) -> None:
        """Save after a step, if it is time."""
        self.last_step = event.step
        waited = time.monotonic() - self._saved_at
        if event.is_best or (event.is_complete and waited > SAVE_EVERY_SECONDS):
            self.save()
            self._saved_at = time.monotonic()

    def save(self) -> None:
        """Save, unless the older model is to stay."""
        progress = self.run.state.progress
        self.is_saved = progress.loss_count < progress.step or not self.keep_old
        if self.is_saved:
            self.run.model().save(self.path)
