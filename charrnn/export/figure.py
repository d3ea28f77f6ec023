"""Loss curves as a figure: SVG, PDF or PNG, drawn by matplotlib (the extra ``plot``)."""

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn.checkpoint.format import LOSS_UNIT
from charrnn.errors import ConfigError
from charrnn.extras import require_extra
from charrnn.models.description import NATS_PER_BIT, Description

FORMATS = ("svg", "pdf", "png")
INCHES, DOTS_PER_INCH = (7.0, 4.3), 150

# Text stays text, names are shown as they are, and the same curves make the same bytes.
SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "charrnn", "text.parse_math": False}
# The date of the file would differ each time.
METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {},
}


def figure_format(path: Path) -> str:
    """Return the format that a file's ending names. Raises ConfigError for another one."""
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise ConfigError(f"{path}: a figure is an .svg, .pdf or .png file", hint="--plot loss.svg")
    return form


def loss_figure(described: Sequence[Description], form: str) -> bytes:
    """Return a figure of the losses in the course of training.

    described   one or more checkpoints, whose losses have the same unit
    form        "svg", "pdf" or "png"

    A curve of one checkpoint is its loss on the training text, another that on held-out text; of
    several it is that on held-out text, or on the training text if nothing was held out. Raises
    ConfigError without matplotlib, for losses of different units and for checkpoints without any.
    """
    curves = _curves(described)
    matplotlib = require_extra("matplotlib", "plot")
    require_extra("matplotlib.figure", "plot")
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        # Its fonts lack characters of many scripts; an SVG is shown with those of the reader.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = matplotlib.figure.Figure(figsize=INCHES, layout="constrained")
        axes = figure.subplots()
        unit, longest = _time_unit(max(point[0] for *_, points in curves for point in points))
        for name, style, points in curves:
            times, losses = zip(*points, strict=True)
            axes.plot([time / longest for time in times], losses, style, label=name, markersize=4)
        axes.set_xlabel(f"{unit} of training")
        axes.set_ylabel(LOSS_UNIT)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        bits = axes.secondary_yaxis(
            "right",
            functions=(lambda nats: nats / NATS_PER_BIT, lambda bits: bits * NATS_PER_BIT),
        )
        bits.set_ylabel("bits per character")
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=DOTS_PER_INCH, metadata=METADATA[form])
    return file.getvalue()


def _curves(described: Sequence[Description]) -> list[tuple[str, str, list[tuple[float, float]]]]:
    """Return name, style and points of each curve."""
    curves = []
    for each in described:
        trained, held_out = each.curve("train_loss"), each.curve("val_loss")
        name = each.checkpoint
        if len(described) > 1:
            style = ".-" if held_out else ".--"
            note = "" if held_out else " (training text)"
            curves.append((_label(name) + note, style, held_out or trained))
        else:
            curves.append((f"{_label(name)}, training text", "-", trained))
            curves.append((f"{_label(name)}, held-out text", "o", held_out))
    curves = [curve for curve in curves if curve[2]]
    if not curves:
        names = ", ".join(each.checkpoint for each in described)
        raise ConfigError(f"{names}: no loss was measured: there is nothing to plot")
    return curves


def _label(name: str) -> str:
    # matplotlib leaves what begins with _ out of the legend
    return f"./{name}" if name.startswith("_") else name


def _time_unit(seconds: float) -> tuple[str, float]:
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length and math.isfinite(seconds):
            return unit, length
    return "seconds", 1.0
