"""Classification metrics: the confusion matrix, precision, recall and F1."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassReport:
    """The metrics of one class.

    precision   true positives as a share of all predictions of this class
    recall      true positives as a share of all examples of this class
    f1          harmonic mean of precision and recall
    count       number of examples of this class (support)
    """

    precision: float
    recall: float
    f1: float
    count: int


def confusion_matrix(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int
) -> NDArray[np.int64]:
    """Return the confusion matrix (K, K): counts by true class (rows) and prediction (columns)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_reports(confusion: NDArray[np.int64]) -> list[ClassReport]:
    """Return the metrics of every class; undefined ones are 0."""
    reports = []
    for number, row in enumerate(confusion):
        right, count, predicted = int(row[number]), int(row.sum()), int(confusion[:, number].sum())
        precision, recall = right / max(predicted, 1), right / max(count, 1)
        f1 = 2 * right / max(count + predicted, 1)
        reports.append(ClassReport(precision, recall, f1, count))
    return reports


# The standard normal distribution has 95 % of its mass within this distance of its mean.
DEVIATIONS = 1.959964


@dataclass(frozen=True)
class Evaluation:
    """How well a classifier does on examples whose classes are known.

    confusion           counts by true class (rows) and prediction (columns), (K, K)
    accuracy            share of the examples with the right prediction; 0 without examples
    accuracy_interval   where the accuracy on more such examples lies with 95 % confidence
    macro_f1            mean of the F1 of the classes that have examples
    classes             metrics of every class (K)
    """

    confusion: NDArray[np.int64]
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    classes: list[ClassReport]

    @classmethod
    def of(cls, confusion: NDArray[np.int64]) -> "Evaluation":
        """Return what a confusion matrix says."""
        right, count = int(np.trace(confusion)), int(confusion.sum())
        reports = class_reports(confusion)
        scores = [report.f1 for report in reports if report.count]
        return cls(
            confusion,
            right / max(count, 1),
            wilson_interval(right, count),
            sum(scores) / max(len(scores), 1),
            reports,
        )


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share, from 0 to 1.

    right   successes among ``count`` independent trials

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927. It
    stays within 0 and 1 and holds for few trials too.
    """
    if not count:
        return 0.0, 1.0
    share, square = right / count, DEVIATIONS**2 / count
    center = share + square / 2
    spread = math.sqrt(square * (share * (1 - share) + square / 4))
    return (
        max((center - spread) / (1 + square), 0.0),
        min((center + spread) / (1 + square), 1.0),
    )
