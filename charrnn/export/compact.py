"""A compact checkpoint for sharing: only the weights, in half precision, an eighth of the size."""

import io
from dataclasses import replace

from charrnn.checkpoint import npz
from charrnn.errors import CheckpointError, ConfigError
from charrnn.models import Model

SUFFIX = ".compact.npz"


def export(model: Model) -> bytes:
    """Return a compact checkpoint. Raises ConfigError for weights too large for half precision."""
    file = io.BytesIO()
    try:
        # The n-grams would take several times as much as the weights, and the spans as much again.
        npz.write(file, replace(model, resume={}, ngram=None, seen_spans=None).arrays())
    except CheckpointError as error:
        raise ConfigError(f"the model {error}") from error
    return file.getvalue()
