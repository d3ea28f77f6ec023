"""A text as a model sees it, as one HTML page that needs nothing but itself."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from charrnn.export.xray_page.data import page_data
from charrnn.export.xray_page.palette import (
    BACKGROUND,
    Paint,
    Scheme,
    activation_paints,
    surprise_paints,
)
from charrnn.inference.xray.features import FEATURES
from charrnn.inference.xray.find import Found
from charrnn.inference.xray.scale import MOST
from charrnn.inference.xray.xray import Xray


@dataclass(frozen=True)
class Opening:
    """What a page is about and what it shows first.

    text    what to call the text
    model   what to call the model, with its size
    unit    the unit that is shown first; None: the surprise
    layer   its layer
    part    its part
    """

    text: str
    model: str
    unit: int | None
    layer: int
    part: str


def xray_page(xray: Xray, found: Sequence[Found], opening: Opening) -> bytes:
    """Return the page.

    xray      of a text, with the activations of all parts in all layers
    found     units that keep track of something, the best first
    opening   what it shows first
    """
    data = page_data(xray, found, opening.unit) | {
        "features": {name: feature.about for name, feature in FEATURES.items()},
        "hiddenSize": xray.activations().shape[1],
        "mean": None if xray.nats_per_char != xray.nats_per_char else xray.nats_per_char,
        "opening": {"unit": opening.unit, "layer": opening.layer, "part": opening.part},
    }
    pieces = {
        "TITLE": html.escape(f"X-ray of {opening.text}"),
        "MODEL": html.escape(opening.model),
        "STYLE": _style() + _file("page.css"),
        "SCRIPT": _file("data.js") + _file("page.js"),
        # Escape "<", so that no text looks like the end of the script element.
        "DATA": json.dumps(data).replace("<", "\\u003c"),
    }
    # The texts of others come last, in one pass: what they contain is not replaced again.
    parts = _file("page.html").split("%%")
    return "".join(pieces.get(part, part) for part in parts).encode()


def _file(name: str) -> str:
    return resources.files("charrnn.export.xray_page").joinpath(name).read_text(encoding="utf-8")


def _style() -> str:
    """Return the colors of the levels as rules."""
    light, dark = _rules("light"), _rules("dark")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _rules(scheme: Scheme) -> str:
    named: list[tuple[str, Paint]] = [
        *((f"s{at}", paint) for at, paint in enumerate(surprise_paints(scheme))),
        *((f"a{at}", paint) for at, paint in enumerate(activation_paints(scheme))),
    ]
    rules = [f":root {{ --background: {BACKGROUND[scheme]}; }}"]
    for name, paint in named:
        level = int(name[1:])
        height = (level if level <= MOST else level - 2 * MOST - 1) / MOST
        colors = f"background-color: {paint.background}; color: {paint.text};"
        rules.append(f".{name} {{ {colors} --h: {height:g}; }}")
    return "\n".join(rules)
