"""What several test files share: running the console script, and small trained models."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from charrnn import (
    Config,
    DataConfig,
    Event,
    Model,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    TrainingState,
    Vocabulary,
    split,
    train_events,
)
from charrnn.cli import main
from charrnn.text.pieces import flatten_pieces
from charrnn.text.split import split_pieces
from charrnn.training.state import initial_state
from charrnn.training.step import Trainer

if sys.platform != "win32":
    import termios

ROOT = Path(__file__).parent.parent
SCRIPTS = sysconfig.get_path("scripts")
CHARRNN = str(Path(SCRIPTS) / "charrnn")
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([SCRIPTS, os.environ["PATH"]]),
    "PYTHONWARNINGS": "error",
}
TEXT = "The cat sat on the mat. The dog dug in the bog.\n" * 40
BASH = shutil.which("bash") or "bash"
posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


class Done(subprocess.CompletedProcess[bytes]):
    """What a command did, as text."""

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()


def charrnn(*args: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> Done:
    done = subprocess.run(
        [CHARRNN, *map(str, args)],
        input=stdin, capture_output=True, check=False, cwd=cwd, env=ENVIRONMENT, timeout=120,
    )  # fmt: skip
    return Done(done.args, done.returncode, done.stdout, done.stderr)


def shell(command: str, cwd: Path | None = None) -> Done:
    """Run a line of bash, which fails if any part of a pipe does."""
    done = subprocess.run(
        [BASH, "-o", "pipefail", "-c", command],
        capture_output=True, check=False, cwd=cwd, env=ENVIRONMENT, timeout=120,
    )  # fmt: skip
    return Done(done.args, done.returncode, done.stdout, done.stderr)


class Stream(io.TextIOWrapper):
    """A standard stream in memory, which may pass for a terminal."""

    def __init__(self, data: bytes = b"", *, terminal: bool = False) -> None:
        self.held, self.terminal = io.BytesIO(data), terminal
        super().__init__(self.held, encoding="utf-8", newline="\n")

    def isatty(self) -> bool:
        return self.terminal

    def taken(self) -> bytes:
        self.flush()
        return self.held.getvalue()


def call(*args: str | Path, cwd: Path, terminal: bool = False, stdin: bytes = b"") -> Done:
    """Run charrnn in this process: for tests of many small runs, each too short to start Python."""
    out, err = Stream(terminal=terminal), Stream()
    words = ["charrnn", *map(str, args)]
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ),
        mock.patch.multiple(sys, argv=words, stdin=Stream(stdin), stdout=out, stderr=err),
        pytest.raises(SystemExit) as end,
    ):
        main()
    assert isinstance(end.value.code, int)
    return Done(words, end.value.code, out.taken(), err.taken())


def ok(*args: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> Done:
    done = charrnn(*args, stdin=stdin, cwd=cwd)
    assert done.returncode == 0, done.err
    return done


def fails(
    code: int, complaint: str, *args: str | Path, stdin: bytes = b"", cwd: Path | None = None
) -> Done:
    """Run a command that must fail with one clear line, a hint and nothing on stdout."""
    return check_failure(charrnn(*args, stdin=stdin, cwd=cwd), code, complaint)


def fails_in(code: int, complaint: str, *args: str | Path, cwd: Path) -> Done:
    """Run a command that must fail so, in this process."""
    return check_failure(call(*args, cwd=cwd), code, complaint)


def check_failure(done: Done, code: int, complaint: str) -> Done:
    lines = done.err.splitlines()
    errors = [line for line in lines if line.startswith("charrnn: error: ")]
    assert done.returncode == code, done.err
    assert len(errors) == 1, done.err
    assert complaint in errors[0]
    assert lines[-1].startswith("hint: "), done.err
    assert done.stdout == b""
    assert "Traceback" not in done.err
    return done


RUN = ["--hidden-size", "12", "--random-seed", "1", "--dropout", "0.2", "--seq-length", "8"]


@contextlib.contextmanager
def running(*args: str | Path, cwd: Path, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start charrnn, and make sure that it is gone in the end."""
    process = subprocess.Popen(
        [CHARRNN, *map(str, args)], cwd=cwd, env=ENVIRONMENT, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, **settings,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def on_a_terminal(*args: str | Path, cwd: Path, **environment: str) -> str:
    """Run charrnn with a terminal for its stdout and stderr, and return what it shows."""
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (40, 100))
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100", **environment}
    process = subprocess.Popen(
        [CHARRNN, *map(str, args)], cwd=cwd, stdin=subprocess.DEVNULL, stdout=follower,
        stderr=follower, env=environment,
    )  # fmt: skip
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while data := os.read(leader, 65536):
            shown += data
    os.close(leader)
    assert process.wait(60) == 0, shown
    return shown.decode()


def wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def logged_steps(log: Path) -> int:
    return log.read_text().count("\n") if log.exists() else 0


def same_arrays(one: Path, other: Path) -> None:
    """Require that two checkpoints are the same to the last bit, but for the seconds."""
    (first, losses), (second, others) = map(stored, (one, other))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert losses == others


def stored(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the weights and the training state of a checkpoint, and its losses."""
    model = Model.load(path)
    arrays = {name: array for name, array in model.arrays().items() if name != "header"}
    return arrays, [{**entry, "seconds": 0} for entry in model.history]


def process_children(pid: int) -> set[int]:
    """Return the processes whose parent is this one."""
    found = subprocess.run(
        ["ps", "--ppid", str(pid), "-o", "pid=,comm="],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    rows = [line.split() for line in found.stdout.splitlines()]
    return {int(number) for number, command in rows if command != "ps"}


CONFIG = Config(
    model=ModelConfig(cell="lstm", hidden_size=5, layers=2),
    data=DataConfig(seq_length=4, batch_size=3),
    run=RunConfig(seconds=None, steps=6, random_seed=3),
)
MIXED_TEXT = "été 👩‍👩‍👧\n\0[bold]" * 20


def train_text(
    state: TrainingState, config: Config, train_ids: Any, val_ids: Any
) -> Generator[Event, None, None]:
    """Train language models on ids."""
    return train_events(Trainer(config, train_ids, val_ids, state))


def trained(steps: int = 4, members: int = 1) -> Model:
    vocabulary = Vocabulary.from_text(MIXED_TEXT)
    ids = vocabulary.encode(MIXED_TEXT)
    config = replace(CONFIG, model=replace(CONFIG.model, members=members))
    state = initial_state(config, len(vocabulary))
    for event in train_text(state, config, ids[:-40], ids[-40:]):
        if event.step == steps:
            break
    return Model.of(config, vocabulary, state, sha256="abc")


Ids = np.ndarray[tuple[int], np.dtype[np.uint8]]
V = 7


def make_config(**settings: Any) -> Config:
    return Config(
        model=ModelConfig(
            hidden_size=settings.pop("hidden_size", 16),
            members=settings.pop("members", 1),
            dtype=settings.pop("dtype", "float32"),
            weight_drop=settings.pop("weight_drop", 0.0),
            cell=settings.pop("cell", "lstm"),
            dropout=settings.pop("dropout", 0.0),
            layers=settings.pop("layers", 1),
        ),
        data=DataConfig(
            seq_length=12,
            batch_size=8,
            stride=settings.pop("stride", None),
            separator=settings.pop("separator", None),
            val_fraction=settings.pop("val_fraction", 0.1),
        ),
        optimizer=OptimizerConfig(
            name=settings.pop("optimizer", "adam"),
            learning_rate=settings.pop("learning_rate", 0.01),
            schedule=settings.pop("schedule", "cosine"),
            clip_norm=settings.pop("clip_norm", 1.0),
            clip_value=settings.pop("clip_value", None),
        ),
        run=RunConfig(**({"seconds": None, "random_seed": 1} | settings)),
    )


def parts_of(config: Config, ids: Ids) -> tuple[Ids, Ids]:
    """Return what to train on and what is held out; character 0 ends a piece."""
    if config.data.end:
        return split_pieces(flatten_pieces(ids, 0), config.data.val_fraction, 1)
    return split(ids, config.data.val_fraction)


def run(config: Config, ids: Ids, state: TrainingState | None = None) -> TrainingState:
    """Train to the end and return the state."""
    state = state or initial_state(config, V)
    for _ in train_text(state, config, *parts_of(config, ids)):
        pass
    return state
