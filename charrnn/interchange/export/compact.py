"""A compact checkpoint for sharing: only the weights, in half precision, an eighth of the size."""

import io
from dataclasses import replace

from charrnn.checkpoint import npz
from charrnn.errors import CheckpointError, ConfigError
from charrnn.interchange.export.naming import AnyModel

SUFFIX = ".compact.npz"


def export(model: AnyModel) -> bytes:
    """Return a compact checkpoint. Raises ConfigError for weights too large for half precision."""
    file = io.BytesIO()
    try:
        npz.write(file, replace(model, resume={}).arrays())
    except CheckpointError as error:
        raise ConfigError(f"the model {error}") from error
    return file.getvalue()
