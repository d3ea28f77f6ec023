"""A model as the scripts of the page read it."""

import base64
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.export.page.openings import openings
from charrnn.inference.sampling import start_ids
from charrnn.inference.whole_lines import LONGEST_LINE
from charrnn.models import Model
from charrnn.nn.ensemble import narrowed, separate_members

Kind = Literal["text", "lines"]

# A text with more brackets and the like than this is code, which wants letters of one width.
CODE_MARKS, CODE_SHARE = frozenset("{}[]()<>=;_/\\|#\t"), 0.03


def kind_of(model: Model) -> Kind:
    """Return what the page of a model does: write text, or write lines."""
    return "lines" if model.config.data.lines else "text"


def described(model: Model, *, half: bool) -> dict[str, Any]:
    """Return everything that the scripts need, as JSON has it.

    half   weights in half precision; otherwise only those that lose nothing by it

    Raises ConfigError for weights that are too large for half precision.
    """
    shape, vocabulary = model.config.model, model.vocabulary
    half = half or _is_half(model)
    seen = model.seen_lines
    known: dict[str, Any] = {
        "kind": kind_of(model),
        "cell": shape.cell,
        "nonlinearity": shape.nonlinearity,
        "layers": shape.layers,
        "hiddenSize": shape.hidden_size,
        "members": separate_members(model.weights, model.config.model.members),
        "characters": vocabulary.characters,
        "normalize": model.config.data.normalize,
        "mono": _is_code(model),
        "half": half,
        "start": int(start_ids(vocabulary)[0]),
        "longest": LONGEST_LINE,
        "seen": None if seen is None else _text(seen),
        "openings": openings(model),
        "ngrams": _ngrams(model),
    }
    return known | {"weights": _encoded(model, known["members"], half=half)}


def _ngrams(model: Model) -> dict[str, Any] | None:
    """Return the n-grams as they stand in a checkpoint; the last nodes have no children."""
    if model.ngram is None:
        return None
    stored = model.ngram.to_arrays()
    stored["children"] = np.trim_zeros(stored["children"], "b")
    names = ("characters", "children", "alphas")
    little = {name: stored[name].astype(stored[name].dtype.newbyteorder("<")) for name in names}
    encoded = {name: _text(array) for name, array in little.items()}
    return encoded | {"weights": model.ngram.weights.tolist()}


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


def weight_bytes(model: Model, *, half: bool) -> int:
    """Return the size of the weights in the page, before they are written as text."""
    stored = narrowed(model.weights, separate_members(model.weights, model.config.model.members))
    return sum(array.size for array in stored.values()) * (2 if half or _is_half(model) else 4)


def _encoded(model: Model, members: int, *, half: bool) -> str:
    flat = np.concatenate([array.ravel() for array in narrowed(model.weights, members).values()])
    with np.errstate(over="ignore"):
        numbers = flat.astype("<f2" if half else "<f4")
    if not np.isfinite(numbers).all():
        raise ConfigError(
            "the model has weights that are too large for half precision", hint="leave --half out"
        )
    return _text(numbers)


def _is_half(model: Model) -> bool:
    """Return True if all weights have exact values in half precision, as those of compact files."""
    with np.errstate(over="ignore"):
        return all(
            bool((array.astype(np.float16) == array).all()) for array in model.weights.values()
        )


def _is_code(model: Model) -> bool:
    counts, characters = model.vocabulary.counts, model.vocabulary.characters
    marks = sum(int(n) for n, char in zip(counts, characters, strict=True) if char in CODE_MARKS)
    return marks > CODE_SHARE * int(counts.sum())
