"""A run that learns a text."""

import time
from dataclasses import dataclass
from typing import Self

from charrnn.config import Config
from charrnn.errors import CorpusError
from charrnn.models.model import Model
from charrnn.models.runs import Run, option, require_same_run, with_workers
from charrnn.models.start import Start
from charrnn.models.transfer import merge_vocabularies, transfer_weights
from charrnn.text.corpus import Corpus
from charrnn.text.split import split
from charrnn.text.vocabulary import Ids, escape
from charrnn.training import memory
from charrnn.training.loop import fit_config
from charrnn.training.next_character import NextCharacter, initial_state
from charrnn.training.recipe import Recommendation, recommend


@dataclass(kw_only=True)
class TextRun(Run[Config]):
    """A run that learns a text.

    corpus           the text
    val_ids          what of it is held out
    recommendation   how the settings that nobody gave were chosen; None for a resumed run
    """

    corpus: Corpus
    val_ids: Ids
    recommendation: Recommendation | None = None

    @classmethod
    def new(cls, start: Start, corpus: Corpus, fixed: set[str]) -> Self:
        """Make a run ready that starts from the beginning.

        start   its settings, and the model whose weights it starts from; its characters are kept
        fixed   names of the settings that someone gave; the others may be chosen

        Raises CorpusError for a text too short to learn, ConfigError for settings that do not fit,
        TrainingError for more memory than there is.
        """
        config, source = start.config, start.source
        if source is not None:
            corpus = corpus.encoded_with(merge_vocabularies(source.vocabulary, corpus.vocabulary))
            fixed = fixed | {"hidden_size", "members"}
        train_ids, val_ids = split(corpus.ids, config.data.val_fraction)
        fitted = fit_config(config, len(train_ids))
        notes = _fitting_notes(config, fitted, fixed)
        began, vocab_size = time.perf_counter(), len(corpus.vocabulary)
        _text_memory(with_workers(fitted), corpus)
        recommendation = recommend(
            fitted, fixed, train_ids, vocab_size, fine_tuning=source is not None
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
        # What the choice took is a part of the time that the user gave.
        if chosen.run.seconds is not None:
            state.advance(seconds=time.perf_counter() - began)
        return cls(
            config=chosen,
            vocabulary=corpus.vocabulary,
            state=state,
            objective=NextCharacter(chosen, train_ids, val_ids),
            sha256=corpus.sha256,
            notes=[*(f"warning: {text}" for text in corpus.warnings), *notes, *start.notes],
            corpus=corpus,
            val_ids=val_ids,
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
        train_ids, val_ids = split(corpus.ids, config.data.val_fraction)
        config = fit_config(config, len(train_ids))
        require_same_run(config, loaded.config)
        config = with_workers(config)
        _text_memory(config, corpus)
        return cls(
            config=config,
            vocabulary=corpus.vocabulary,
            state=state,
            objective=NextCharacter(config, train_ids, val_ids),
            sha256=corpus.sha256,
            notes=[*(f"warning: {text}" for text in corpus.warnings), *notes],
            corpus=corpus,
            val_ids=val_ids,
        )

    def checkpoint(self) -> Model:
        """See ``Run.checkpoint``."""
        return Model.of(self.config, self.vocabulary, self.state, self.sha256)


def _text_memory(config: Config, corpus: Corpus) -> None:
    memory.require(
        memory.estimate(config, len(corpus.vocabulary), corpus.ids),
        "try a smaller --hidden-size, --batch-size, --seq-length or --layers",
    )


def _fitting_notes(config: Config, fitted: Config, fixed: set[str]) -> list[str]:
    """Return what was changed because the text is short."""
    notes = []
    for name in ("seq_length", "batch_size"):
        before, after = getattr(config.data, name), getattr(fitted.data, name)
        if before != after and name in fixed:
            notes.append(
                f"warning: {option(name)} {before} is more than the text allows: using {after}"
            )
        elif before != after:
            notes.append(f"a short text: {name.replace('_', ' ')} {after} instead of {before}")
    return notes
