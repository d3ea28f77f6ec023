"""What ``charrnn train`` tells of a run: before it, in the end, and a sample now and then."""

from dataclasses import replace
from itertools import islice
from typing import Any

from charrnn.models import Model
from charrnn.models.runs import NOTHING
from charrnn.models.text_run import TextRun
from charrnn.ngrams.kneser_ney import NGrams
from charrnn.text.form import OF_LINES, form_of, has_mostly_copies
from charrnn.training.recipe import Recommendation
from charrnn.training.state import TrainingState

# Characters below which a text is hardly a text.
LITTLE_TEXT = 1000
SAMPLE_LENGTH = 200
# Characters that tell whether a text is a list.
LOOKED_AT = 100_000


def introduce(run: TextRun) -> list[str]:
    """Return what to tell before training."""
    model, size = run.config.model, len(run.corpus.ids)
    held_out = f"{len(run.val_ids):,} held out" if len(run.val_ids) else "none held out"
    lines = [f"text:  {size:,} characters, {len(run.vocabulary)} distinct, {held_out}"]
    beginning = run.vocabulary.decode(run.corpus.ids[:LOOKED_AT])
    form = form_of(beginning)
    if not run.config.data.lines and form in OF_LINES:
        lines.append(
            f"       it looks like a {form}: with --lines each line is learned on its own, and "
            "sample writes whole lines"
        )
    if has_mostly_copies(beginning):
        lines.append(
            "       most lines are copies: those held out are known, so val_loss means little; "
            "charrnn doctor says more"
        )
    if size < LITTLE_TEXT:
        lines.append(f"       {size} characters are very little to learn from")
    lines.append(
        f"model: {model.shape}, "
        f"{run.state.network.flat.size:,} parameters, "
        f"random seed {run.config.run.random_seed}, {run.config.run.workers} worker(s)"
    )
    if run.recommendation is not None:
        lines.append(f"       {_reason(run.recommendation)}")
    return lines


def summarize(run: TextRun) -> dict[str, Any]:
    """Return the figures of text and model."""
    model = run.config.model
    return {
        "chars": len(run.corpus.ids),
        "vocab_size": len(run.vocabulary),
        "start": None if run.start == NOTHING else run.start,
        "model": model.cell,
        "hidden_size": model.hidden_size,
        "members": model.members,
        "ngrams": 0 if run.ngram is None else run.ngram.entries,
        "val_loss_with_ngrams": None if run.ngram is None else run.ngram.val_loss,
    }


def describe_result(run: TextRun) -> str:
    """Return what training reached."""
    return _losses(run.state) + _with_ngrams(run.ngram)


def sample(run: TextRun) -> str:
    """Return what the latest weights write."""
    state = replace(run.state, best_weights=None)
    latest = Model.of(run.config, run.vocabulary, state, ngram=run.ngram)
    return "".join(islice(latest.stream(random_seed=run.config.run.random_seed), SAMPLE_LENGTH))


def _reason(recommendation: Recommendation) -> str:
    """Return why size and dropout are what they are."""
    passes, model = recommendation.passes, recommendation.config.model
    times = f"{passes:.1f}".removesuffix(".0")
    read = f"reads the text {times} times" if passes >= 1 else f"reads {passes:.0%} of the text"
    enough = ", which is enough" if recommendation.enough else ""
    return f"{read}{enough}: dropout {model.dropout:g}, weight drop {model.weight_drop:g}"


def _with_ngrams(ngram: NGrams | None) -> str:
    """Return what the n-grams of the text add to it."""
    if ngram is None or ngram.val_loss is None:
        return ""
    characters = "1 character" if ngram.order == 1 else f"{ngram.order} characters"
    return (
        f"\nwith {ngram.entries:,} n-grams of up to {characters}: validation loss "
        f"{ngram.val_loss:.3f}"
    )


def _losses(state: TrainingState) -> str:
    """Return what was reached, and what to do if the second half of the run was in vain."""
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
