"""Shared by several formats: PyTorch's parameter names, and the metadata of a model."""

import json
from dataclasses import asdict

from charrnn._version import __version__
from charrnn.models import Model
from charrnn.nn.cells import Array


def torch_names(model: Model) -> dict[str, Array]:
    """Return the weights under the names of a PyTorch ``state_dict``: rnn.weight_ih_l0 ..."""
    return {
        name if name.startswith("output.") else f"rnn.{name}": array
        for name, array in model.weights.items()
    }


def metadata(model: Model) -> dict[str, str]:
    """Return everything except the weights of a model, as strings.

    characters   the vocabulary, in the order of the ids
    counts       occurrences of each character, JSON
    config       all settings, JSON
    """
    vocabulary = model.vocabulary
    return {
        "charrnn": __version__,
        "characters": vocabulary.characters,
        "counts": json.dumps(vocabulary.counts.tolist()),
        "config": json.dumps(asdict(model.config)),
    }
