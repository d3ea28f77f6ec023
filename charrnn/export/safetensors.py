"""Weights with PyTorch's names as a safetensors file, with vocabulary and config as metadata."""

import numpy as np

from charrnn.export.naming import metadata, torch_names
from charrnn.extras import require_extra
from charrnn.models import Model

SUFFIX = ".safetensors"


def export(model: Model) -> bytes:
    """Return a safetensors file. Raises ConfigError if safetensors is not installed."""
    library = require_extra("safetensors.numpy", "safetensors")
    weights = {name: np.ascontiguousarray(a) for name, a in torch_names(model).items()}
    data: bytes = library.save(weights, metadata=metadata(model))
    return data
