"""A training run: from settings and a text to a model.

    run = Run.new(choose_start(None, config, fixed, corpus), corpus, fixed)
    for event in run.events(): ...
    run.finish()
    run.model().save(path)

The command line and ``charrnn.train`` both train like this.
"""

import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from typing import Any, Self

import numpy as np

from charrnn.checkpoint.header import MAX_SOURCES, Origin, name_file
from charrnn.config import Config
from charrnn.errors import ConfigError, CorpusError, TrainingError
from charrnn.generate.seen import Bits, seen_pieces, seen_spans
from charrnn.models.model import Model
from charrnn.models.start import Start, recode_counts, transfer_weights
from charrnn.ngrams.count import Counts
from charrnn.ngrams.fitting import Fit, fit_weights, leave_out
from charrnn.ngrams.kneser_ney import NGrams, build_ngrams
from charrnn.parallel import mpi
from charrnn.parallel.launch import default_workers
from charrnn.parallel.machine import can_fork
from charrnn.settings import flatten, option_name
from charrnn.text.corpus import Corpus
from charrnn.text.pieces import Sizes, flatten_pieces, piece_sizes, split_pieces
from charrnn.text.split import split
from charrnn.text.vocabulary import Ids, Vocabulary, escape
from charrnn.text.windows import make_batches
from charrnn.training.loop import Event, fit_config, train_events
from charrnn.training.memory import require_memory
from charrnn.training.recipe import Recommendation, recommend, use_cores
from charrnn.training.state import TrainingState, initial_state
from charrnn.training.step import Trainer

# What a resumed run may change without becoming another run.
CHANGEABLE = ("ngram", "learning_rate", "epochs", "patience", "seconds", "steps", "workers")


