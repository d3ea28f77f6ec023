"""The checkpoint of a text classifier: one .npz file that holds everything it is.

What its header has beyond what all have (see ``container``): ``kind``, and ``labels``, the names of
the classes. The vocabulary stands for V + 1 ids: the last is that of every character never seen.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint import format as container
from charrnn.checkpoint.format import Saved, require
from charrnn.config import ClassifierConfig
from charrnn.nn.cells import Array
from charrnn.nn.classifier import SequenceClassifier, param_shapes
from charrnn.text.sequences import Examples
from charrnn.text.vocabulary import Vocabulary
from charrnn.training.classification import ClassifierState, log_probabilities


@dataclass
class ClassifierCheckpoint(Saved[ClassifierConfig]):
    """A text classifier, and what is needed to train it further; see ``Saved``.

    labels   names of the classes, in their order
    """

    labels: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        config: ClassifierConfig,
        vocabulary: Vocabulary,
        labels: Sequence[str],
        state: ClassifierState,
        sha256: str = "",
    ) -> "ClassifierCheckpoint":
        """Return the checkpoint of a training run as it stands. Arrays are shared, not copied."""
        return cls(
            config,
            vocabulary,
            state.model.on(state.weights).params,
            container.resume_arrays(state),
            container.progress_of(state),
            state.history,
            sha256,
            labels,
        )

    def model(self) -> SequenceClassifier:
        """Return the classifier of ids 0 to V."""
        model = SequenceClassifier(self.config.model, len(self.vocabulary) + 1, len(self.labels))
        for name, array in self.weights.items():
            model.params[name][...] = array
        return model

    def training_state(self) -> ClassifierState:
        """Return the state from which training goes on."""
        state = ClassifierState.start(self.config, len(self.vocabulary) + 1, len(self.labels))
        self.restore(state, self.model().flat)
        return state

    def examples(self, texts: Sequence[str], labels: Sequence[str] | None = None) -> Examples:
        """Return texts as the classifier reads them, with their classes if they are known.

        Raises TypeError for a single text: its characters would be taken for texts.
        """
        if isinstance(texts, str):
            raise TypeError("expected a list of texts, not one text")
        index = {label: number for number, label in enumerate(self.labels)}
        classes = [index[label] for label in labels] if labels else np.zeros(len(texts), np.intp)
        return Examples.of_texts(texts, classes, self.vocabulary, self.config.data.max_length)

    def probabilities(self, texts: Sequence[str], model: SequenceClassifier | None = None) -> Array:
        """Return the probability of every class for each text, (S, K).

        model   that of this checkpoint, if it is at hand
        """
        return np.exp(log_probabilities(model or self.model(), self.examples(texts)))


def save_classifier(path: str | os.PathLike[str], checkpoint: ClassifierCheckpoint) -> None:
    """Write a checkpoint atomically.

    Raises CheckpointError naming the path if it cannot be written.
    """
    checkpoint.save(path, kind="classifier", labels=list(checkpoint.labels))


def load_classifier(path: str | os.PathLike[str]) -> ClassifierCheckpoint:
    """Read the checkpoint of a classifier.

    Raises CheckpointError for a file that cannot be read, is not such a checkpoint, or is damaged;
    no other exception, whatever the bytes.
    """
    return container.load(path, "classifier", _interpret)


def _interpret(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ClassifierCheckpoint:
    keys = container.HEADER_KEYS | {"labels"}
    require(header.keys() == keys, "the header has missing or unexpected entries")
    config = ClassifierConfig.from_dict(header["config"])
    vocabulary = container.checked_vocabulary(header)
    labels = header["labels"]
    require(
        isinstance(labels, list)
        and len(labels) > 1
        and all(isinstance(label, str) for label in labels)
        and not any("\ud800" <= character <= "\udfff" for label in labels for character in label)
        and len(set(labels)) == len(labels),
        "the labels must be two or more different texts",
    )
    shapes = param_shapes(config.model, len(vocabulary) + 1, len(labels))
    weights, resume = container.checked_arrays(
        arrays, config.model, shapes, container.resume_shapes(config.optimizer.name, shapes)
    )
    return ClassifierCheckpoint(
        config,
        vocabulary,
        weights,
        resume,
        container.checked_progress(header),
        container.checked_history(header),
        header["sha256"],
        labels,
    )
