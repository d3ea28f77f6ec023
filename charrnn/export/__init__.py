"""Export of trained models for other programs, one file per format.

To add a format, add a file here, with a SUFFIX and a function ``export`` from a model to bytes, and
a line in FORMATS. Weights are named as in the ``state_dict`` of a module with a recurrent layer
``rnn`` and a linear layer ``output``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.models import Model

# Name and description; dashes become underscores in the file name.
FORMATS = {
    "safetensors": "weights, vocabulary and config",
    "torch-names": "the same as an .npz file",
    "onnx": "a graph for onnxruntime",
    "compact": "a checkpoint of the weights alone, an eighth of the size",
    "html": "a page that runs in a browser: it writes",
}


def export(model: "Model", form: str, **options: Any) -> bytes:  # noqa: ANN401
    """Return a model as bytes in one of FORMATS.

    options   for "html" only: ``title``, what the model has read, and ``half``, weights in half
              precision

    Raises ConfigError if the format does not support the model or a package is not installed.
    """
    data: bytes = import_module(f"{__name__}.{form.replace('-', '_')}").export(model, **options)
    return data


def suffix(form: str) -> str:
    """Return the file suffix of one of FORMATS."""
    ending: str = import_module(f"{__name__}.{form.replace('-', '_')}").SUFFIX
    return ending
