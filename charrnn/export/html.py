"""A model as a single HTML page that runs it in the browser, offline.

The page is ``page/page.html`` below ``head.html``, with the style, the scripts and the model in
it: a JSON object with all arrays of a checkpoint in base64, which ``read`` brings back.
"""

import base64
import html
import json
import re
import unicodedata
from dataclasses import asdict, replace
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.export.contents import Arrays, Contents, metadata
from charrnn.export.openings import choose_start, openings
from charrnn.export.words import ABOUT, facts, lede
from charrnn.models import Model
from charrnn.text.vocabulary import Vocabulary

SUFFIX = ".html"
DEFAULT_TITLE = "a text"
# The languages of the base models (BCP 47).
LANGUAGES = {"english": "en", "french": "fr", "spanish": "es"}

# The most weights, in bytes, that a browser can load quickly. Copies are marked where what finds
# them is small, as for texts up to a megabyte.
MAX_BYTES, MAX_SPANS = 20_000_000, 300_000
SCRIPTS = ("engine.js", "ngrams.js", "memory.js", "write.js", "letters.js", "page.js")
# A text with more brackets and the like than this is code: letters of one width, ends at lines.
CODE_MARKS, CODE_SHARE = frozenset("{}[]()<>=;_/\\|#\t"), 0.03


def export(model: Model, *, title: str = DEFAULT_TITLE, half: bool = False) -> bytes:
    """Return a self-contained page.

    title   what the model has read, in a few words
    half    weights in half precision; those of a compact checkpoint always are

    Raises ConfigError for a model that is too large, and for weights that do not fit into half
    precision.
    """
    arrays, code = _arrays(model, half=half), _is_code(model)
    data, is_half = model.config.data, any(array.dtype == "<f2" for array in arrays.values())
    terms = [map(html.escape, pair) for pair in facts(model, half=is_half).items()]
    return fill(
        "page.html",
        {
            "title": html.escape(title),
            "dir": text_direction(model.vocabulary),
            "lang": text_language(model),
            "lede": html.escape(lede(model, title)),
            "about": ABOUT,
            "facts": "\n".join(f"<div><dt>{term}</dt><dd>{it}</dd></div>" for term, it in terms),
            "sheet": " ".join(["code"] * code + [f"{data.piece}s"] * bool(data.end)),
            "rows": "1" if data.piece == "line" else "2",
            "amount_label": "How many" if data.end else "Length in characters",
            "amount": ("20" if data.piece == "line" else "3") if data.end else "400",
            "most": "1000" if data.end else "20000",
            "style": read_file("style.css"),
            "model": embed(_contents(model, arrays, code=code)),
            "script": "".join(map(read_file, SCRIPTS)),
        },
    )


def _contents(model: Model, arrays: Arrays, *, code: bool) -> dict[str, Any]:
    """Return the model as the scripts read it."""
    start, data = choose_start(model, code=code), model.config.data
    return metadata(model) | {
        "config": asdict(model.config),
        "end": data.end,
        "between": data.between,
        "piece": data.piece,
        "limit": model.piece_limit,
        "code": code,
        "start": start.tolist(),
        "openings": openings(model, start, code=code),
        "arrays": {name: _encode(array) for name, array in arrays.items()},
    }


def read(data: bytes) -> Contents:
    """Return the arrays and the metadata of what ``export`` wrote. Raises ValueError otherwise."""
    found = re.search(r"^const MODEL = (.*);$", data.decode(), re.MULTILINE)
    if found is None:
        raise ValueError("no page that charrnn has made")
    model = json.loads(found[1])
    arrays = {
        name: np.frombuffer(base64.b64decode(it["data"]), it["dtype"]).reshape(it["shape"])
        for name, it in model["arrays"].items()
    }
    described = {name: model[name] for name in ("characters", "counts", "longest")}
    return Contents(arrays, described | {"config": json.dumps(model["config"])})


def read_file(name: str) -> str:
    """Return a file of the pages."""
    return resources.files("charrnn.export").joinpath("page", name).read_text(encoding="utf-8")


def text_direction(vocabulary: Vocabulary) -> str:
    """Return "rtl" if most letters are written from right to left, else "ltr"."""
    # A vocabulary that was imported may have no counts.
    counts = vocabulary.counts.tolist() if vocabulary.counts.any() else [1] * len(vocabulary)
    leftward = 0
    for char, count in zip(vocabulary.characters, counts, strict=True):
        if char.isalpha():
            leftward += count if unicodedata.bidirectional(char) != "L" else -count
    return "rtl" if leftward > 0 else "ltr"


def text_language(model: Model) -> str:
    """Return the code of a text's language, known from the base model that predicts it, or ""."""
    return LANGUAGES.get(model.origin.start or "", "") if model.origin else ""


def embed(value: object) -> str:
    """Return a value as JSON for a script element, which no text in it ends."""
    return json.dumps(value).replace("<", "\\u003c")


def fill(template: str, parts: dict[str, str]) -> bytes:
    """Return a page with each {{name}} replaced, once: what a part contains stays as it is.

    Each page has a title and a style.
    """
    page = read_file("head.html") + read_file(template)
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)
    return page.encode(errors="backslashreplace")  # a title may be a file name that is not UTF-8


def _arrays(model: Model, *, half: bool) -> Arrays:
    """Return all arrays of a checkpoint, the weights in half precision if they lose nothing."""
    weights = model.weights
    with np.errstate(over="ignore"):
        halves = {name: array.astype("<f2") for name, array in weights.items()}
    exact = all(np.array_equal(halves[name], array) for name, array in weights.items())
    if half and not all(np.isfinite(array).all() for array in halves.values()):
        raise ConfigError(
            "the model has weights that are too large for half precision", hint="leave --half out"
        )
    stored = halves if half or exact else {n: a.astype("<f4") for n, a in weights.items()}
    size = sum(array.nbytes for array in stored.values())
    if size > MAX_BYTES:
        smaller = "train a smaller model: --hidden-size 512 has about 5 MB"
        raise ConfigError(
            f"{size / 1e6:.0f} MB of weights are too much, a page takes {MAX_BYTES / 1e6:.0f}",
            hint=smaller if half else f"--half halves them, or {smaller}",
        )
    spans = model.seen_spans
    if spans is not None and spans.nbytes > MAX_SPANS:
        model = replace(model, seen_spans=None)
    return stored | model.extra_arrays()


def _encode(array: NDArray[Any]) -> dict[str, Any]:
    little = array.astype(array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"dtype": little.dtype.str, "shape": array.shape, "data": data}


def _is_code(model: Model) -> bool:
    counts, characters = model.vocabulary.counts, model.vocabulary.characters
    marks = sum(int(n) for n, char in zip(counts, characters, strict=True) if char in CODE_MARKS)
    return marks > CODE_SHARE * int(counts.sum())
