"""A text classifier, and the run that learns one."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Self, cast

import numpy as np

from charrnn.checkpoint.checkpoint import Checkpoint
from charrnn.checkpoint.format import Arrays, Header, Kind, require
from charrnn.config import ClassifierConfig
from charrnn.errors import CorpusError
from charrnn.inference.prediction import log_probabilities
from charrnn.models.runs import NOTHING, Run, another_number, require_same_run, with_workers
from charrnn.nn.cells import Array
from charrnn.nn.classifier import SequenceClassifier, param_shapes
from charrnn.text.labelled import Labelled
from charrnn.text.reading import normalized
from charrnn.text.sequences import Examples, split_numbers
from charrnn.text.vocabulary import Vocabulary, escape
from charrnn.training import memory
from charrnn.training.loop import Event
from charrnn.training.sequence_labels import SequenceLabels, fit_classifier_config, initial_state
from charrnn.training.state import Progress

MAX_CLASSES = 1000


@dataclass
class Classifier(Checkpoint[ClassifierConfig]):
    """A text classifier, in the manner of scikit-learn.

        classifier = charrnn.Classifier.new().fit(texts, labels)
        classifier.predict(["Bonjour tout le monde"])           # ["fr"]
        classifier.predict_proba(["Bonjour tout le monde"])     # (1, K)
        classifier.save("language.npz")

    config       all settings of the run that made it
    vocabulary   the characters it knows; one id more stands for all unknown ones
    labels       names of the classes (K), in the order of the probabilities
    weights      named arrays, after torch.nn
    history      losses in the course of training, in nats per text
    sha256       of what it was trained on
    resume, progress   what ``training_state`` is made of
    """

    kind: ClassVar[Kind] = "classifier"
    header_extras: ClassVar[frozenset[str]] = frozenset({"labels"})

    labels: Sequence[str] = ()

    @classmethod
    def new(cls, config: ClassifierConfig | None = None) -> Self:
        """Return a classifier that has learned nothing yet; see ``fit``."""
        return cls(config or ClassifierConfig(), Vocabulary("\0"), {}, {}, Progress())

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        on_event: Callable[[Event], object] | None = None,
    ) -> Self:
        """Learn from labeled texts, from the beginning. Returns the classifier.

        texts      as many as labels
        labels     of two or more classes
        on_event   called after every training step

        Raises CorpusError for texts and labels that do not fit or cannot be learned, TypeError for
        a single text.
        """
        run = LabelRun.new(self.config, _labelled(texts, labels))
        for event in run.events():
            if on_event is not None:
                on_event(event)
        self.__dict__.pop("_network", None)
        for entry in fields(self):
            setattr(self, entry.name, getattr(run.checkpoint(), entry.name))
        return self

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Return the likeliest label of each text."""
        return [self.labels[row] for row in self.predict_proba(texts).argmax(axis=-1)]

    def predict_proba(self, texts: Sequence[str]) -> Array:
        """Return the probability of every class for each text, (N, K), in the order of ``labels``.

        Raises TypeError for a single text: its characters would be taken for texts.
        """
        if not self.labels:
            raise CorpusError("the classifier has learned nothing yet", hint="call fit first")
        probabilities: Array = np.exp(log_probabilities(self._network, self.examples(texts)))
        return probabilities

    def examples(self, texts: Sequence[str], labels: Sequence[str] | None = None) -> Examples:
        """Return texts as the classifier reads them, with their classes if they are known."""
        if isinstance(texts, str):
            raise TypeError("expected a list of texts, not one text")
        index = {label: number for number, label in enumerate(self.labels)}
        classes = [index[label] for label in labels] if labels else np.zeros(len(texts), np.intp)
        data = self.config.data
        known = [normalized(text, data.normalize) for text in texts]
        return Examples.of_texts(known, classes, self.vocabulary, data.max_length)

    def network(self) -> SequenceClassifier:
        """Return a classifier of ids 0 to V with these weights, the caller's own."""
        return cast("SequenceClassifier", self.network_copy())

    @cached_property
    def _network(self) -> SequenceClassifier:
        return self.network()

    @classmethod
    def config_of(cls, values: object) -> ClassifierConfig:
        """See ``Checkpoint.config_of``."""
        return ClassifierConfig.from_dict(values)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """See ``Checkpoint.shapes``."""
        return param_shapes(self.config.model, len(self.vocabulary) + 1, len(self.labels))

    def empty_network(self) -> SequenceClassifier:
        """See ``Checkpoint.empty_network``."""
        return SequenceClassifier(self.config.model, len(self.vocabulary) + 1, len(self.labels))

    def extra_entries(self) -> Header:
        """See ``Checkpoint.extra_entries``."""
        return {"kind": self.kind, "labels": list(self.labels)}

    @classmethod
    def extra_of(cls, header: Header, arrays: Arrays) -> dict[str, Any]:  # noqa: ARG003
        """See ``Checkpoint.extra_of``."""
        labels = header.get("labels")
        require(
            isinstance(labels, list)
            and len(labels) > 1
            and all(isinstance(label, str) for label in labels)
            and not any("\ud800" <= char <= "\udfff" for label in labels for char in label)
            and len(set(labels)) == len(labels),
            "the labels must be two or more different texts",
        )
        return {"labels": labels}


def _labelled(texts: Sequence[str], labels: Sequence[str]) -> Labelled:
    if isinstance(texts, str):
        raise TypeError("expected a list of texts, not one text")
    if len(texts) != len(labels):
        raise CorpusError(f"{len(texts)} texts and {len(labels)} labels do not fit")
    digest = hashlib.sha256(json.dumps([list(texts), list(labels)]).encode()).hexdigest()
    return Labelled(list(texts), list(labels), digest)


@dataclass(kw_only=True)
class LabelRun(Run[ClassifierConfig]):
    """A run that learns to classify labeled texts.

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
        fitted = with_workers(fitted, max(1, int(train.lengths.mean())))
        memory.require(
            memory.estimate_classifier(fitted, len(vocabulary) + 1, len(labels), train),
            "try a smaller --hidden-size, --batch-size, --max-length or --layers",
        )
        notes = [] if loaded is None else another_number(fitted, loaded.config)
        if loaded is None:
            state = initial_state(fitted, len(vocabulary) + 1, len(labels))
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
            sources=labelled.sources,
            start=NOTHING if loaded is None else loaded.start,
            notes=notes,
            labels=labels,
            train=train,
            held_out=held_out,
        )

    def checkpoint(self) -> Classifier:
        """See ``Run.checkpoint``."""
        return Classifier.of(
            self.config,
            self.vocabulary,
            self.state,
            self.sha256,
            origin=self.origin(len(self.held_out)),
            labels=self.labels,
        )


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
