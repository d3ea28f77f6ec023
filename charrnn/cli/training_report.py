"""What ``charrnn train`` says of a run: before it, after it, and as an object."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn.cli.console import duration, program
from charrnn.models.run import Run
from charrnn.models.start import RANDOM
from charrnn.text.form import OF_LINES, form_of, has_mostly_copies
from charrnn.training.recipe import Recommendation
from charrnn.training.state import TrainingState

# Characters below which a text is hardly a text, and those that tell whether it is a list.
MIN_CHARS, PROBE_CHARS = 1000, 100_000


def describe_run(run: Run) -> list[str]:
    """Return what to say before training."""
    config, size, warnings = run.config, len(run.corpus.ids), list(run.notes)
    if config.run.patience is not None and not len(run.val_ids):
        warnings.append("warning: --patience does nothing: no text is held out to validate on")
    held_out = f"{len(run.val_ids):,} held out" if len(run.val_ids) else "none held out"
    lines = [f"text:  {size:,} characters, {len(run.vocabulary)} distinct, {held_out}"]
    beginning = run.vocabulary.decode(run.corpus.ids[:PROBE_CHARS])
    form = form_of(beginning)
    if not config.data.lines and form in OF_LINES:
        hint = "with --lines each line is learned on its own, and sample writes whole lines"
        lines.append(f"       it looks like a {form}: {hint}")
    if has_mostly_copies(beginning):
        known = "most lines are copies: those held out are known, so val_loss means little"
        lines.append(f"       {known}; charrnn doctor says more")
    if size < MIN_CHARS:
        lines.append(f"       {size} characters are very little to learn from")
    lines.append(
        f"model: {config.model.shape}, {_count_parameters(run):,} parameters, "
        f"random seed {config.run.random_seed}, workers {config.run.workers}"
    )
    if run.recommendation is not None:
        lines.append(f"       {_explain(run.recommendation)}")
    return [*warnings, *lines]


def report_run(
    run: Run, path: Path, last_step: int | None, signal: int | None, resumable: Sequence[str]
) -> list[str]:
    """Return what to say in the end: what was reached, where it is, what to type next.

    last_step   the last step that was done; None if there was none left to do
    signal      that stopped the run
    resumable   arguments with which the run goes on
    """
    name, progress = shlex.quote(str(path)), run.state.progress
    if last_step is None:
        done = f"nothing left to do: {name} has done its {progress.step} steps"
        return [f"{done}; give a longer --time or more --steps to continue"]
    stopped, took = "" if signal is None else "stopped after ", duration(progress.seconds)
    lines = [f"{stopped}{progress.step} steps in {took}: {_describe_losses(run.state)}"]
    if run.ngram is not None and run.ngram.val_loss is not None:
        order = run.ngram.order
        lines.append(
            f"with {run.ngram.entries:,} n-grams of up to {order} character{'s' * (order > 1)}: "
            f"validation loss {run.ngram.val_loss:.3f}"
        )
    lines.append(f"saved:  {name}")
    if signal is not None:
        lines.append(f"resume: {program()} train {shlex.join(resumable)} --resume")
    return [*lines, f"sample: {program()} sample -c {name}"]


def summarize(run: Run, path: Path, *, interrupted: bool) -> dict[str, Any]:
    """Return what was reached as an object for JSON."""
    state, progress, model = run.state, run.state.progress, run.config.model
    return {
        "checkpoint": str(path),
        "steps": progress.step,
        "seconds": round(progress.seconds, 3),
        "train_loss": state.history[-1]["train_loss"] if state.history else None,
        "val_loss": None if state.best_weights is None else progress.best_val_loss,
        "parameters": _count_parameters(run),
        "random_seed": run.config.run.random_seed,
        "chars": len(run.corpus.ids),
        "vocab_size": len(run.vocabulary),
        "start": None if run.start == RANDOM else run.start,
        "model": model.cell,
        "hidden_size": model.hidden_size,
        "members": model.members,
        "ngrams": 0 if run.ngram is None else run.ngram.entries,
        "val_loss_with_ngrams": None if run.ngram is None else run.ngram.val_loss,
        "interrupted": interrupted,
    }


def _count_parameters(run: Run) -> int:
    return sum(network.flat.size for network in run.state.networks)


def _explain(recommendation: Recommendation) -> str:
    """Return why dropout is what it is."""
    passes, model = recommendation.passes, recommendation.config.model
    times = f"{passes:.1f}".removesuffix(".0")
    read = f"reads the text {times} times" if passes >= 1 else f"reads {passes:.0%} of the text"
    enough = ", which is enough" if recommendation.enough else ""
    return f"{read}{enough}: dropout {model.dropout:g}, weight drop {model.weight_drop:g}"


def _describe_losses(state: TrainingState) -> str:
    """Return the losses, and what to do if the second half of the run gained nothing."""
    progress = state.progress
    if state.best_weights is None:
        if not state.history:
            return "not measured yet"
        return f"train loss {state.history[-1]['train_loss']:.3f} nats per character"
    best = next(entry for entry in state.history if entry["val_loss"] == progress.best_val_loss)
    step = int(best["step"] or 0)
    text = f"validation loss {progress.best_val_loss:.3f} nats per character"
    if step == progress.step:
        return text
    text += f" at step {step}; the checkpoint has those weights"
    if step < progress.step / 2:
        text += (
            "\nthe loss did not fall after that: more time will not help; "
            "more text, a larger --weight-drop or a smaller --hidden-size may"
        )
    return text
