"""Training: from settings and a text to a model.

    run = prepare_run(["corpus.txt"], {"hidden_size": 128})
    for event in run.events(): ...
    run.finish()
    run.model().save(path)

``train`` does this in one call; the command line shows and saves the run as it goes.
"""

import math
import sys
import time as clock
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from functools import cached_property
from os import PathLike, fspath
from typing import Self

import numpy as np

from charrnn.checkpoint.header import MAX_SOURCES, Origin, name_file
from charrnn.config import Config, require
from charrnn.errors import ConfigError, CorpusError, TrainingError
from charrnn.generate.seen import Bits, seen_pieces, seen_spans
from charrnn.models.model import Model
from charrnn.models.start import Start, choose_start, recode_counts, transfer_weights
from charrnn.ngrams.count import Counts
from charrnn.ngrams.fitting import Fit, fit_weights, leave_out
from charrnn.ngrams.kneser_ney import NGrams, build_ngrams
from charrnn.parallel import mpi
from charrnn.parallel.launch import default_workers
from charrnn.parallel.machine import can_fork, return_memory
from charrnn.settings import (
    SETTINGS,
    Given,
    flatten,
    new_config,
    option_name,
    require_known,
    resumed_config,
    sort_settings,
)
from charrnn.text.corpus import Corpus, corpus_of, read_corpus
from charrnn.text.pieces import Sizes, flatten_pieces, piece_sizes
from charrnn.text.split import split, split_pieces
from charrnn.text.vocabulary import Ids, Vocabulary, escape
from charrnn.text.windows import fit_config, make_batches
from charrnn.training.loop import Event, train_events
from charrnn.training.memory import require_memory
from charrnn.training.recipe import Recommendation, recommend, shrink_batch, use_cores
from charrnn.training.state import TrainingState, initial_state
from charrnn.training.step import Trainer

# How tqdm shows progress in Python.
PROGRESS = "{percentage:3.0f}%|{bar}| ETA {remaining}{postfix}"

# While n-grams are fitted, memory of arrays of this size is not kept when they are freed.
LARGE = 1 << 20

# What a resumed run may change without becoming another run.
CHANGEABLE = ("ngram", "learning_rate", "epochs", "patience", "seconds", "steps", "workers")


def train(
    corpus: PathLike[str] | str | Sequence[PathLike[str] | str] = (),
    *,
    text: str | None = None,
    time: str | float | None = None,
    base: str | None = None,
    encoding: str = "utf-8",
    on_event: Callable[[Event], object] = lambda _: None,
    progress: bool = True,
    **settings: object,
) -> Model:
    """Learn to write like a text, and return the trained model.

        model = charrnn.train("corpus.txt", time="60s")

    corpus     path of a text file or of a folder of texts, or several; "-" is standard input
    text       a text, instead of the path of one
    time       when to stop: "90s", "10m", "1h30m", or seconds; 5 minutes if neither this nor
               ``steps`` or ``epochs`` is given
    base       where to start: the path of a checkpoint, the name of a base model, or "none". None:
               the base model that predicts the text, if one does and neither a size nor ``steps``
               or ``epochs`` is given
    encoding   of the files
    on_event   called after every training step; what it raises ends the training
    progress   whether to show it, in a terminal or a notebook
    settings   any setting of ModelConfig, DataConfig, OptimizerConfig and RunConfig by name:
               ``cell="gru"``, ``hidden_size=128``, ``steps=1000``, ``random_seed=1``, ``workers=2``
               ...; an option of the command line goes by its name too: ``optimizer="sgd"``,
               ``lines=True``

    Size, dropout, weight drop and learning rate are chosen from the text and the time unless given.
    It trains in one process unless ``workers`` is given. Ctrl-C, or a notebook's stop button, ends
    the training and warns: the model as it is then is returned. Raises CorpusError for a text that
    cannot be read or learned, ConfigError for a setting that is unknown or out of range,
    TrainingError if training cannot go on.
    """
    given, unknown = sort_settings({"time": time, **settings})
    require_known(unknown, SETTINGS)
    given.setdefault("workers", 1)
    paths = [corpus] if isinstance(corpus, str | PathLike) else corpus
    sources = [fspath(path) for path in paths]
    require(bool(sources) != (text is not None), "one of corpus and text must be given")
    require(isinstance(text, str | None), f"text must be one text, not {text!r}")
    from tqdm import tqdm  # noqa: PLC0415  # for those who train only

    run = prepare_run(sources, given, text=text, start=base, encoding=encoding)
    is_watched = "ipykernel" in sys.modules or (sys.stderr and sys.stderr.isatty())
    with tqdm(total=1, bar_format=PROGRESS, disable=not (progress and is_watched)) as bar:
        try:
            for event in run.events():
                on_event(event)
                bar.set_postfix_str(f"loss {event.train_loss:.3f}", refresh=False)
                bar.update(event.done - bar.n)
        except KeyboardInterrupt:
            done = f"after {run.state.progress.step:,} steps"
            warnings.warn(f"interrupted {done}: this is the model as it is", stacklevel=2)
    run.finish()
    return run.model()


