"""What ``charrnn train`` says of a run: before it, while it trains, in a log, and in the end."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TextIO

from charrnn.cli.console import command, console, count, duration, quote, to_json
from charrnn.cli.outputs import open_log
from charrnn.cli.plot import LiveChart
from charrnn.config import FILE
from charrnn.models.model import Model
from charrnn.models.run import Run
from charrnn.text.form import OF_LINES, find_field, find_separator, form_of, has_mostly_copies
from charrnn.text.vocabulary import escape
from charrnn.text.windows import make_batches
from charrnn.training.loop import Event
from charrnn.training.state import TrainingState

# How often the bar, the chart, and lines where nothing can be drawn are shown.
BAR_SECONDS, CHART_SECONDS, LINE_SECONDS = 0.1, 0.5, 10.0
# Columns that stay free behind the bar: a terminal shows ^C there, which must not begin a new row.
ECHO_COLUMNS = 4
SAMPLE_LENGTH = 200
# What the log has of each step; the last two only if there is something to say.
LOGGED = (
    "step", "epoch", "seconds", "train_loss", "learning_rate", "grad_norm", "chars_per_s",
    "val_loss", "rollback",
)  # fmt: skip
# Characters below which a text is hardly a text, and those that tell whether it is a list.
MIN_CHARS, PROBE_CHARS = 1000, 100_000
# Nats per character of a model that has exploded.
MAX_LOSS = 100


class TrainingDisplay:
    """What a run shows.

    run            the run
    quiet          warnings and errors only
    verbose        every validation
    sample_every   steps between samples; None: no samples
    """

    def __init__(self, run: Run, *, quiet: bool, verbose: bool, sample_every: int | None) -> None:
        self.run, self.quiet, self.verbose, self.sample_every = run, quiet, verbose, sample_every
        self._log: TextIO | None = None
        self._chart: LiveChart | None = None
        self._val_loss: float | None = None
        self._shown_at = time.monotonic()

    def note(self, *messages: str) -> None:
        """Tell the user; only warnings if it is to be quiet."""
        for message in messages:
            if not self.quiet or message.startswith("warning"):
                console.note(message)

    @contextmanager
    def start(self, log: Path | None, *, plot: bool) -> Iterator[None]:
        """Open the log, and draw on the terminal until the end.

        log    file that gets one JSON object per step; None: no log
        plot   draw the losses too
        """
        with nullcontext() if log is None else open_log(log, self.run.state.progress.step) as file:
            self._log = file
            self._chart = LiveChart.of(self.run.state.history) if plot else None
            try:
                yield
            finally:
                console.draw("", above=self._chart.drawing() if self._chart else "")

    def show(self, event: Event) -> None:
        """Show what a step did."""
        self._write_log(event)
        if event.rollback is not None:
            self.note(event.rollback)
        if event.val_loss is not None:
            self._val_loss = event.val_loss
        if not self.quiet:
            self._show_progress(event)
        if self.sample_every and event.step % self.sample_every == 0:
            self._show_sample(event)

    def _show_progress(self, event: Event) -> None:
        now, measured = time.monotonic(), event.val_loss is not None or event.done == 1
        drawn = CHART_SECONDS if self._chart else BAR_SECONDS
        if self._chart is not None:
            self._chart.add(event)
        if not measured and now - self._shown_at < (drawn if console.can_draw else LINE_SECONDS):
            return
        self._shown_at, status = now, describe_progress(event, self._val_loss)
        if not console.can_draw or (self.verbose and event.val_loss is not None):
            console.note(f"{event.done:4.0%} {status}")
        if console.can_draw:
            chart = self._chart.drawing() if self._chart else ""
            console.draw(chart + format_bar(event.done, status, console.width - ECHO_COLUMNS))

    def _show_sample(self, event: Event) -> None:
        run = self.run
        latest = replace(run.state, best_weights=None)
        model = Model.of(run.config, run.vocabulary, latest, ngram=run.ngram)
        text = islice(model.stream(random_seed=run.config.run.random_seed), SAMPLE_LENGTH)
        self.note(f"--- sample at step {event.step}\n{''.join(text)}\n---")

    def _write_log(self, event: Event) -> None:
        if self._log is None:
            return
        record = {name: getattr(event, name) for name in LOGGED}
        record = {name: value for name, value in record.items() if value is not None}
        try:
            self._log.write(to_json(record) + "\n")
        except OSError as error:
            # A full disk must not end a run whose checkpoint is on another.
            self.note(f"warning: the log cannot be written any more: {error.strerror}")
            with suppress(OSError):
                self._log.close()
            self._log = None


def describe_progress(event: Event, val_loss: float | None) -> str:
    """Return one line on how training goes."""
    parts = [
        f"ETA {duration(event.remaining)}",
        f"step {event.step}",
        f"loss {event.train_loss:.3f}",
    ]
    if val_loss is not None:
        parts.append(f"val {val_loss:.3f}")
    return ", ".join([*parts, f"{event.chars_per_s / 1000:.1f}k chars/s"])


def format_bar(done: float, status: str, width: int) -> str:
    """Return a bar and a text behind it, of at most ``width`` columns."""
    size = max(width - len(status) - 7, 0)
    return f"{done:4.0%}|{'█' * round(done * size):{size}}| {status}"[:width]


def describe_run(run: Run) -> list[str]:
    """Return what to say before training."""
    config, lines, size = run.config, list(run.notes), len(run.corpus.ids)
    if config.run.patience is not None and not len(run.val_ids):
        lines.append("warning: --patience does nothing: no text is held out to validate on")
    held_out = f"{len(run.val_ids):,} held out" if len(run.val_ids) else "none held out"
    lines.append(f"text:  {size:,} characters, {len(run.vocabulary)} distinct, {held_out}")
    lines += [f"       {hint}" for hint in describe_text(run)]
    lines.append(
        f"model: {config.model.shape}, {count_parameters(run):,} parameters, "
        f"random seed {config.run.random_seed}, workers {config.run.workers}"
    )
    if (chosen := run.recommendation) is not None:
        # Lines and overlapping windows take more or fewer steps than their characters.
        steps = chosen.passes * len(run.train_ids) / config.data.seq_length / config.data.batch_size
        passes = min(count_passes(run, steps), config.run.epochs or math.inf)
        times = f"{passes:.1f}".removesuffix(".0")
        read = f"reads the text {times} times" if passes >= 1 else f"reads {passes:.0%} of the text"
        read += ", which is enough" if chosen.enough else ""
        chances = f"dropout {config.model.dropout:g}, weight drop {config.model.weight_drop:g}"
        lines.append(f"       {read}: {chances}")
    return lines


def describe_text(run: Run) -> Iterator[str]:
    """Yield what the pieces of the text are, or what might be, and what makes it hard to learn."""
    data, vocabulary, size = run.config.data, run.vocabulary, len(run.corpus.ids)
    beginning = vocabulary.decode(run.corpus.ids[:PROBE_CHARS])
    if (sizes := run.sizes) is not None:
        empty = int(vocabulary.counts[vocabulary.index[data.end or ""]]) - sizes.number
        left_out = f"; {empty} empty ones left out" * (empty > 0)
        kind = describe_separator(data.separator)
        lengths = f"{sizes.shortest:,} to {sizes.longest:,} characters"
        yield f"{sizes.number:,} {kind}, {lengths}{left_out}"
    elif field := find_field(beginning):
        hint = f"with --field {quote(field)} that field of each record is learned on its own"
        yield f"it looks like JSON Lines: {hint}"
    elif (form := form_of(beginning)) in OF_LINES:
        hint = "with --lines each line is learned on its own, and sample writes whole lines"
        yield f"it looks like a {form}: {hint}"
    elif separator := find_separator(beginning):
        hint = f"with --separator {quote(escape(separator))} each is learned on its own"
        kind = describe_separator(separator)
        yield f"it looks like many short {kind}: {hint}, and sample writes whole pieces"
    if has_mostly_copies(beginning):
        known = "most lines are copies: those held out are known, so val_loss means little"
        yield f"{known}; charrnn doctor says more"
    if size < MIN_CHARS:
        yield f"{size} characters are very little to learn from"


def describe_separator(separator: str | None) -> str:
    """Return what the pieces between separators are called; None: records."""
    if separator in {None, "\n", FILE}:
        return {"\n": "lines", FILE: "files"}.get(separator or "", "records")
    return f"pieces between {escape(str(separator).strip(chr(10))) or 'blank lines'}"


def report_run(
    run: Run, path: Path, last_step: int | None, signal: int | None, resumable: Sequence[str]
) -> list[str]:
    """Return what to say in the end: what was reached, where it is, what to type next.

    last_step   the last step that was done; None if there was none left to do
    signal      that stopped the run
    resumable   arguments with which the run goes on
    """
    name, progress, ngram = quote(path), run.state.progress, run.ngram
    if last_step is None:
        done = f"nothing left to do: {name} has done its {progress.step} steps"
        return [f"{done}; give a longer --time or more --steps to continue"]
    passes = f"{count_passes(run, progress.step):.1f} passes"
    done = f"{count(progress.step, 'step')}, {passes} in {duration(progress.seconds)}"
    loss, judged = progress.best_val_loss, "validation loss"
    if run.state.best_weights is None:
        loss, judged = train_loss(run) or math.inf, "train loss"
    lines = [f"{'stopped after ' * (signal is not None)}{done}: {judged} {loss:.3f}"]
    if ngram is not None and ngram.val_loss is not None:
        loss, counted = ngram.val_loss, count(ngram.entries, "n-gram")
        orders = f"of up to {count(ngram.order, 'character')}"
        lines.append(f"with {counted} {orders}: validation loss {loss:.3f}")
    if loss < MAX_LOSS:
        guess = f"{loss:.2f} nats per character = guessing among {math.exp(loss):.1f} characters"
        lines.append(f"lower is better: {guess}")
    lines += [describe_best(run.state), f"saved:  {name}"]
    if signal is not None:
        lines.append(f"resume: {command('train', *resumable, '--resume')}")
    return [*filter(None, lines), f"sample: {command('sample', '-c', path)}"]


def train_loss(run: Run) -> float | None:
    """Return the mean training loss since the last validation, or at it; None before any step."""
    progress, history = run.state.progress, run.state.history
    if progress.loss_count:
        return progress.loss_total / progress.loss_count
    return history[-1]["train_loss"] if history else None


def describe_best(state: TrainingState) -> str:
    """Return which weights are kept if not the last, and what to do if half the run gained none."""
    progress = state.progress
    if state.best_weights is None:
        return ""
    best = next(entry for entry in state.history if entry["val_loss"] == progress.best_val_loss)
    step = int(best["step"] or 0)
    if step == progress.step:
        return ""
    advice = "; more time will not help, more text, a larger --weight-drop or a smaller "
    kept = f"best at step {step}: the checkpoint has those weights"
    return kept + f"{advice}--hidden-size may" * (step < progress.step / 2)


def count_passes(run: Run, steps: float) -> float:
    """Return how often the text is read in this many steps."""
    batches = make_batches(run.train_ids, run.config.data, run.config.run.random_seed)
    return steps / batches.steps_per_epoch


def count_parameters(run: Run) -> int:
    """Return the number of weights of all networks."""
    return sum(network.flat.size for network in run.state.networks)
