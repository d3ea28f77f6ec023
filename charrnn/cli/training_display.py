"""What ``charrnn train`` says of a run: before it, while it trains, in a log, and in the end."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from charrnn.cli.console import command, console, count, duration, quote, to_json
from charrnn.cli.plot import draw_losses
from charrnn.models.model import Model
from charrnn.models.train import Run
from charrnn.text.form import PROBE_CHARS, has_mostly_copies, suggest_pieces
from charrnn.training.loop import Event
from charrnn.training.state import History

# How often the bar is drawn, and lines are written where nothing can be drawn.
BAR_SECONDS, LINE_SECONDS = 0.1, 10.0
# Columns that stay free behind the bar: a terminal shows ^C there, which must not begin a new row.
ECHO_COLUMNS = 4
SAMPLE_LENGTH = 200
# What the log has of each step; the last two only if there is something to say.
LOGGED = (
    "step", "epoch", "seconds", "train_loss", "learning_rate", "grad_norm", "chars_per_s",
    "val_loss", "rollback",
)  # fmt: skip
# Characters below which a text is hardly a text.
MIN_CHARS = 1000
# Nats per character of a model that has exploded.
MAX_LOSS = 100


class TrainingDisplay:
    """What a run shows.

    run            the run
    log            gets one JSON object per step; None: no log
    plot           draw the losses above the bar
    verbose        every validation
    sample_every   steps between samples; None: no samples
    """

    def __init__(
        self, run: Run, log: TextIO | None, *, plot: bool, verbose: bool, sample_every: int | None
    ) -> None:
        self.run, self.log, self.plot = run, log, plot and console.can_draw
        self.verbose, self.sample_every = verbose, sample_every
        self._wait = BAR_SECONDS if console.can_draw else LINE_SECONDS
        self._shown_at = time.monotonic()
        self._chart = draw_losses({"": run.state.history}, sys.stderr) if self.plot else ""
        if plot and not self.plot:
            console.note("stderr shows no chart of the losses; 'charrnn inspect' does afterwards")

    def close(self) -> None:
        """Leave the chart, and no bar."""
        console.draw("", above=self._chart)

    def show(self, event: Event) -> None:
        """Show what a step did."""
        self._write_log(event)
        if event.rollback is not None:
            console.note(event.rollback)
        history = self.run.state.history
        measured = bool(history) and history[-1]["step"] == event.step
        if measured and self.plot:
            self._chart = draw_losses({"": history}, sys.stderr)
        is_due = measured or time.monotonic() - self._shown_at >= self._wait
        if is_due and not console.quiet:
            self._shown_at = time.monotonic()
            self._draw(event, describe_event(event, history))
        if self.sample_every and event.step % self.sample_every == 0:
            self._show_sample(event)

    def _write_log(self, event: Event) -> None:
        if self.log is None:
            return
        record = {name: getattr(event, name) for name in LOGGED}
        try:
            record = {name: value for name, value in record.items() if value is not None}
            self.log.write(to_json(record) + "\n")
        except OSError as error:
            # A full disk must not end a run whose checkpoint is on another.
            console.note(f"warning: the log cannot be written any more: {error.strerror}")
            with suppress(OSError):
                self.log.close()
            self.log = None

    def _draw(self, event: Event, line: str) -> None:
        """Draw the chart and a bar before the line, or write the line."""
        if not console.can_draw or (self.verbose and event.val_loss is not None):
            console.note(f"{event.done:4.0%} {line}")
        if console.can_draw:
            width = console.width - ECHO_COLUMNS
            size = max(width - len(line) - 7, 0)
            bar = f"{event.done:4.0%}|{'█' * round(event.done * size):{size}}| {line}"
            console.draw(self._chart + bar[:width])

    def _show_sample(self, event: Event) -> None:
        run = self.run
        latest = replace(run.state, best_weights=None)
        model = Model.of(run.config, run.vocabulary, latest, ngram=run.ngram)
        text = model.sample(length=SAMPLE_LENGTH, random_seed=run.config.run.random_seed)
        console.note(f"--- sample at step {event.step}\n{text}\n---")


def describe_event(event: Event, history: History) -> str:
    """Return a line on how training goes, with the held-out loss that was measured last."""
    left = duration(round(event.remaining))
    line = f"ETA {left}, step {event.step}, loss {event.train_loss:.3f}, "
    if history and (val_loss := history[-1]["val_loss"]) is not None:
        line += f"val {val_loss:.3f}, "
    return f"{line}{event.chars_per_s / 1000:.1f}k chars/s"


def describe_run(run: Run) -> list[str]:
    """Return what to say before training."""
    config, lines, val_size = run.config, list(run.notes), len(run.val_ids)
    if config.run.patience is not None and not val_size:
        lines.append("warning: --patience does nothing: no text is held out to validate on")
    size = f"{len(run.corpus.ids):,} characters"
    held_out = f"{val_size:,}" if val_size else "none"
    lines.append(f"text:  {size}, {len(run.vocabulary)} distinct, {held_out} held out")
    lines += [f"       {hint}" for hint in describe_text(run)]
    weights = sum(network.flat.size for network in run.state.networks)
    lines.append(
        f"model: {config.model.shape}, {weights:,} parameters, "
        f"random seed {config.run.random_seed}, workers {config.run.workers}"
    )
    if (chosen := run.recommendation) is not None:
        # Lines and overlapping windows take more or fewer steps than their characters.
        steps = chosen.passes * len(run.train_ids) / config.data.seq_length / config.data.batch_size
        passes = min(steps / run.steps_per_pass, config.run.epochs or math.inf)
        times = f"{passes:.1f}".removesuffix(".0") if passes >= 1 else f"{passes:.2g}"
        read = f"reads the text {times} times" + (", which is enough" if chosen.enough else "")
        chances = f"dropout {config.model.dropout:g}, weight drop {config.model.weight_drop:g}"
        lines.append(f"       {read}: {chances}")
    return lines


def describe_text(run: Run) -> Iterator[str]:
    """Yield what the pieces of the text are, or might be, and what makes it hard to learn."""
    data, ids, end = run.config.data, run.corpus.ids, run.config.data.end or "\n"
    beginning = run.vocabulary.decode(ids[:PROBE_CHARS])
    if (sizes := run.sizes) is not None:
        mark = run.vocabulary.index[end]  # which the last line may lack
        empty = int(run.vocabulary.counts[mark] + (ids[-1] != mark)) - sizes.number
        left_out = f"; {count(empty, 'empty one')} left out" if empty else ""
        lengths = "" if sizes.shortest == sizes.longest else f"{sizes.shortest:,} to "
        lengths += count(sizes.longest, "character")
        yield f"{count(sizes.number, data.piece)} of {lengths}{left_out}"
    elif looks := suggest_pieces(beginning):
        yield f"it looks like {looks[0]}: with {looks[1]} each is learned on its own"
    if len(run.val_ids) and has_mostly_copies(beginning, end):
        piece = "line" if sizes is None else data.piece
        yield f"most {piece}s are copies: those held out are known, so val_loss means little"
    if len(ids) < MIN_CHARS:
        yield f"{len(ids)} characters are very little to learn from"


def report_run(
    run: Run, path: Path, last_step: int | None, signal: int | None, resumable: Sequence[str]
) -> list[str]:
    """Return what to say in the end: what was reached, where it is, what to type next.

    last_step   the last step that was done; None if there was none left to do
    signal      that stopped the run
    resumable   arguments with which the run goes on
    """
    name, progress, history = quote(path), run.state.progress, run.state.history
    if last_step is None:
        done = f"nothing left to do: {name} has done its {progress.step} steps"
        return [f"{done}; give a longer --time or more --steps to continue"]
    loss, judged = progress.best_val_loss, "validation loss"
    if run.state.best_weights is None:
        judged = "train loss"
        if progress.loss_count:
            loss = progress.loss_total / progress.loss_count
        elif history:
            loss = history[-1]["train_loss"] or math.inf
    passes = f"{progress.step / run.steps_per_pass:.1f} passes"
    done = f"{count(progress.step, 'step')}, {passes} in {duration(progress.seconds)}"
    stopped = "" if signal is None else "stopped after "
    lines = [f"{stopped}{done}: {judged} {loss:.3f}"]
    if run.ngram is not None and run.ngram.val_loss is not None:
        loss = run.ngram.val_loss
        orders = f"of up to {count(run.ngram.order, 'character')}"
        lines.append(
            f"with {count(run.ngram.entries, 'n-gram')} {orders}: validation loss {loss:.3f}"
        )
    left_out = "n-grams are left out: on held-out text, the network alone is better"
    lines += [left_out] * (run.ngram is None and run.config.data.ngram > 0)
    if loss < MAX_LOSS:
        guess = f"{loss:.2f} nats per character = guessing among {math.exp(loss):.1f} characters"
        lines.append(f"lower is better: {guess}")
    best = [it["step"] for it in history if it["val_loss"] == progress.best_val_loss]
    if best and best[0] != progress.step:
        lines.append(f"best at step {best[0]}: the checkpoint has those weights")
        if (best[0] or 0) < progress.step / 2:
            lines[-1] += "; more time will not help, more text may"
    lines.append(f"saved:  {name}")
    if signal is not None:
        lines.append(f"resume: {command('train', *resumable, '--resume')}")
    return [*lines, f"sample: {command('sample', '-c', path)}"]
