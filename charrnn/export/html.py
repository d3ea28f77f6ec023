"""A model as a single HTML page that runs it in the browser, offline."""

from charrnn.errors import ConfigError
from charrnn.export.page import page
from charrnn.export.page.model import weight_bytes
from charrnn.models import Model

SUFFIX = ".html"

# The most weights, in bytes, that a browser can load quickly.
MAX_BYTES = 20_000_000

DEFAULT_TITLE = "a text"


def export(model: Model, *, title: str = DEFAULT_TITLE, half: bool = False) -> bytes:
    """Return a self-contained HTML page that runs the model.

    title   what the model has read, in a few words
    half    weights in half precision; those of a compact checkpoint always are

    Raises ConfigError for a model that is too large, and for weights that do not fit into half
    precision.
    """
    size = weight_bytes(model, half=half)
    if size > MAX_BYTES:
        hint = "train a smaller model: --hidden-size 512 has about 5 MB"
        raise ConfigError(
            f"{size / 1e6:.0f} MB of weights are too much, a page takes {MAX_BYTES / 1e6:.0f}",
            hint=hint if half else f"--half halves them, or {hint}",
        )
    return page(model, title, half=half).encode()
