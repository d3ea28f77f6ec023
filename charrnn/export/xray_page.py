"""A text as a model sees it, as a page for a browser: surprise, guesses and what units do.

Probabilities and activations are rounded to 256 levels, and the page holds the activations of as
many units as fit: those that keep track of a feature of the text, then those that vary most.
"""

import html
import math
from typing import Any

import numpy as np

from charrnn.export.html import embed, encode, fill, read_file
from charrnn.scoring.xray import Trace

# Bytes of activations.
MAX_BYTES = 250_000
LEVELS = 255

# The layer and the number of a unit.
Unit = tuple[int, int]


def xray_page(trace: Trace, name: str, about: str, first: Unit | None = None) -> bytes:
    """Return the page.

    trace   with guesses and the activations of one part
    name    what the text is called
    about   what the model is called
    first   the unit that is shown first; None: surprise
    """
    scripts = ("engine.js", "surprise.js", "xray.js")
    return fill(
        "xray.html",
        {
            "title": html.escape(f"X-ray of {name}"),
            "model": html.escape(about),
            "style": read_file("style.css"),
            "data": embed(page_data(trace, first)),
            "script": "".join(map(read_file, scripts)),
        },
    )


def page_data(trace: Trace, first: Unit | None) -> dict[str, Any]:
    """Return what the page shows of N characters.

    text          the characters
    nats          of each, (N,), float32; nan for the first
    guesses       the different characters that were expected
    ids, p        for each character, the numbers of its K guesses and their probabilities, (N, K),
                  in LEVELS
    bounds        the least and the greatest activation
    units         the name of each unit, and which features it keeps track of
    activations   of each unit at each character, (units, N), in LEVELS between the bounds
    first         the index of the unit that is shown first; -1: surprise
    """
    ((part, values),) = trace.activations.items()
    low = -1.0 if values.min() < 0 else 0.0
    high = max(1.0, float(values.max()))
    found = trace.find()
    # The units that a reader wants to see: what was asked for, what keeps track of something, and
    # what varies most.
    spread = values.std(axis=0)
    by_spread = zip(*np.unravel_index(np.argsort(-spread, axis=None), spread.shape), strict=True)
    chosen = [] if first is None else [first]
    every = [*chosen, *((it.layer, it.unit) for it in found), *by_spread]
    units = list(dict.fromkeys(every))[: max(MAX_BYTES // len(trace), 1)]
    features: dict[Unit, list[str]] = {unit: [] for unit in every}
    for it in found:
        if it.share > 2 * it.chance:
            features[it.layer, it.unit].append(f"{it.feature} {it.share:.0%}")
    of_layer = " of layer {}" if len(spread) > 1 else ""
    levels = [(values[:, *unit] - low) / (high - low) * LEVELS for unit in units]
    guesses, ids = np.unique(trace.top_ids, return_inverse=True)
    return {
        "text": trace.text,
        "mean": None if math.isnan(trace.nats_per_char) else trace.nats_per_char,
        "nats": encode(trace.nats.astype(np.float32)),
        "guesses": trace.vocabulary.decode(guesses),
        "ids": encode(ids.reshape(trace.top_ids.shape).astype(np.uint16)),
        "p": encode(np.rint(np.nan_to_num(trace.top_p) * LEVELS).astype(np.uint8)),
        "part": part,
        "bounds": [low, high],
        "units": [
            {
                "name": f"unit {unit}{of_layer.format(layer)}",
                "features": ", ".join(features[layer, unit]),
            }
            for layer, unit in units
        ],
        "activations": encode(np.rint(levels).clip(0, LEVELS).astype(np.uint8)),
        "first": -1 if first is None else 0,
    }
