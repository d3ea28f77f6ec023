"""Classification metrics: the confusion matrix, precision, recall and F1."""

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
