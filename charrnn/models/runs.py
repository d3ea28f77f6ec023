"""Training runs, made ready: from a text or from labelled texts to a state and an objective.

The command line and the Python API both train like this:

    run = TextRun.new(config, corpus, fixed)
    for event in run.events(): ...
    run.checkpoint().save(path)
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Generic, Self

import numpy as np

from charrnn.config import AnyConfig, ClassifierConfig, Config, RunConfig
from charrnn.errors import ConfigError, CorpusError
from charrnn.models.classifier import Classifier
from charrnn.models.model import Model
from charrnn.models.transfer import merge_vocabularies, transfer_weights
from charrnn.parallel.launch import default_workers, start_method
from charrnn.text.corpus import Corpus
from charrnn.text.labelled import Labelled
from charrnn.text.sequences import Examples, split_numbers
from charrnn.text.split import split
from charrnn.text.vocabulary import Ids, Vocabulary, escape
from charrnn.training import memory
from charrnn.training.loop import Event, fit_config, train_events
from charrnn.training.next_character import NextCharacter, initial_state
from charrnn.training.objective import Objective
from charrnn.training.recipe import Recommendation, recommend
from charrnn.training.sequence_labels import (
    SequenceLabels,
    fit_classifier_config,
)
from charrnn.training.sequence_labels import initial_state as initial_classifier_state
from charrnn.training.state import TrainingState

MAX_CLASSES = 1000

# What a resumed run may change without becoming another run.
CHANGEABLE = {
    ("optimizer", "learning_rate"),
    ("run", "seconds"),
    ("run", "epochs"),
    ("run", "steps"),
    ("run", "patience"),
    ("run", "workers"),
}


@dataclass(kw_only=True)
class Run(ABC, Generic[AnyConfig]):
    """A training run: everything it works on.

    config       complete, fitted to what there is to learn
    vocabulary   the characters of the model
    state        where training starts; changes as it goes
    objective    what to learn
    sha256       of the bytes that were read
    notes        what a user may want to know before it starts
    """

    config: AnyConfig
    vocabulary: Vocabulary
    state: TrainingState[Any]
    objective: Objective[Any]
    sha256: str = ""
    notes: list[str] = field(default_factory=list)

    def events(self) -> Generator[Event, None, None]:
        """Train, yielding an Event after every step; see ``train_events``."""
        return train_events(self.state, self.objective, self.config)

    @abstractmethod
    def checkpoint(self) -> Model | Classifier:
        """Return the run as it stands. Arrays are shared, not copied."""


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
    def new(
        cls,
        config: Config,
        corpus: Corpus,
        fixed: set[str],
        source: Model | None = None,
    ) -> Self:
        """Make a run ready that starts from the beginning.

        fixed    names of the settings that someone gave; the others may be chosen
        source   a model whose weights it starts from; its characters are kept

        Raises CorpusError for a text too short to learn, ConfigError for settings that do not fit,
        TrainingError for more memory than there is.
        """
        if source is not None:
            corpus = corpus.encoded_with(merge_vocabularies(source.vocabulary, corpus.vocabulary))
            fixed = fixed | {"hidden_size"}
        train_ids, val_ids = split(corpus.ids, config.data.val_fraction)
        fitted = fit_config(config, len(train_ids))
        notes = _fitting_notes(config, fitted, fixed)
        began, vocab_size = time.perf_counter(), len(corpus.vocabulary)
        _text_memory(_with_workers(fitted), corpus)
        recommendation = recommend(fitted, fixed, train_ids, vocab_size)
        chosen = _with_workers(recommendation.config)
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
            notes=[*(f"warning: {text}" for text in corpus.warnings), *notes],
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
        config = _with_workers(config)
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


@dataclass(kw_only=True)
class LabelRun(Run[ClassifierConfig]):
    """A run that learns to classify labelled texts.

    labels            names of the classes
    train, held_out   the two parts of the examples
    """

    labels: Sequence[str]
    train: Examples
    held_out: Examples

    @classmethod
    def new(cls, config: ClassifierConfig, labelled: Labelled) -> Self:
        """Make a run ready that starts from the beginning.

        Raises CorpusError for examples that cannot be learned, ConfigError for settings that do not
        fit, TrainingError for more memory than there is.
        """
        labels = sorted(set(labelled.labels))
        if len(labels) > MAX_CLASSES:
            raise CorpusError(
                f"{len(labels):,} different labels, at most {MAX_CLASSES:,} can be told apart",
                hint="is the text in the place of the label? --label-column",
            )
        if len(labels) == 1:
            raise CorpusError(
                f"all texts have the label {labels[0]!r}",
                hint="a classifier needs examples of two or more",
            )
        return cls._made(config, labelled, labels, None)

    @classmethod
    def resumed(cls, loaded: Classifier, config: ClassifierConfig, labelled: Labelled) -> Self:
        """Make the run of a checkpoint ready to go on.

        Raises CorpusError for unknown labels, ConfigError for a config that would make another run
        of it.
        """
        if unknown := sorted(set(labelled.labels) - set(loaded.labels)):
            raise CorpusError(
                "the examples have labels that the checkpoint was not trained on: "
                f"{', '.join(map(escape, unknown))}",
                hint="start a new run, with another -o",
            )
        return cls._made(config, labelled, list(loaded.labels), loaded)

    @classmethod
    def _made(
        cls,
        config: ClassifierConfig,
        labelled: Labelled,
        labels: list[str],
        loaded: Classifier | None,
    ) -> Self:
        known = None if loaded is None else loaded.vocabulary
        vocabulary, train, held_out = _split_examples(config, labelled, labels, known)
        fitted = fit_classifier_config(config, len(train))
        if loaded is not None and fitted.data.batch_size < config.data.batch_size:
            raise CorpusError(
                f"{len(train)} texts to learn from are fewer than the checkpoint's batch of "
                f"{config.data.batch_size}",
                hint="resume with the examples that it was trained on, or start a new run",
            )
        if loaded is not None:
            require_same_run(fitted, loaded.config)
        fitted = _with_workers(fitted, max(1, int(train.lengths.mean())))
        memory.require(
            memory.estimate_classifier(fitted, len(vocabulary) + 1, len(labels), train),
            "try a smaller --hidden-size, --batch-size, --max-length or --layers",
        )
        notes = []
        if loaded is None:
            state = initial_classifier_state(fitted, len(vocabulary) + 1, len(labels))
        else:
            state = loaded.training_state()
            if labelled.sha256 != loaded.sha256:
                notes.append(
                    "warning: the examples have changed since the checkpoint was trained: some of "
                    "those held out now may have been trained on"
                )
                state.forget_best()
        return cls(
            config=fitted,
            vocabulary=vocabulary,
            state=state,
            objective=SequenceLabels(fitted, train, held_out),
            sha256=labelled.sha256,
            notes=notes,
            labels=labels,
            train=train,
            held_out=held_out,
        )

    def checkpoint(self) -> Classifier:
        """See ``Run.checkpoint``."""
        return Classifier.of(
            self.config, self.vocabulary, self.state, self.sha256, labels=self.labels
        )


def option(setting: str) -> str:
    """Return the name of the command-line option that gives a setting."""
    names = {"cell": "model", "seconds": "time", "name": "optimizer"}
    return f"--{names.get(setting, setting).replace('_', '-')}"


def changed_settings(config: AnyConfig, stored: AnyConfig) -> list[str]:
    """Return the options that would make another run of the stored one."""
    return [
        option(setting)
        for part, settings in asdict(config).items()
        for setting, value in settings.items()
        if (part, setting) not in CHANGEABLE and value != getattr(getattr(stored, part), setting)
    ]


def require_same_run(config: AnyConfig, stored: AnyConfig) -> None:
    """Raise ConfigError if a resumed run would become another one."""
    if changed := changed_settings(config, stored):
        changeable = ", ".join(option(setting) for _, setting in sorted(CHANGEABLE))
        raise ConfigError(
            f"a resumed run cannot change {', '.join(changed)}", hint=f"it can change {changeable}"
        )


def check_workers(run: RunConfig, batch_size: int) -> None:
    """Raise ConfigError for more workers than this system or this batch allows."""
    workers = run.workers or 1
    if workers > 1 and start_method() is None:
        raise ConfigError("this system allows one worker only", hint="--workers 1")
    if workers > batch_size:
        raise ConfigError(
            f"{workers} workers are more than the {batch_size} samples of a batch",
            hint=f"--workers {batch_size} or less, or a larger --batch-size",
        )


def _with_workers(config: AnyConfig, length: int | None = None) -> AnyConfig:
    """Return the config with a number of workers that this machine and this batch allow.

    length   steps of a sample, if the config does not say
    """
    data, run = config.data, config.run
    steps = getattr(data, "seq_length", length) or 1
    workers = run.workers or default_workers(config.model, steps, data.batch_size)
    run = replace(run, workers=workers)
    check_workers(run, data.batch_size)
    return replace(config, run=run)


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


def _split_examples(
    config: ClassifierConfig, labelled: Labelled, labels: list[str], vocabulary: Vocabulary | None
) -> tuple[Vocabulary, Examples, Examples]:
    """Return the vocabulary, that of the training part if none is given, and the two parts."""
    index = {label: number for number, label in enumerate(labels)}
    classes = np.array([index[label] for label in labelled.labels], np.intp)
    texts = [text[: config.data.max_length] for text in labelled.texts]
    if not any(texts):
        raise CorpusError("all texts are empty: there is nothing to learn from")
    # By all characters, so that a resumed run finds the same copies and splits in the same way.
    every = Vocabulary.from_text("".join(texts))
    whole = Examples.of_texts(texts, classes, every, config.data.max_length)
    parts = split_numbers(whole, config.data.val_fraction, config.run.random_seed)
    if vocabulary is None:
        # What occurs in held-out texts alone is as unknown as what occurs nowhere.
        seen = "".join(texts[number] for number in parts[0])
        vocabulary = Vocabulary.from_text(seen or "".join(texts))
    examples = Examples.of_texts(texts, classes, vocabulary, config.data.max_length)
    train, held_out = (examples.select(part) for part in parts)
    return vocabulary, train, held_out
