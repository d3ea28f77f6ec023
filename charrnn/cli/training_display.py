"""What a run shows while it trains: a bar or lines on stderr, samples, and a log in a file."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from charrnn.checkpoint.files import replacing
from charrnn.cli.console import console, duration, is_terminal
from charrnn.errors import CheckpointError
from charrnn.models.model import Model
from charrnn.models.run import Run
from charrnn.training.loop import Event

if TYPE_CHECKING:
    from charrnn.cli.plot import LiveChart

BAR_FORMAT = "{percentage:3.0f}%|{bar}| {desc}"
REFRESH_SECONDS, PLAIN_LINE_SECONDS = 0.1, 10.0
# Columns that stay free behind the bar: a terminal shows ^C there, which must not begin a new row.
ECHO_COLUMNS = 4
SAMPLE_LENGTH = 200


class TrainingDisplay:
    """What a run shows.

    quiet          warnings and errors only
    verbose        every validation
    log            file that gets one JSON object per step; None: no log
    plot           draw the losses on the terminal
    sample_every   show a sample every so many steps; None: never
    """

    def __init__(
        self,
        *,
        quiet: bool,
        verbose: bool,
        log: Path | None,
        plot: bool,
        sample_every: int | None,
    ) -> None:
        self.quiet, self.verbose, self.log_path, self.plot = quiet, verbose, log, plot
        self.sample_every = sample_every
        self._log: TextIO | None = None
        self._chart: LiveChart | None = None
        self._bar: Any = None
        self._val_loss: float | None = None
        self._shown_at = time.monotonic()

    def note(self, *messages: str) -> None:
        """Tell the user; only warnings if it is to be quiet."""
        for message in messages:
            if not self.quiet or message.startswith("warning"):
                console.note(message)

    @contextmanager
    def start(self, run: Run) -> Iterator[None]:
        """Open log, bar and chart, and close them in the end."""
        self._run = run
        with ExitStack() as stack:
            if self.log_path is not None:
                self._log = stack.enter_context(open_log(self.log_path, run.state.progress.step))
            if self.plot:
                self._start_chart(stack)
            if not self.quiet and self._chart is None and is_terminal(sys.stderr):
                self._bar = console.bar(total=1.0, bar_format=BAR_FORMAT, dynamic_ncols=True)
                stack.callback(self._close, self._bar)
            yield

    def _start_chart(self, stack: ExitStack) -> None:
        from charrnn.cli.plot import LiveChart, unavailable_reason

        if reason := unavailable_reason():
            self.note(f"no curve is drawn: {reason}; 'charrnn inspect' draws it afterwards")
            return
        self._chart = LiveChart(self._run.state.history)
        console.above = self._chart.note
        stack.callback(setattr, console, "above", None)
        stack.callback(self._close, self._chart)

    @staticmethod
    def _close(shown: Any) -> None:  # a bar or a chart
        with console.stderr():
            shown.close()

    def show(self, event: Event) -> None:
        """Show what a step did."""
        self._write_log(event)
        if event.rollback is not None:
            self.note(f"warning: {event.rollback}")
        if event.val_loss is not None:
            self._val_loss = event.val_loss
        if not self.quiet:
            self._show_progress(event)
        if self.sample_every and event.step % self.sample_every == 0:
            self._show_sample(event)

    def _show_progress(self, event: Event) -> None:
        now = time.monotonic()
        measured = event.val_loss is not None or event.done == 1
        plain = self._bar is None and self._chart is None
        wait = PLAIN_LINE_SECONDS if plain else REFRESH_SECONDS
        if self._chart is not None:
            self._chart.add(event)
        if not measured and now - self._shown_at < wait:
            return
        self._shown_at = now
        status = describe_progress(event, self._val_loss)
        if plain or (self.verbose and event.val_loss is not None):
            console.note(f"{event.done:4.0%} {status}")
        with console.stderr():
            if self._bar is not None:
                self._bar.n = event.done
                self._bar.set_description_str(status, refresh=True)
            elif self._chart is not None:
                self._chart.show(_format_bar(event.done, status, self._chart))

    def _show_sample(self, event: Event) -> None:
        run = self._run
        latest = replace(run.state, best_weights=None)
        model = Model.of(run.config, run.vocabulary, latest, ngram=run.ngram)
        text = islice(model.stream(random_seed=run.config.run.random_seed), SAMPLE_LENGTH)
        self.note(f"--- sample at step {event.step}\n{''.join(text)}\n---")

    def _write_log(self, event: Event) -> None:
        if self._log is None:
            return
        record: dict[str, Any] = {
            "step": event.step,
            "epoch": event.epoch,
            "seconds": round(event.seconds, 4),
            "train_loss": event.train_loss,
            "learning_rate": event.learning_rate,
            "grad_norm": event.grad_norm,
            "chars_per_s": round(event.chars_per_s, 1),
        }
        record |= {"val_loss": event.val_loss} if event.val_loss is not None else {}
        record |= {"rollback": event.rollback} if event.rollback is not None else {}
        try:
            self._log.write(json.dumps(record) + "\n")
        except OSError as error:
            # A full disk must not end a run whose checkpoint is on another.
            self.note(f"warning: {self.log_path}: logging stops: {error.strerror}")
            with suppress(OSError):
                self._log.close()
            self._log = None


def describe_progress(event: Event, val_loss: float | None) -> str:
    """Return one line on how training goes."""
    remaining = event.seconds * (1 - event.done) / max(event.done, 1e-9)
    parts = [f"ETA {duration(remaining)}", f"step {event.step}", f"loss {event.train_loss:.3f}"]
    if val_loss is not None:
        parts.append(f"val {val_loss:.3f}")
    return ", ".join([*parts, f"{event.chars_per_s / 1000:.1f}k chars/s"])


def _format_bar(done: float, status: str, chart: "LiveChart") -> str:
    from tqdm import tqdm

    columns = chart.console.width - ECHO_COLUMNS
    return tqdm.format_meter(done, 1.0, 0, ncols=columns, prefix=status, bar_format=BAR_FORMAT)


@contextmanager
def open_log(path: Path, steps_done: int) -> Iterator[TextIO]:
    """Open the log of a run that has done so many steps, whose lines stay.

    Raises CheckpointError if the file cannot be opened.
    """
    try:
        if steps_done:
            _cut_log(path, steps_done)
        file = path.open("a" if steps_done else "w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise CheckpointError(
            f"{path}: the log cannot be written: {error.strerror}", hint="choose another --log"
        ) from error
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def _cut_log(path: Path, steps_done: int) -> None:
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