@dataclass
class Run:
    """A training run that is ready to go.

    config           complete, fitted to the text
    corpus           the text
    train_ids        what to train on, and
    val_ids          what is held out
    state            where training starts; changes as it goes
    start            the base model or checkpoint whose weights it started from; "none": random
                     weights; None: not known, of a run that is resumed
    notes            what a user may want to know before it starts
    older            the model it started from or goes on from: what that has read counts as seen
    older_counts     n-grams to be added if they help; None: no others
    recommendation   how the settings that were not given were chosen; None for a resumed run
    ngram            the n-grams of what is trained on; None: none are wanted
    sizes            of the pieces of the text; None: it is a stream
    seen             the filters of what was read, as fields of a ``Model``
    """

    config: Config
    corpus: Corpus
    train_ids: Ids
    val_ids: Ids
    state: TrainingState
    start: str | None
    notes: list[str]
    older: InitVar[Model | None]
    _: KW_ONLY
    older_counts: Counts | None = None
    recommendation: Recommendation | None = None
    ngram: NGrams | None = None
    sizes: Sizes | None = field(init=False, default=None)
    seen: dict[str, Bits | None] = field(init=False, default_factory=dict)

    def __post_init__(self, older: Model | None) -> None:
        ids, vocabulary = self.corpus.ids, self.corpus.vocabulary
        self.notes = [*(f"warning: {text}" for text in self.corpus.warnings), *self.notes]
        if self._end is not None:
            pieces = flatten_pieces(ids, self._end)
            self.sizes = piece_sizes(pieces)
            known = None if older is None else older.seen_pieces
            self.seen["seen_pieces"] = seen_pieces(pieces, vocabulary, known)
        spans = None if older is None else older.seen_spans
        self.seen["seen_spans"] = seen_spans(ids, vocabulary, spans)
        if self.ngram is None and self.config.data.ngram:
            self.ngram = self._count()

    @classmethod
    def new(cls, start: Start, corpus: Corpus, fixed: set[str]) -> Self:
        """Make a run ready that starts from the beginning.

        start   its settings, and the model whose weights it starts from; its characters are kept
        fixed   names of the settings that were given; the others may be chosen

        Raises CorpusError for a text too short to learn, ConfigError for settings that do not fit,
        TrainingError for more memory than there is.
        """
        began, source, config = time.perf_counter(), start.source, start.config
        if source is not None:
            corpus = corpus.encoded_with(corpus.vocabulary.merge(source.vocabulary))
            fixed = fixed | {"hidden_size", "members"}
        train_ids, val_ids = split_corpus(config, corpus)
        wished = use_cores(config, fixed, len(train_ids))
        config = fit_config(wished, len(train_ids))
        notes = [*_describe_fit(wished, config, fixed), *start.notes]
        size = len(corpus.vocabulary)
        require_memory(choose_workers(config), size, corpus.ids)
        fine_tuning, known = source is not None, start.is_known
        chosen = recommend(config, fixed, train_ids, size, fine_tuning=fine_tuning, known=known)
        config = choose_workers(chosen.config)
        require_memory(config, size, corpus.ids)
        state = initial_state(config, size, train_ids)
        older_counts = None
        if source is not None:
            networks = zip(source.ensemble().networks, state.networks, strict=True)
            for trained, target in networks:
                transfer_weights(trained, source.vocabulary, target, corpus.vocabulary)
            if start.is_growing:
                older_counts = recode_counts(source, corpus.vocabulary, config.data)
        parts = config, corpus, train_ids, val_ids, state, name_file(start.name), notes, source
        run = cls(*parts, older_counts=older_counts, recommendation=chosen)
        # The time limit includes the time that the choice took.
        if config.run.seconds is not None:
            run.state.advance(seconds=time.perf_counter() - began)
        return run

    @classmethod
    def resume(cls, model: Model, config: Config, corpus: Corpus) -> Self:
        """Make the run of a checkpoint ready to go on.

        Raises CorpusError for a text with unknown characters, ConfigError for a config that would
        make another run of it.
        """
        if unknown := model.vocabulary.unknown(corpus.vocabulary.characters):
            raise CorpusError(
                "the text has characters that the checkpoint was not trained on: "
                f"{' '.join(map(escape, unknown))}",
                hint="start a new run from its weights: --from CHECKPOINT -o NEW.npz",
            )
        state, notes, before = model.training_state(), [], model.config
        ngram = model.ngram if config.data.ngram == before.data.ngram else None
        if corpus.sha256 != model.sha256:
            notes.append("warning: the corpus has changed since the checkpoint was trained")
            ngram = None
            state.forget_best()  # it was the best at predicting another text
        if config.run.seconds != before.run.seconds:
            state.advance(decay_since=1.0, evaluations_since_best=0)  # there is time for more
        corpus = corpus.encoded_with(model.vocabulary)
        train_ids, val_ids = split_corpus(config, corpus)
        config = fit_config(config, len(train_ids))
        _require_same_run(config, before)
        config = choose_workers(config)
        if before.run.workers not in {None, config.run.workers}:
            notes.append(
                f"goes on in {config.run.workers} process(es) instead of {before.run.workers}: "
                "not the same to the last digit"
            )
        require_memory(config, len(corpus.vocabulary), corpus.ids)
        start = None if model.origin is None else model.origin.start
        return cls(config, corpus, train_ids, val_ids, state, start, notes, model, ngram=ngram)

    def events(self, stop: Callable[[], bool] = lambda: False) -> Generator[Event, None, None]:
        """Train, yielding an Event after every step; see ``train_events``."""
        parts = self.config, self.train_ids, self.val_ids, self.state
        if (comm := mpi.world()) is not None:
            comm.bcast(parts)  # to those who follow
        return train_events(Trainer(*parts), stop)

    def finish(self) -> None:
        """Fit the weights of the network beside the n-grams, when training has ended.

        N-grams of the model that it started from are added if they lower the held-out loss.
        """
        if self.ngram is None:
            return
        fits = [(self._fit(self.ngram, None), self.ngram)]
        if self.older_counts is not None:
            more = self._count(self.older_counts)
            fits.append((self._fit(more, self.older_counts), more))
        fit, ngram = min(fits, key=lambda each: each[0].nats)
        val_loss = fit.nats if len(self.val_ids) > 1 else None
        self.ngram = ngram.with_weights(fit.weights, val_loss, fit.spelled)

    def _fit(self, ngram: NGrams, older: Counts | None) -> Fit:
        """Fit the weights of the network beside n-grams, and choose the characters they spell."""
        vocabulary, end = self.vocabulary, self.config.data.end
        every = np.ones(len(vocabulary), bool)
        within = np.array([char not in {"\n", end} for char in vocabulary.characters])
        if held_out := len(self.val_ids) > 1:
            parts, spelled = [(ngram, self.val_ids)], [vocabulary.in_words(), within, every]
        else:
            order, size = self.config.data.ngram, len(vocabulary)
            parts = list(leave_out(self.train_ids, size, order, self._end, older))
            # Lines end as words do; where longer pieces end, a network knows better.
            spelled = [every if end == "\n" else within]
        spelled = [each for each in spelled if each.any()] or [every]
        network, pieces = self.model().ensemble(), end is not None
        return fit_weights(network, parts, spelled=spelled, pieces=pieces, trained_on=not held_out)

    def _count(self, older: Counts | None = None) -> NGrams:
        order, size = self.config.data.ngram, len(self.vocabulary)
        return build_ngrams(self.train_ids, size, order, end=self._end, older=older)

    def model(self) -> Model:
        """Return the model as it is now. Arrays are shared, not copied."""
        config, corpus = self.config, self.corpus
        batches = make_batches(self.train_ids, config.data, config.run.random_seed)
        origin = Origin(
            sources=tuple(map(name_file, corpus.sources[:MAX_SOURCES])),
            held_out=len(self.val_ids),
            steps_per_pass=batches.steps_per_epoch,
            start=self.start,
            longest=self.sizes.longest if self.sizes else 0,
        )
        facts: dict[str, Any] = {"sha256": corpus.sha256, "origin": origin, "ngram": self.ngram}
        return Model.of(config, corpus.vocabulary, self.state, **facts, **self.seen)

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the model."""
        return self.corpus.vocabulary

    @property
    def _end(self) -> int | None:
        end = self.config.data.end
        return None if end is None else self.corpus.vocabulary.index[end]


def follow(stop: Callable[[], bool]) -> None:
    """Train with the first process of MPI, which reads the text, shows and saves.

    stop   called before every step; if it returns True, all processes stop after the step
    """
    try:
        deque(train_events(Trainer(*mpi.world().bcast(None)), stop), maxlen=0)
    except TrainingError:
        pass  # the first process says it
    except BaseException:
        mpi.abort(1)
        raise


def split_corpus(config: Config, corpus: Corpus) -> tuple[Ids, Ids]:
    """Return what to train on and what is held out: passages, or flat pieces."""
    if config.data.end is None:
        return split(corpus.ids, config.data.val_fraction)
    pieces = flatten_pieces(corpus.ids, corpus.vocabulary.index[config.data.end])
    return split_pieces(pieces, config.data.val_fraction, config.run.random_seed)


def choose_workers(config: Config) -> Config:
    """Return the config with a number of workers that this machine allows."""
    data, run, launched = config.data, config.run, mpi.launched_processes()
    if launched > 1:
        return replace(config, run=replace(run, workers=launched))
    workers = run.workers or default_workers(config.model, data.seq_length, data.batch_size)
    if workers > 1 and not can_fork():
        raise ConfigError("this system allows one worker only", hint="--workers 1")
    return replace(config, run=replace(run, workers=workers))


def _require_same_run(config: Config, stored: Config) -> None:
    """Raise ConfigError if a resumed run would become another one."""
    before = flatten(stored)
    changed = [
        option_name(setting)
        for setting, value in flatten(config).items()
        if setting not in CHANGEABLE and value != before[setting]
    ]
    if changed:
        changeable = ", ".join(map(option_name, CHANGEABLE))
        raise ConfigError(
            f"a resumed run cannot change {', '.join(changed)}", hint=f"it can change {changeable}"
        )


def _describe_fit(config: Config, fitted: Config, fixed: set[str]) -> list[str]:
    """Return what was changed because the text is short."""
    notes = []
    for name in ("seq_length", "batch_size"):
        before, after = getattr(config.data, name), getattr(fitted.data, name)
        if before != after:
            note = f"a short text: {option_name(name)} {after} instead of {before}"
            notes.append(f"warning: {note}" if name in fixed else note)
    return notes