def prepare_run(
    sources: Sequence[str],
    given: Given,
    *,
    text: str | None = None,
    start: str | None = None,
    resumed: PathLike[str] | None = None,
    encoding: str = "utf-8",
) -> "Run":
    """Read a text and return a run that is ready to go, a new one or that of a checkpoint.

    sources    paths of the text; see ``read_corpus``
    given      settings by name; the others are chosen
    text       the text itself, instead of sources
    start      where a new run starts; see ``choose_start``
    resumed    the checkpoint whose run goes on
    encoding   of the files
    """
    model = None if resumed is None else Model.load(resumed)
    config = new_config(given) if model is None else resumed_config(given, model.config)
    if text is None:
        corpus = read_corpus(sources, config.data, encoding=encoding)
    else:
        corpus = corpus_of(text, config.data)
    if model is not None:
        return Run.resume(model, config, corpus)
    return Run.new(choose_start(start, config, set(given), corpus), corpus, set(given))


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
    start_loss       of that on the text before training, in nats per character; None: not known
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
    start_loss: float | None
    notes: list[str]
    older: InitVar[Model | None]
    _: KW_ONLY
    older_counts: Counts | None = None
    recommendation: Recommendation | None = None
    ngram: NGrams | None = None
    sizes: Sizes | None = field(init=False, default=None)
    seen: dict[str, Bits | None] = field(init=False)

    def __post_init__(self, older: Model | None) -> None:
        ids, known, spans = self.corpus.ids, None, None
        self.notes = [*(f"warning: {text}" for text in self.corpus.warnings), *self.notes]
        if older is not None:
            known, spans = older.seen_pieces, older.seen_spans
        self.seen = {"seen_spans": seen_spans(ids, self.vocabulary, spans)}
        if self._end is not None:
            pieces = flatten_pieces(ids, self._end)
            self.sizes = piece_sizes(pieces)
            self.seen["seen_pieces"] = seen_pieces(pieces, self.vocabulary, known)
        if self.ngram is None and self.config.data.ngram:
            self.ngram = self._count()
        return_memory()

    @classmethod
    def new(cls, start: Start, corpus: Corpus, fixed: set[str]) -> Self:
        """Make a run ready that starts from the beginning.

        start   its settings, and the model whose weights it starts from; its characters are kept
        fixed   names of the settings that were given; the others may be chosen

        Raises CorpusError for a text too short to learn, ConfigError for settings that do not fit,
        TrainingError for more memory than there is.
        """
        began, source, config = clock.perf_counter(), start.source, start.config
        if source is not None:
            corpus = corpus.encoded_with(corpus.vocabulary.merge(source.vocabulary))
            fixed = fixed | {"hidden_size", "members"}
        train_ids, val_ids = _split_corpus(config, corpus)
        wished = shrink_batch(config, fixed, len(train_ids))
        wished = use_cores(wished, fixed, len(train_ids))
        config = fit_config(wished, len(train_ids))
        notes = [*_describe_fit(wished, config, fixed), *start.notes]
        size = len(corpus.vocabulary)
        require_memory(_choose_workers(config), size, corpus.ids)
        chosen = recommend(config, fixed, train_ids, size, gain=start.gain)
        config = _choose_workers(chosen.config)
        require_memory(config, size, corpus.ids)
        state = initial_state(config, size, train_ids)
        older_counts = None
        if source is not None:
            networks = zip(source.ensemble().networks, state.networks, strict=True)
            for trained, target in networks:
                transfer_weights(trained, source.vocabulary, target, corpus.vocabulary)
            if start.is_growing:
                older_counts = recode_counts(source, corpus.vocabulary, config.data)
        name, loss = name_file(start.name), start.loss
        parts = config, corpus, train_ids, val_ids, state, name, loss, notes, source
        run = cls(*parts, older_counts=older_counts, recommendation=chosen)
        # The time limit includes the time that the choice took.
        if config.run.seconds is not None:
            run.state.advance(seconds=clock.perf_counter() - began)
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
        corpus = corpus.encoded_with(corpus.vocabulary.merge(model.vocabulary))
        train_ids, val_ids = _split_corpus(config, corpus)
        config = fit_config(config, len(train_ids))
        _require_same_run(config, before)
        config = _choose_workers(config)
        if before.run.workers not in {None, config.run.workers}:
            notes.append(
                f"goes on in {config.run.workers} process(es) instead of {before.run.workers}: "
                "not the same to the last digit"
            )
        require_memory(config, len(corpus.vocabulary), corpus.ids)
        origin = model.origin or Origin((), 0, 0)
        name, loss = origin.start, origin.start_loss
        parts = config, corpus, train_ids, val_ids, state, name, loss, notes, model
        return cls(*parts, ngram=ngram)

    def events(self, stop: Callable[[], bool] = lambda: False) -> Generator[Event, None, None]:
        """Train, yielding an Event after every step; see ``train_events``."""
        parts = self.config, self.train_ids, self.val_ids, self.state
        if (comm := mpi.world()) is not None:
            comm.bcast(parts)  # to those who follow
        return train_events(Trainer(*parts), stop)

    def finish(self) -> None:
        """Fit the weights of the network beside the n-grams, when training has ended.

        N-grams of the model that it started from are added if they lower the held-out loss. All are
        left out if the network alone has the lowest.
        """
        if self.ngram is None:
            return
        return_memory(above=LARGE)
        choices = [self._fit(self.ngram, None)]
        if self.older_counts is not None:
            choices.append(self._fit(self._count(self.older_counts), self.older_counts))
        fit, ngram = min(choices, key=lambda each: each[0].nats)
        self.ngram = None if (fit.weights == 1).all() else ngram
        return_memory()

    def _fit(self, ngram: NGrams, older: Counts | None) -> tuple[Fit, NGrams]:
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
        before = None
        if not held_out:
            before = math.inf if self.start_loss is None else self.start_loss
        fit = fit_weights(network, parts, spelled=spelled, pieces=pieces, loss_before=before)
        loss = fit.nats if held_out else None
        return fit, ngram.with_weights(fit.weights, loss, fit.spelled)

    def _count(self, older: Counts | None = None) -> NGrams:
        order, size = self.config.data.ngram, len(self.vocabulary)
        return build_ngrams(self.train_ids, size, order, end=self._end, older=older)

    def model(self) -> Model:
        """Return the model as it is now. Arrays are shared, not copied."""
        origin = Origin(
            sources=tuple(map(name_file, self.corpus.sources[:MAX_SOURCES])),
            held_out=len(self.val_ids),
            steps_per_pass=self.steps_per_pass,
            start=self.start,
            start_loss=self.start_loss,
            longest=self.sizes.longest if self.sizes else 0,
        )
        facts = {"sha256": self.corpus.sha256, "origin": origin, "ngram": self.ngram, **self.seen}
        return Model.of(self.config, self.vocabulary, self.state, **facts)

    @cached_property
    def steps_per_pass(self) -> int:
        """Steps of a pass through the training text."""
        config = self.config
        return make_batches(self.train_ids, config.data, config.run.random_seed).steps_per_epoch

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


def _split_corpus(config: Config, corpus: Corpus) -> tuple[Ids, Ids]:
    """Return what to train on and what is held out: passages, or flat pieces."""
    if config.data.end is None:
        return split(corpus.ids, config.data.val_fraction)
    pieces = flatten_pieces(corpus.ids, corpus.vocabulary.index[config.data.end])
    return split_pieces(pieces, config.data.val_fraction, config.run.random_seed)


def _choose_workers(config: Config) -> Config:
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
    before, after = flatten(stored), flatten(config)
    changed = [it for it in before if it not in CHANGEABLE and after[it] != before[it]]
    if changed:
        changeable = ", ".join(map(option_name, CHANGEABLE))
        raise ConfigError(
            f"a resumed run cannot change {', '.join(map(option_name, changed))}",
            hint=f"it can change {changeable}",
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
