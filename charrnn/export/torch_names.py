"""Weights with PyTorch's names as an .npz file, for ``numpy.load``."""

import io
import json

import numpy as np

from charrnn.checkpoint import npz
from charrnn.export.naming import metadata, torch_names
from charrnn.models import Model

SUFFIX = ".torch.npz"


def export(model: Model) -> bytes:
    """Return an .npz file of the weights, with ``metadata`` as UTF-8 JSON in a uint8 array."""
    text = json.dumps(metadata(model), ensure_ascii=False).encode()
    file = io.BytesIO()
    npz.write(file, {"metadata": np.frombuffer(text, np.uint8), **torch_names(model)})
    return file.getvalue()
