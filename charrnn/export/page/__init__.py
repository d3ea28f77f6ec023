"""A page that runs a model in a browser: what goes into it, and how its files become one.

The page is one file without anything from elsewhere. ``frame.html`` is its outline; a body for each
kind of model, the style and the scripts are put into it. In the scripts, ``CORE`` knows nothing of
the page: it also runs in a worker.
"""

import html
import json
import re
from importlib import resources
from typing import Any

from charrnn.export.page.facts import about, facts, lede
from charrnn.export.page.model import described, kind_of
from charrnn.models import Model

CORE = ("numbers", "kernel", "random", "choice", "seen", "engine", "ngrams", "work", "serve")
VIEW = ("page", "sheet")


def page(model: Model, title: str, *, half: bool) -> str:
    """Return the page of a model, as HTML.

    title   what it has read, in a few words
    half    store the weights in half precision

    Raises ConfigError for weights that do not fit into half precision.
    """
    kind = kind_of(model)
    data = described(model, half=half)
    # Escape "<", so that no text looks like the end of the script element.
    embedded = json.dumps(data).replace("<", "\\u003c")
    words = {
        "title": html.escape(title),
        "about": about(model, kind),
        "lede": html.escape(lede(model, title)),
        "facts": "\n".join(
            f"<div><dt>{html.escape(term)}</dt><dd>{html.escape(fact)}</dd></div>"
            for term, fact in facts(model, half=bool(data["half"]))
        ),
    }
    scripts = {
        "model": embedded,
        "core": _joined(CORE),
        "view": _joined((*VIEW, kind)),
        "style": "\n".join(map(str.strip, _read("style.css").splitlines())),
        "body": _filled(_read(f"{kind}.html"), words),
    }
    return _filled(_read("frame.html"), words | scripts)


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _joined(names: tuple[str, ...]) -> str:
    """Return scripts as one, without indentation and the lines that are comments."""
    lines = (line.strip() for name in names for line in _read(f"{name}.js").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _filled(template: str, parts: dict[str, Any]) -> str:
    """Return a template with each {{name}} replaced; what was put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)
