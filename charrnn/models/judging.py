"""How well a classifier does on labeled texts that it has not learned from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from charrnn.errors import CorpusError
from charrnn.inference.metrics import Evaluation, confusion_matrix
from charrnn.models.classifier import Classifier
from charrnn.text.labelled import Labelled
from charrnn.text.vocabulary import escape

AT_ONCE = 2048
MOST_NAMED = 5


@dataclass(frozen=True)
class Mistake:
    """A text that got the wrong label.

    line          where it stands in its file, from 1; None if it comes from no file
    text, label   as in the file
    predicted     the label it got
    probability   of that label
    """

    line: int | None
    text: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Judgement:
    """What a classifier makes of labeled texts.

    texts        number of texts
    answered     number of those that got a label; all figures are about them
    evaluation   accuracy and the other figures
    mistakes     texts that got the wrong label, the most probable wrong label first
    """

    texts: int
    answered: int
    evaluation: Evaluation
    mistakes: list[Mistake]


def judge(
    classifier: Classifier,
    labelled: Labelled,
    *,
    threshold: float | None = None,
    on_progress: Callable[[int], object] | None = None,
) -> Judgement:
    """Return how well a classifier labels texts whose labels are known.

    threshold     a text gets no label if its likeliest class is less probable; None: any will do.
                  A text without characters gets none either
    on_progress   called with the number of texts done since the last call

    Raises CorpusError for labels that the classifier does not know.
    """
    _require_known(classifier, labelled)
    index = {label: number for number, label in enumerate(classifier.labels)}
    classes = np.array([index[label] for label in labelled.labels], np.intp)
    best, probability = np.zeros(len(classes), np.intp), np.zeros(len(classes))
    for start in range(0, len(classes), AT_ONCE):
        rows = classifier.predict_proba(labelled.texts[start : start + AT_ONCE])
        best[start : start + AT_ONCE] = rows.argmax(axis=-1)
        probability[start : start + AT_ONCE] = rows.max(axis=-1)
        if on_progress is not None:
            on_progress(len(rows))
    answered = np.array([bool(text) for text in labelled.texts])
    answered &= probability >= (threshold or 0)
    wrong = np.flatnonzero(answered & (best != classes))
    wrong = wrong[np.argsort(-probability[wrong], kind="stable")]
    confusion = confusion_matrix(classes[answered], best[answered], len(index))
    return Judgement(
        texts=len(classes),
        answered=int(answered.sum()),
        evaluation=Evaluation.of(confusion),
        mistakes=[
            Mistake(
                line=labelled.lines[at] if labelled.lines else None,
                text=labelled.texts[at],
                label=labelled.labels[at],
                predicted=classifier.labels[best[at]],
                probability=float(probability[at]),
            )
            for at in wrong.tolist()
        ],
    )


def _require_known(classifier: Classifier, labelled: Labelled) -> None:
    unknown = sorted(set(labelled.labels) - set(classifier.labels))
    if not unknown:
        return
    named = ", ".join(f"'{escape(label)}'" for label in unknown[:MOST_NAMED])
    more = f" and {len(unknown) - MOST_NAMED} more" if unknown[MOST_NAMED:] else ""
    known = ", ".join(f"'{escape(label)}'" for label in classifier.labels[:MOST_NAMED])
    others = " ..." if classifier.labels[MOST_NAMED:] else ""
    source = f"{', '.join(labelled.sources)}: " if labelled.sources else ""
    raise CorpusError(
        f"{source}the classifier does not know the labels {named}{more}",
        hint=f"it knows {known}{others}; leave the other lines out, or train with them",
    )
