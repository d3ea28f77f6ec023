"""``charrnn train``, once its options are read: a text run, and what it tells."""

import shlex
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from charrnn.cli import terminal
from charrnn.cli.program import program
from charrnn.cli.run import TrainingCommand
from charrnn.config import Config
from charrnn.models import Model
from charrnn.models.runs import NOTHING, Run
from charrnn.models.start import choose_start
from charrnn.models.text_run import TextRun
from charrnn.ngrams.kneser_ney import NGrams
from charrnn.settings import new_config, resumed_config
from charrnn.text.corpus import Corpus, read_corpus
from charrnn.text.lines import looks_like_list
from charrnn.training.loop import Event
from charrnn.training.recipe import Recommendation
from charrnn.training.state import TrainingState

# Characters below which a text is hardly a text.
LITTLE_TEXT = 1000
SAMPLE_LENGTH = 200
# Characters that tell whether a text is a list.
LOOKED_AT = 100_000


@dataclass(kw_only=True)
class TextTraining(TrainingCommand):
    """One call of ``charrnn train``.

    source   where a new run starts; see ``choose_start``
    """

    source: str | None = None

    def new(self) -> TextRun:
        """See ``TrainingCommand.new``."""
        fixed = {name for settings in self.given.values() for name in settings}
        config = new_config(self.given, Config())
        corpus = self._read(config)
        start = choose_start(self.source, config, fixed, corpus)
        return TextRun.new(start, corpus, fixed)

    def resumed(self) -> TextRun:
        """See ``TrainingCommand.resumed``."""
        loaded = Model.load(self.output)
        config = resumed_config(self.given, loaded.config)
        return TextRun.resumed(loaded, config, self._read(config))

    def models_read(self) -> list[str]:
        """See ``TrainingCommand.models_read``."""
        return [self.source] if self.source else []

    def _read(self, config: Config) -> Corpus:
        return read_corpus(self.corpus, encoding=self.encoding, normalize=config.data.normalize)

    def introduction(self, run: Run) -> list[str]:
        """See ``TrainingCommand.introduction``."""
        assert isinstance(run, TextRun)  # noqa: S101  # made above
        model, size = run.config.model, len(run.corpus.ids)
        held_out = f"{len(run.val_ids):,} held out" if len(run.val_ids) else "none held out"
        lines = [f"text:  {size:,} characters, {len(run.vocabulary)} distinct, {held_out}"]
        beginning = run.vocabulary.decode(run.corpus.ids[:LOOKED_AT])
        if not run.config.data.lines and looks_like_list(beginning):
            lines.append(
                "       it looks like a list: with --lines each line is learned on its own, and "
                "sample writes whole lines"
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

    def summary(self, run: Run) -> dict[str, Any]:
        """See ``TrainingCommand.summary``."""
        assert isinstance(run, TextRun)  # noqa: S101  # made above
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

    def reached(self, run: Run) -> str:
        """See ``TrainingCommand.reached``."""
        assert isinstance(run, TextRun)  # noqa: S101  # made above
        return _losses(run.state) + _with_ngrams(run.ngram)

    def next_step(self) -> str:
        """See ``TrainingCommand.next_step``."""
        return f"sample: {program()} sample -c {shlex.quote(str(self.output))}"

    def show(self, run: Run, event: Event) -> None:
        """Show a sample now and then."""
        assert isinstance(run, TextRun)  # noqa: S101  # made above
        every = self.display.sample_every
        if every and event.step % every == 0:
            latest = Model.of(
                run.config,
                run.vocabulary,
                replace(run.state, best_weights=None),
                ngram=run.ngram,
            )
            text = "".join(
                islice(latest.stream(random_seed=run.config.run.random_seed), SAMPLE_LENGTH)
            )
            terminal.note(f"--- sample at step {event.step}\n{text}\n---")


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
