"""A trained text classifier."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Self, cast

import numpy as np

from charrnn.checkpoint.checkpoint import Checkpoint
from charrnn.checkpoint.format import Header, Kind, require
from charrnn.config import ClassifierConfig
from charrnn.errors import CorpusError
from charrnn.inference.prediction import log_probabilities
from charrnn.nn.cells import Array
from charrnn.nn.classifier import SequenceClassifier, param_shapes
from charrnn.text.labelled import Labelled
from charrnn.text.reading import normalized
from charrnn.text.sequences import Examples
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.loop import Event
from charrnn.training.state import Progress


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
        """Learn from labelled texts, from the beginning. Returns the classifier.

        texts      as many as labels
        labels     of two or more classes
        on_event   called after every training step

        Raises CorpusError for texts and labels that do not fit or cannot be learned, TypeError for
        a single text.
        """
        from charrnn.models.runs import LabelRun  # noqa: PLC0415  # which makes classifiers

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
    def extra_of(cls, header: Header) -> dict[str, Any]:
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
