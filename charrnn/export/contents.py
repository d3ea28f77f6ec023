"""What exported files have in common: named arrays, and everything else as strings."""

import json
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn._version import __version__
from charrnn.models import Model

Arrays = dict[str, NDArray[Any]]


class Contents(NamedTuple):
    """Named arrays, and metadata: for files of charrnn, that of ``metadata``."""

    arrays: Arrays
    metadata: dict[str, str]


def torch_names(model: Model) -> Arrays:
    """Return the weights under the names of a ``state_dict``: rnn.weight_ih_l0, output.weight."""
    return {
        name if name.startswith("output.") else f"rnn.{name}": np.ascontiguousarray(array)
        for name, array in model.weights.items()
    }


def metadata(model: Model) -> dict[str, str]:
    """Return everything except the weights.

    charrnn      the version
    characters   the vocabulary, in the order of the ids
    counts       occurrences of each character, JSON
    config       all settings, JSON
    longest      characters of the longest piece of the text
    """
    return {
        "charrnn": __version__,
        "characters": model.vocabulary.characters,
        "counts": json.dumps(model.vocabulary.counts.tolist()),
        "config": json.dumps(asdict(model.config)),
        "longest": str(model.longest),
    }
