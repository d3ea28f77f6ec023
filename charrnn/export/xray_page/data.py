"""What a page needs to know of a text and a model, packed into bytes.

Surprise and probabilities are rounded to whole steps, activations to 256 levels between the bounds
of their part. A page holds at most ``MOST_BYTES`` of activations: for a long text only those of the
most telling units, the ones that keep track of a feature and then the ones that vary most.
"""

import base64
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.xray.find import Found
from charrnn.inference.xray.parts import Place, parts_of
from charrnn.inference.xray.scale import SURPRISE_LIMITS
from charrnn.inference.xray.xray import Xray
from charrnn.nn.cells import Array

MOST_BYTES = 4_000_000

# Steps of a nat, the value of what was not predicted, and steps of probability 1.
NAT, NOT_PREDICTED, CERTAIN = 500, 65535, 65535
_LEVELS = 255


def page_data(xray: Xray, found: Sequence[Found], chosen: int | None = None) -> dict[str, Any]:
    """Return what the page shows, ready to become JSON.

    found    units that keep track of something, the best first
    chosen   a unit of each layer to include whatever it does
    """
    trace, N = xray.trace, len(xray.trace)
    parts = parts_of(xray.cell)
    layers = 1 + max(place.layer for place in trace.activations)
    fitting = MOST_BYTES // (max(N, 1) * len(parts) * layers)
    units = [_telling(xray, layer, found, chosen)[:fitting] for layer in range(layers)]
    guesses, numbers = np.unique(trace.top_ids, return_inverse=True)
    scales = {part: _scale(xray, part, layers) for part in parts}
    return {
        "text": xray.text,
        "nats": _packed(_steps(xray.nats * NAT, NOT_PREDICTED), "<u2"),
        "nat": NAT,
        "limits": SURPRISE_LIMITS,
        "top": trace.top_ids.shape[1],
        "guesses": xray.vocabulary.decode(guesses),
        "topIds": _packed(numbers, "<u4" if len(guesses) > NOT_PREDICTED else "<u2"),
        "topP": _packed(_steps(trace.top_p * CERTAIN, CERTAIN), "<u2"),
        "parts": [{"name": part, "bounds": scales[part]} for part in parts],
        "units": [sorted(part) for part in units],
        "activations": _packed(_activations(xray, units, scales), "u1"),
        "found": [_entry(unit) for unit in found if unit.unit in units[unit.layer]],
    }


def _entry(found: Found) -> dict[str, Any]:
    return {
        "feature": found.feature,
        "layer": found.layer,
        "part": found.part,
        "unit": found.unit,
        "share": round(found.share, 3),
        "chance": round(found.chance, 3),
    }


def _telling(xray: Xray, layer: int, found: Sequence[Found], chosen: int | None) -> list[int]:
    """Return all units of a layer, the most telling first."""
    values = xray.activations(layer=layer)
    # The best of each feature first, then the second of each ...
    ranks = Counter[str]()
    ranked = []
    for unit in found:
        ranks[unit.feature] += 1
        if unit.layer == layer:
            ranked.append((ranks[unit.feature], unit.unit))
    known = [unit for _, unit in sorted(ranked, key=lambda it: it[0])]
    asked = [] if chosen is None else [chosen]
    return list(dict.fromkeys([*asked, *known, *np.argsort(-values.std(0)).tolist()]))


def _scale(xray: Xray, part: str, layers: int) -> tuple[float, float]:
    """Return the values of the lowest and the highest level of a part."""
    least, most = xray.bounds(part)
    if math.isinf(most):
        most = max(float(xray.activations(part, layer).max(initial=0)) for layer in range(layers))
    return least, max(most, 1e-6)


def _activations(
    xray: Xray, units: Sequence[Sequence[int]], scales: dict[str, tuple[float, float]]
) -> NDArray[np.float32]:
    """Return activations as levels, flat: by layer, part, unit and character."""
    pieces: list[Array] = []
    for layer, chosen in enumerate(units):
        for part, (least, most) in scales.items():
            values = xray.trace.activations[Place(layer, part)][:, sorted(chosen)]
            pieces.append(((values - least) * (_LEVELS / (most - least))).T.ravel())
    return np.concatenate(pieces).clip(0, _LEVELS) if pieces else np.empty(0, np.float32)


def _steps(values: Array, missing: int) -> Array:
    """Return values below ``missing``, which stands for nan."""
    return np.where(np.isnan(values), missing, np.minimum(values, missing - 1))


def _packed(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.rint(values).astype(dtype).tobytes()).decode()
