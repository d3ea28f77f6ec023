"""A text generator as a single HTML page that generates text in the browser, offline."""

import base64
import json
from importlib import resources

import numpy as np

from charrnn.errors import ConfigError
from charrnn.interchange.export.naming import AnyModel, require_generator

SUFFIX = ".html"

# The most weights, in bytes, that a browser can load quickly.
MAX_BYTES = 20_000_000


def export(model: AnyModel) -> bytes:
    """Return a self-contained HTML page that runs the model.

    Raises ConfigError for a classifier, and for a model that is too large.
    """
    model = require_generator(model, "html")
    weights = model.weights
    size = sum(4 * array.size for array in weights.values())
    if size > MAX_BYTES:
        raise ConfigError(
            f"{size / 1e6:.0f} MB of weights are too much, a page takes {MAX_BYTES / 1e6:.0f}",
            hint="train a smaller model: --hidden-size 512 has about 5 MB",
        )
    shape = model.config.model
    flat = np.concatenate([array.ravel() for array in weights.values()]).astype("<f4")
    described = {
        "cell": shape.cell,
        "nonlinearity": shape.nonlinearity,
        "layers": shape.layers,
        "hiddenSize": shape.hidden_size,
        "characters": [*model.vocabulary.characters],
        "counts": model.vocabulary.counts.tolist(),
        "weights": base64.b64encode(flat.tobytes()).decode(),
    }
    # Escape "<", so that no text looks like the end of the script element.
    data = json.dumps(described).replace("<", "\\u003c")
    page = resources.files("charrnn.interchange").joinpath("page.html").read_text(encoding="utf-8")
    return page.replace("/*MODEL*/", data).encode()
