"""What every command that trains does: guard the file, iterate over the events, save, tell."""

import shlex
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from charrnn.checkpoint.files import check_writable, exclusive
from charrnn.checkpoint.format import KINDS, Kind, kind_of
from charrnn.cli import terminal
from charrnn.cli.report import program
from charrnn.cli.run_config import CHANGEABLE, AnyConfig, Given, option, refused
from charrnn.cli.signals import StopSignals
from charrnn.cli.step_log import StepLog
from charrnn.config import RunConfig
from charrnn.errors import CheckpointError, ConfigError, TrainingError
from charrnn.parallel.group import start_method
from charrnn.training.loop import Event
from charrnn.training.state import RunState

SAVE_EVERY_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Display:
    """What a run shows, and where."""

    quiet: bool
    verbose: bool
    as_json: bool
    log: Path | None
    sample_every: int | None = None


@dataclass(kw_only=True)
class Run:
    """One call of a command that trains.

    kind     of the checkpoint that it writes
    corpus   files to learn from; - is stdin
    given    the options that the user gave, by part of the config
    """

    kind: ClassVar[Kind]

    corpus: list[str]
    encoding: str
    output: Path
    given: Given
    display: Display

    def __post_init__(self) -> None:
        if str(self.output) == "-":
            raise ConfigError("a checkpoint cannot go to stdout", hint="-o takes a file name")
        sources = {Path(path).resolve() for path in self.corpus if path != "-"}
        if self.output.resolve() in sources:
            raise ConfigError(
                f"{self.output}: is what is to be learnt from", hint="-o writes elsewhere"
            )
        log = self.display.log
        others = [Path(path).resolve() for path in [*self.corpus, str(self.output)]]
        if log is not None and log.resolve() in others:
            raise ConfigError(f"{log}: --log would overwrite it", hint="choose another --log")

    @contextmanager
    def writing(self, *, overwrite: bool) -> Iterator[None]:
        """Hold the file of a new run. Raises CheckpointError if it may not be written."""
        found = kind_of(self.output)
        if found is not None and found != self.kind:
            raise CheckpointError(
                f"{self.output}: is {KINDS[found][0]}", hint="-o writes elsewhere"
            )
        if self.output.exists() and not self.output.is_dir() and not overwrite:
            raise CheckpointError(
                f"{self.output}: exists already",
                hint="--resume goes on with it, --overwrite replaces it, -o writes elsewhere",
            )
        check_writable(self.output)
        with exclusive(self.output):
            yield

    @contextmanager
    def resuming(self) -> Iterator[None]:
        """Hold the file of a run that goes on. Raises CheckpointError if there is none."""
        if not self.output.exists():
            raise CheckpointError(
                f"{self.output}: no such checkpoint: there is nothing to resume",
                hint="leave out --resume to start a new run",
            )
        check_writable(self.output)
        with exclusive(self.output):
            yield

    def require_same_run(self, config: AnyConfig, stored: AnyConfig) -> None:
        """Raise ConfigError if a resumed run would become another one."""
        if changed := refused(config, stored):
            changeable = ", ".join(option(setting) for _, setting in sorted(CHANGEABLE))
            raise ConfigError(
                f"{self.output}: a resumed run cannot change {', '.join(changed)}",
                hint=f"it can change {changeable}",
            )

    def note(self, message: str) -> None:
        """Tell the user; only warnings if it is to be quiet."""
        if not self.display.quiet or message.startswith("warning"):
            terminal.note(message)

    def loop(
        self,
        state: RunState,
        events: Generator[Event, None, None],
        save: Callable[[], None],
        show: Callable[[Event], None] | None = None,
    ) -> tuple[Event | None, int | None]:
        """Train, save and show; return the last event and the signal that ended it, if any."""
        event, saved_at = None, time.monotonic()
        with (
            closing(events),
            StepLog(self.display.log, state.step, self.note) as log,
            StopSignals(self.note) as signals,
            terminal.Progress(quiet=self.display.quiet, verbose=self.display.verbose) as progress,
        ):
            try:
                for event in events:
                    if event.is_best or time.monotonic() - saved_at > SAVE_EVERY_SECONDS:
                        save()
                        saved_at = time.monotonic()
                    log.write(event)
                    if event.rollback is not None:
                        self.note(f"warning: {event.rollback}")
                    progress.update(event)
                    if show is not None:
                        show(event)
                    if signals.received is not None:
                        break
            except TrainingError:
                save()  # the last good state
                raise
            save()
        return event, signals.received

    def conclusion(
        self, state: RunState, reached: str, event: Event | None, signal: int | None
    ) -> list[str]:
        """Return what to tell in the end: what was reached, and where it is."""
        path = shlex.quote(str(self.output))
        if event is None:
            done = f"nothing left to do: {path} has had its {state.step} steps"
            return [f"{done}; a longer --time or more --steps goes on"]
        stopped = "" if signal is None else "stopped after "
        took = terminal.duration(state.seconds)
        return [f"{stopped}{state.step} steps in {took}: {reached}", f"saved:  {path}"]

    def go_on(self, command: str, *more: str) -> str:
        """Return what to type to go on with a stopped run."""
        again = [*self.corpus, "-o", str(self.output), "--resume", *more]
        if self.encoding != "utf-8":
            again += ["--encoding", self.encoding]
        if self.display.log is not None:
            again += ["--log", str(self.display.log)]
        return f"go on:  {program()} {command} {shlex.join(again)}"


def check_workers(run: RunConfig, batch_size: int, samples: str = "windows") -> None:
    """Raise ConfigError for more workers than this system or this batch allows."""
    workers = run.workers or 1
    if workers > 1 and start_method() is None:
        raise ConfigError("this system allows one worker only", hint="--workers 1")
    if workers > batch_size:
        raise ConfigError(
            f"{workers} workers are more than the {batch_size} {samples} of a batch",
            hint=f"--workers {batch_size} or less, or a larger --batch-size",
        )
