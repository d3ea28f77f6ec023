"""A training run, made ready to go.

The command line and the Python API both train like this:

    run = TextRun.new(start, corpus, fixed)
    for event in run.events(): ...
    run.checkpoint().save(path)
"""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Self

from charrnn.checkpoint.origin import Origin
from charrnn.config import Config
from charrnn.errors import CorpusError
from charrnn.generate.novelty import Bits, seen_lines
from charrnn.models.model import Model
from charrnn.models.prepared import fitted, flat_lines, prepare, split_corpus
from charrnn.models.runs import (
    NOTHING,
    another_number,
    require_same_run,
    with_workers,
)
from charrnn.models.start import HELPS, Start
from charrnn.models.transfer import transfer_weights
from charrnn.ngrams.kneser_ney import NGrams, build_ngrams
from charrnn.ngrams.mixture import Mixture, leave_out
from charrnn.text.corpus import Corpus
from charrnn.text.vocabulary import Ids, Vocabulary, escape
from charrnn.training import memory
from charrnn.training.loop import Event, train_events
from charrnn.training.next_character import NextCharacter, initial_state
from charrnn.training.recipe import Recommendation, recommend
from charrnn.training.state import TrainingState


@dataclass(kw_only=True)
class TextRun:
    """A run that learns a text: everything it works on.

    config           complete, fitted to the text
    vocabulary       the characters of the model
    state            where training starts; changes as it goes
    objective        what to learn
    sha256           of the bytes that were read
    sources          what was read: paths, "-" for standard input
    start            the base model or checkpoint whose weights it started from; "none": random
                     weights; None: not known, of a run that is resumed
    notes            what a user may want to know before it starts
    corpus           the text
    val_ids          what of it is held out
    seen_lines       in line mode, which lines the text has; see ``generate.novelty``
    ngram            the n-grams of what is trained on; None: none are wanted
    recommendation   how the settings that nobody gave were chosen; None for a resumed run
    """

    config: Config
    vocabulary: Vocabulary
    state: TrainingState
    objective: NextCharacter
    sha256: str = ""
    sources: tuple[str, ...] = ()
    start: str | None = NOTHING
    notes: list[str] = field(default_factory=list)
    corpus: Corpus
    val_ids: Ids
    seen_lines: Bits | None = None
    ngram: NGrams | None = None
    recommendation: Recommendation | None = None

    @classmethod
    def new(cls, start: Start, corpus: Corpus, fixed: set[str]) -> Self:
        """Make a run ready that starts from the beginning.

        start   its settings, and the model whose weights it starts from; its characters are kept
        fixed   names of the settings that someone gave; the others may be chosen

        Raises CorpusError for a text too short to learn, ConfigError for settings that do not fit,
        TrainingError for more memory than there is.
        """
        ready, source = prepare(start, corpus, fixed), start.source
        began, corpus, train_ids = time.perf_counter(), ready.corpus, ready.train_ids
        vocab_size = len(corpus.vocabulary)
        _text_memory(with_workers(ready.config), corpus)
        recommendation = recommend(
            ready.config,
            ready.fixed,
            train_ids,
            vocab_size,
            fine_tuning=source is not None,
            known=start.fit is not None and start.fit.saved >= HELPS,
        )
        chosen = with_workers(recommendation.config)
        _text_memory(chosen, corpus)
        state = initial_state(chosen, vocab_size, train_ids)
        if source is not None:
            transfer_weights(
                source.network(),
                source.vocabulary,
                state.network,
                corpus.vocabulary,
            )
        ngram = _ngrams(chosen, corpus, train_ids)
        # What the choice took is a part of the time that the user gave.
        if chosen.run.seconds is not None:
            state.advance(seconds=time.perf_counter() - began)
        return cls(
            config=chosen,
            vocabulary=corpus.vocabulary,
            state=state,
            objective=NextCharacter(chosen, train_ids, ready.val_ids),
            sha256=corpus.sha256,
            sources=corpus.sources,
            start=start.name or NOTHING,
            notes=[*(f"warning: {text}" for text in corpus.warnings), *ready.notes, *start.notes],
            corpus=corpus,
            val_ids=ready.val_ids,
            seen_lines=_seen(chosen, corpus),
            ngram=ngram,
            recommendation=recommendation,
        )

    @classmethod
    def resumed(cls, loaded: Model, config: Config, corpus: Corpus) -> Self:
        """Make the run of a checkpoint ready to go on.

        Raises CorpusError for a text with unknown characters, ConfigError for a config that would
        make another run of it.
        """
        if unknown := loaded.vocabulary.unknown(corpus.vocabulary.characters):
            raise CorpusError(
                "the text has characters that the checkpoint was not trained on: "
                f"{' '.join(map(escape, unknown))}",
                hint="start a new run from its weights: --from CHECKPOINT -o NEW.npz",
            )
        state, notes = loaded.training_state(), []
        if corpus.sha256 != loaded.sha256:
            notes.append("warning: the corpus has changed since the checkpoint was trained")
            state.forget_best()  # it was the best at predicting another text
        corpus = corpus.encoded_with(loaded.vocabulary)
        train_ids, val_ids = split_corpus(config, corpus)
        config, _ = fitted(config, corpus, train_ids, {"seq_length", "batch_size"})
        require_same_run(config, loaded.config)
        config = with_workers(config)
        notes += another_number(config, loaded.config)
        _text_memory(config, corpus)
        return cls(
            config=config,
            vocabulary=corpus.vocabulary,
            state=state,
            objective=NextCharacter(config, train_ids, val_ids),
            sha256=corpus.sha256,
            sources=corpus.sources,
            start=loaded.start,
            notes=[*(f"warning: {text}" for text in corpus.warnings), *notes],
            corpus=corpus,
            val_ids=val_ids,
            seen_lines=_seen(config, corpus),
            ngram=_ngrams(config, corpus, train_ids),
        )

    def events(self) -> Generator[Event, None, None]:
        """Train, yielding an Event after every step; see ``train_events``."""
        return train_events(self.state, self.objective, self.config)

    def checkpoint(self) -> Model:
        """Return the run as it stands. Arrays are shared, not copied."""
        steps = self.objective.batches.steps_per_epoch
        return Model.of(
            self.config,
            self.vocabulary,
            self.state,
            self.sha256,
            origin=Origin.of(self.sources, len(self.val_ids), steps, self.start),
            seen_lines=self.seen_lines,
            ngram=self.ngram,
        )

    def finish(self) -> None:
        """Fit the weight of the network beside the n-grams, before the last checkpoint."""
        if self.ngram is None:
            return
        V, line_break = len(self.vocabulary), _line_break(self.config, self.corpus)
        parts, held_out = [(self.ngram, self.val_ids)], len(self.val_ids) > 1
        if not held_out:
            train_ids, order = self.objective.train_ids, self.config.data.ngram
            parts = list(leave_out(train_ids, V, order, line_break))
        weights, loss = Mixture.fit(
            self.checkpoint().network(), parts, line_break, seen=not held_out
        )
        self.ngram = self.ngram.with_weights(weights, loss if held_out else None)


def _text_memory(config: Config, corpus: Corpus) -> None:
    memory.require(
        memory.estimate(config, len(corpus.vocabulary), corpus.ids),
        "try a smaller --hidden-size, --batch-size, --seq-length or --layers",
    )


def _line_break(config: Config, corpus: Corpus) -> int | None:
    return corpus.vocabulary.index["\n"] if config.data.lines else None


def _ngrams(config: Config, corpus: Corpus, train_ids: Ids) -> NGrams | None:
    if not config.data.ngram:
        return None
    V, line_break = len(corpus.vocabulary), _line_break(config, corpus)
    return build_ngrams(train_ids, V, config.data.ngram, line_break=line_break)


def _seen(config: Config, corpus: Corpus) -> Bits | None:
    return seen_lines(flat_lines(corpus), corpus.vocabulary) if config.data.lines else None
