"""A text as a model sees it, as a page for a browser: surprise, guesses and what units do.

Probabilities and activations are rounded to 256 levels, and the page holds the activations of as
many units as fit: those that keep track of a feature of the text, then those that vary most.
"""

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.export.html import embed, fill, read_file, text_direction
from charrnn.scoring.xray import Found, Place, Xray, bounds

# Bytes of activations.
MAX_BYTES = 250_000
# Steps of a nat; the value of what was not predicted.
NAT, NOT_PREDICTED = 500, 65535
LEVELS = 255


@dataclass(frozen=True)
class Opening:
    """What a page shows first.

    text    what the text is called
    model   what the model is called
    place   the layer and the part of the units that are shown
    unit    the number of a unit; None: surprise
    """

    text: str
    model: str
    place: Place
    unit: int | None = None


def xray_page(xray: Xray, found: Sequence[Found], opening: Opening) -> bytes:
    """Return the page.

    xray      with guesses and the activations of one part in all layers
    found     units that keep track of something, the best first
    opening   what it shows first
    """
    scripts = ("engine.js", "letters.js", "xray.js")
    return fill(
        "xray.html",
        {
            "title": html.escape(f"X-ray of {opening.text}"),
            "model": html.escape(opening.model),
            "dir": text_direction(xray.vocabulary),
            "style": read_file("style.css"),
            "data": embed(page_data(xray, found, opening)),
            "script": "".join(map(read_file, scripts)),
        },
    )


def page_data(xray: Xray, found: Sequence[Found], opening: Opening) -> dict[str, Any]:
    """Return what the page shows of N characters.

    text          the characters
    nats          of each, in steps of 1/NAT; NOT_PREDICTED for the first
    guesses       the different characters that were expected
    ids, p        for each character, the numbers of its K guesses and their probabilities, (N, K)
    units         the name of each unit, and which features it keeps track of
    activations   of each unit at each character, in LEVELS between ``bounds``, (units, N)
    first         the index of the unit that is shown first; -1: surprise
    """
    trace, part = xray.trace, opening.place.part
    N, layers = len(trace), sorted(place.layer for place in trace.activations)
    activations = {layer: xray.activations(part, layer) for layer in layers}
    low, high = bounds(xray.cell, part)
    if math.isinf(high):
        high = max(1e-6, *(float(values.max(initial=0)) for values in activations.values()))
    units = _choose_units(activations, found, opening)[: max(MAX_BYTES // max(N, 1), 1)]
    levels = [(activations[layer][:, unit] - low) / (high - low) * LEVELS for layer, unit in units]
    tracked: dict[tuple[int, int], list[str]] = {}
    for it in found:
        if it.share > 2 * it.chance:
            tracked.setdefault((it.layer, it.unit), []).append(f"{it.feature} {it.share:.0%}")
    guesses, ids = np.unique(trace.top_ids, return_inverse=True)
    nats = np.where(np.isnan(xray.nats), NOT_PREDICTED, xray.nats * NAT)
    return {
        "text": xray.text,
        "mean": None if math.isnan(xray.nats_per_char) else xray.nats_per_char,
        "nat": NAT,
        "nats": _pack(nats.clip(0, NOT_PREDICTED), "<u2"),
        "guesses": xray.vocabulary.decode(guesses),
        "ids": _pack(ids, "<u2"),
        "top": trace.top_ids.shape[1],
        "p": _pack(np.nan_to_num(trace.top_p) * LEVELS, "|u1"),
        "part": part,
        "bounds": [low, high],
        "units": [
            {
                "name": f"unit {unit}" + (f" of layer {layer}" if len(layers) > 1 else ""),
                "features": ", ".join(tracked.get((layer, unit), [])),
            }
            for layer, unit in units
        ],
        "activations": _pack(np.array(levels).clip(0, LEVELS), "|u1"),
        "first": -1 if opening.unit is None else 0,
    }


def _choose_units(
    activations: dict[int, NDArray[Any]], found: Sequence[Found], opening: Opening
) -> list[tuple[int, int]]:
    """Return the layer and number of all units, those first that a reader wants to see."""
    asked = [] if opening.unit is None else [(opening.place.layer, opening.unit)]
    tracking = [(it.layer, it.unit) for it in found]
    by_spread = sorted(
        ((-spread, layer, unit)
         for layer, values in activations.items()
         for unit, spread in enumerate(values.std(0).tolist()))
    )  # fmt: skip
    return list(dict.fromkeys([*asked, *tracking, *((layer, u) for _, layer, u in by_spread)]))


def _pack(values: NDArray[Any], dtype: str) -> dict[str, str]:
    data = base64.b64encode(np.rint(values).astype(dtype).tobytes()).decode()
    return {"dtype": dtype, "data": data}
