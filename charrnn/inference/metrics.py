"""How good predictions are: the confusion matrix and what follows from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassReport:
    """How well a class is recognized.

    precision   share of those predicted to be of this class that are
    recall      share of this class that was predicted to be
    f1          harmonic mean of the two
    count       how many are of this class
    """

    precision: float
    recall: float
    f1: float
    count: int


def confusion_matrix(
    labels: NDArray[np.intp], predicted: NDArray[np.intp], classes: int
) -> NDArray[np.int64]:
    """Return how many of each class (rows) were predicted to be of each (columns), (K, K)."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_reports(confusion: NDArray[np.int64]) -> list[ClassReport]:
    """Return the figures of every class; 0 for what is undefined."""
    reports = []
    for number, row in enumerate(confusion):
        right, count, predicted = int(row[number]), int(row.sum()), int(confusion[:, number].sum())
        precision, recall = right / max(predicted, 1), right / max(count, 1)
        f1 = 2 * right / max(count + predicted, 1)
        reports.append(ClassReport(precision, recall, f1, count))
    return reports
