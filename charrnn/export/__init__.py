"""Export of trained models for other programs, and import from them: one file a format.

A format has a ``SUFFIX``, ``export(model)``, which returns bytes, and ``read(data)``, which returns
arrays and ``metadata``, unless its files are checkpoints. To add one, add its file, a line in
FORMATS and, if it can be read, one in ``import_._read``.
"""

import json
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from charrnn._version import __version__

if TYPE_CHECKING:
    from charrnn.models import Model

FORMATS = {
    "html": "a page that runs in a browser",
    "safetensors": "weights with PyTorch's names, vocabulary and config",
    "onnx": "a graph for onnxruntime",
    "compact": "a checkpoint of the weights alone, an eighth of the size",
}


def export(model: "Model", form: str, **options: Any) -> bytes:
    """Return a model as bytes in one of FORMATS.

    options   for "html" only: ``title``, what the text is called, and ``half``, weights in half
              precision

    Raises ConfigError if the format does not support the model or a package is not installed.
    """
    data: bytes = import_module(f"{__name__}.{form}").export(model, **options)
    return data


def suffix(form: str) -> str:
    """Return the file suffix of one of FORMATS."""
    return str(import_module(f"{__name__}.{form}").SUFFIX)


def metadata(model: "Model") -> dict[str, str]:
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
