"""Shared by several formats: PyTorch's parameter names, and the metadata of a model."""

import json
from dataclasses import asdict

from charrnn._version import __version__
from charrnn.errors import ConfigError
from charrnn.models import Classifier, Model
from charrnn.nn.cells import Array

AnyModel = Model | Classifier


def torch_names(model: AnyModel) -> dict[str, Array]:
    """Return the weights under the names of a PyTorch ``state_dict``: rnn.weight_ih_l0 ..."""
    return {
        name if name.startswith("output.") else f"rnn.{name}": array
        for name, array in model.weights.items()
    }


def metadata(model: AnyModel) -> dict[str, str]:
    """Return everything except the weights of a model, as strings.

    characters   the vocabulary, in the order of the ids
    counts       occurrences of each character, JSON
    config       all settings, JSON
    labels       class labels, for a classifier only, JSON
    """
    vocabulary = model.vocabulary
    described = {
        "charrnn": __version__,
        "characters": vocabulary.characters,
        "counts": json.dumps(vocabulary.counts.tolist()),
        "config": json.dumps(asdict(model.config)),
    }
    if isinstance(model, Classifier):
        described["labels"] = json.dumps(list(model.labels))
    return described


def require_generator(model: AnyModel, form: str) -> Model:
    """Return the model if it is a text generator. Raises ConfigError for a classifier."""
    if isinstance(model, Classifier):
        raise ConfigError(
            f"a classifier cannot be exported to {form}", hint="--to safetensors or torch-names"
        )
    return model
