"""What a training run tells in words and figures, before it starts and when it is over."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from typing import Any

from charrnn.config import Config
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Ids
from charrnn.training.recipe import Recommendation
from charrnn.training.state import TrainingState

# Characters below which a text is hardly a text.
LITTLE_TEXT = 1000


@dataclass(frozen=True)
class Job:
    """All that a run works on."""

    config: Config
    corpus: Corpus
    state: TrainingState
    train_ids: Ids
    val_ids: Ids
    recommendation: Recommendation | None = None


def introduction(job: Job) -> list[str]:
    """Return what to tell about text and model before training."""
    model, size = job.config.model, len(job.corpus.ids)
    held_out = f"{len(job.val_ids):,} held out" if len(job.val_ids) else "none held out"
    parameters = job.state.model.flat.size
    lines = [f"text:  {size:,} characters, {len(job.corpus.vocabulary)} distinct, {held_out}"]
    if size < LITTLE_TEXT:
        lines.append(f"       {size} characters are very little to learn from")
    lines.append(
        f"model: {model.cell} {model.layers} x {model.hidden_size}, {parameters:,} parameters, "
        f"random seed {job.config.run.random_seed}, {job.config.run.workers} worker(s)"
    )
    if job.recommendation is not None:
        lines.append(f"       {reason(job.recommendation)}")
    return lines


def reason(recommendation: Recommendation) -> str:
    """Return why size and dropout are what they are."""
    passes, model = recommendation.passes, recommendation.config.model
    text = f"{passes:.1f}".removesuffix(".0") + " times" if passes >= 1 else f"{passes:.0%} of"
    read = f"will read {text} the text" + (", which is enough" if recommendation.enough else "")
    return f"{read}: dropout {model.dropout:g}, weight drop {model.weight_drop:g}"


def summary(job: Job) -> dict[str, Any]:
    """Return the figures of a finished run."""
    state, last = job.state, job.state.history[-1] if job.state.history else {}
    return {
        "steps": state.step,
        "seconds": round(state.seconds, 3),
        "train_loss": last.get("train_loss"),
        "val_loss": None if state.best_weights is None else state.best_val_loss,
        "parameters": state.model.flat.size,
        "chars": len(job.corpus.ids),
        "vocab_size": len(job.corpus.vocabulary),
        "random_seed": job.config.run.random_seed,
    }


def losses(state: TrainingState) -> str:
    """Return what was reached, and what to do if the second half of the run was in vain."""
    if state.best_weights is None:
        train_loss = state.history[-1]["train_loss"] if state.history else None
        return (
            "not measured yet"
            if train_loss is None
            else f"train loss {train_loss:.3f} nats per character"
        )
    best = next(entry for entry in state.history if entry["val_loss"] == state.best_val_loss)
    step = int(best["step"] or 0)
    text = f"validation loss {state.best_val_loss:.3f} nats per character"
    if step == state.step:
        return text
    text += f" at step {step}, which was kept"
    if step < state.step / 2:
        text += (
            "\nit did not improve after that: more time will not help; "
            "more text, a larger --weight-drop or a smaller --hidden-size may"
        )
    return text


def program() -> str:
    """Return how to call charrnn from here."""
    return "charrnn" if shutil.which("charrnn") else shlex.quote(sys.argv[0])
