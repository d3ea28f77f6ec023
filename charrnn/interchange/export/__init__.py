"""The way out: a trained model as other programs read it, one file for each format.

A new format is a file here, with a SUFFIX and a function ``export`` from a model to bytes, and a
line in FORMATS. Weights are named as in the ``state_dict`` of a module with a recurrent layer
``rnn`` and a linear layer ``output``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.models import Classifier, Model

# Name and what it is for; dashes are underscores in the name of the file.
FORMATS = {
    "safetensors": "weights, vocabulary and config",
    "torch-names": "the same as an .npz file",
    "onnx": "a graph for onnxruntime",
    "compact": "a checkpoint of the weights alone, an eighth of the size",
    "html": "a page that writes in a browser",
}


def export(model: "Model | Classifier", form: str) -> bytes:
    """Return a model in one of FORMATS.

    Raises ConfigError for a model that the format cannot hold or a package that is not installed.
    """
    data: bytes = import_module(f"{__name__}.{form.replace('-', '_')}").export(model)
    return data


def suffix(form: str) -> str:
    """Return the usual ending of a file in one of FORMATS."""
    ending: str = import_module(f"{__name__}.{form.replace('-', '_')}").SUFFIX
    return ending
