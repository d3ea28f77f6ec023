"""What several formats share: PyTorch's names, and all that a model is but its weights."""

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
    """Return all that a model is but its weights, as texts.

    characters   of the vocabulary, in the order of their ids
    counts       how often each occurred, JSON
    config       JSON
    labels       of a classifier, JSON
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
    """Return a text generator. Raises ConfigError for a classifier."""
    if isinstance(model, Classifier):
        raise ConfigError(
            f"a classifier cannot be exported to {form}", hint="--to safetensors or torch-names"
        )
    return model
