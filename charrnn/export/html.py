"""A model as a single HTML page that runs it in the browser, offline.

The page is ``page/page.html`` below ``head.html``, with the style, the scripts and the model in
it: a JSON object with all arrays of a checkpoint in base64, which ``read`` brings back.
"""

import base64
import html
import json
import math
import re
from dataclasses import asdict, replace
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn._version import __version__
from charrnn.checkpoint.npz import Arrays
from charrnn.errors import ConfigError
from charrnn.export import metadata
from charrnn.export.openings import choose_start, openings
from charrnn.models import Model

SUFFIX = ".html"
DEFAULT_TITLE = "a text"
# The languages of the base models (BCP 47).
LANGUAGES = {"english": "en", "french": "fr", "spanish": "es"}

# The most weights, in bytes, that a browser can load quickly. Copies are marked where what finds
# them is small, as for texts up to a megabyte.
MAX_BYTES, MAX_SPANS = 20_000_000, 300_000
SCRIPTS = ("engine.js", "ngrams.js", "memory.js", "write.js", "surprise.js", "page.js")
# A text with more brackets and the like than this is code: letters of one width, ends at lines.
CODE_MARKS, CODE_SHARE = frozenset("{}[]()<>=;_/\\|#\t"), 0.03
# A loss above this is that of exploded weights.
MAX_LOSS = 100


def export(model: Model, *, title: str = DEFAULT_TITLE, half: bool = False) -> bytes:
    """Return a self-contained page.

    title   what the model has read, in a few words
    half    weights in half precision; those of a compact checkpoint always are

    Raises ConfigError for a model that is too large, and for weights that do not fit into half
    precision.
    """
    weights, data = _round_weights(model, half=half), model.config.data
    is_half = any(array.dtype == "<f2" for array in weights.values())
    terms = [map(html.escape, pair) for pair in facts(model, half=is_half).items()]
    counts = model.vocabulary.counts
    marks = counts[[char in CODE_MARKS for char in model.vocabulary.characters]]
    code = bool(marks.sum() > CODE_SHARE * counts.sum())
    start = choose_start(model, code=code)
    spans = model.seen_spans
    if spans is not None and spans.nbytes > MAX_SPANS:
        model = replace(model, seen_spans=None)
    arrays = weights | model.extra_arrays()
    contents = metadata(model) | {
        "config": asdict(model.config),
        "end": data.end,
        "between": data.between,
        "piece": data.piece,
        "limit": model.piece_limit,
        "code": code,
        "start": start.tolist(),
        "openings": openings(model, start),
        "arrays": {name: encode(array) for name, array in arrays.items()},
    }
    base = (model.origin and model.origin.start) or ""
    kind = data.piece if data.end else "text"
    return fill(
        "page.html",
        {
            "title": html.escape(title),
            "lang": LANGUAGES.get(base, ""),
            "lede": html.escape(lede(model, title)),
            "facts": "\n".join(f"<div><dt>{term}</dt><dd>{it}</dd></div>" for term, it in terms),
            "sheet": " ".join(["code"] * code + [f"{data.piece}s"] * bool(data.end)),
            "rows": "1" if kind == "line" else "2",
            "amount_label": "How many" if data.end else "Length in characters",
            "amount": {"line": "20", "piece": "3", "text": "400"}[kind],
            "most": "1000" if data.end else "20000",
            "style": read_file("style.css"),
            "model": embed(contents),
            "script": "".join(map(read_file, SCRIPTS)),
        },
    )


def lede(model: Model, title: str) -> str:
    """Return what the page is, in two sentences."""
    data, count = model.config.data, int(model.vocabulary.counts.sum())
    rounded = round(count, 2 - len(str(count)))  # two significant digits: 180,000
    read = f"read {rounded:,} characters of" if count else "learned from"
    does = f"“{title}” and writes like it, one character at a time"
    if data.end is not None:
        does = f"“{title}” and makes up new pieces for it"
    if data.piece == "line":
        does = f"the list “{title}” and makes up new entries for it"
    return f"A small neural network {read} {does}. It runs in this page; nothing is sent anywhere."


def facts(model: Model, *, half: bool) -> dict[str, str]:
    """Return the facts of a model, by term.

    half   the weights are in half precision
    """
    shape, count = model.config.model, int(model.vocabulary.counts.sum())
    layers = f"{shape.layers} layer{'s' if shape.layers > 1 else ''} of {shape.hidden_size} units"
    size = sum(array.size for array in model.weights.values())
    precision = " in half precision" if half else ""
    found = {
        "Network": f"{shape.cell.upper()}, {layers}, {size:,} weights{precision}",
        "Ensemble": f"{shape.members} networks, and their mean" if shape.members > 1 else "",
        "Alphabet": f"{len(model.vocabulary):,} different characters, {count:,} read in all",
    }
    loss, seconds = model.progress.best_val_loss, model.progress.seconds
    if ngram := model.ngram:
        found["N-grams"] = f"{ngram.entries:,}, up to {ngram.order} characters long"
        loss = math.inf if ngram.val_loss is None else ngram.val_loss
    if loss < MAX_LOSS:
        found["Loss on held-out text"] = (
            f"{loss:.3f} nats ({loss / math.log(2):.2f} bits) per character: as unsure as between "
            f"{math.exp(loss):.1f} equally likely characters"
        )
    found["Trained for"] = f"{seconds / 60:.1f} minutes" if seconds else ""
    found["Made with"] = f"charrnn {__version__}"
    return {term: fact for term, fact in found.items() if fact}


def read(data: bytes) -> tuple[Arrays, dict[str, str]]:
    """Return the arrays and the metadata of what ``export`` wrote. Raises ValueError otherwise."""
    found = re.search(r"^const MODEL = (.*);$", data.decode(), re.MULTILINE)
    if found is None:
        raise ValueError("not a page that charrnn has made")
    model = json.loads(found[1])
    arrays = {
        name: np.frombuffer(base64.b64decode(it["data"]), it["dtype"]).reshape(it["shape"])
        for name, it in model["arrays"].items()
    }
    described = {name: model[name] for name in ("characters", "counts", "longest")}
    return arrays, described | {"config": json.dumps(model["config"])}


def read_file(name: str) -> str:
    """Return a file of the pages."""
    return resources.files("charrnn.export").joinpath("page", name).read_text(encoding="utf-8")


def encode(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array as JSON, its bytes in base64."""
    little = array.astype(array.dtype.newbyteorder("<"))
    data = base64.b64encode(little.tobytes()).decode()
    return {"dtype": little.dtype.str, "shape": array.shape, "data": data}


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


def _round_weights(model: Model, *, half: bool) -> Arrays:
    """Return the weights in single precision, or in half if that is asked or loses nothing."""
    weights = model.weights
    with np.errstate(over="ignore"):
        halves = {name: array.astype("<f2") for name, array in weights.items()}
    if half and not all(np.isfinite(array).all() for array in halves.values()):
        raise ConfigError(
            "the model has weights that are too large for half precision", hint="leave --half out"
        )
    exact = all(np.array_equal(halves[name], array) for name, array in weights.items())
    rounded = halves if half or exact else {n: a.astype("<f4") for n, a in weights.items()}
    size = sum(array.nbytes for array in rounded.values())
    if size > MAX_BYTES:
        smaller = "train a smaller model: --hidden-size 512 has about 5 MB"
        raise ConfigError(
            f"{size / 1e6:.0f} MB of weights are too much, a page takes {MAX_BYTES / 1e6:.0f}",
            hint=smaller if half else f"--half halves them, or {smaller}",
        )
    return rounded
