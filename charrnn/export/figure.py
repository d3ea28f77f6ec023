"""Loss curves as a figure: SVG, PDF or PNG, drawn by matplotlib (the extra ``plot``)."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn.errors import ConfigError
from charrnn.extras import require_extra
from charrnn.models.description import NATS_PER_BIT, loss_curve

# Text stays text, names are shown as they are, and the same losses are the same bytes.
RC_PARAMS = {"svg.fonttype": "none", "svg.hashsalt": "charrnn", "text.parse_math": False}


def figure_format(path: Path) -> str:
    """Return the format that a file's ending names. Raises ConfigError for another one."""
    form = path.suffix.removeprefix(".").lower()
    if form not in {"svg", "pdf", "png"}:
        raise ConfigError(f"{path}: a figure is an .svg, .pdf or .png file", hint="--plot loss.svg")
    return form


def loss_figure(described: Sequence[dict[str, Any]], form: str) -> bytes:
    """Return a figure of the losses in the course of training.

    described   what ``describe`` returns of one checkpoint, whose losses on training and held-out
                text are shown, or of several, of which those on held-out text are, or on training
                text if nothing was held out
    form        "svg", "pdf" or "png"

    Raises ConfigError without matplotlib, and for checkpoints without any losses.
    """
    curves = []
    for each in described:
        trained, held_out = (loss_curve(each["history"], it) for it in ("train_loss", "val_loss"))
        if len(described) == 1 or not held_out:
            curves.append((f"{each['checkpoint']}, training text", "-", trained))
        curves.append((f"{each['checkpoint']}, held-out text", "o-", held_out))
    curves = [curve for curve in curves if curve[2]]
    if not curves:
        names = ", ".join(each["checkpoint"] for each in described)
        raise ConfigError(f"{names}: no loss was measured: there is nothing to plot")
    matplotlib = require_extra("matplotlib", "plot")
    require_extra("matplotlib.figure", "plot")
    with matplotlib.rc_context(RC_PARAMS), warnings.catch_warnings():
        # Its fonts lack characters of many scripts; an SVG is shown with those of the reader.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = matplotlib.figure.Figure(layout="constrained")
        axes = figure.subplots()
        for name, style, points in curves:
            minutes, losses = [seconds / 60 for seconds, _ in points], [loss for _, loss in points]
            # matplotlib leaves what begins with _ out of the legend
            label = name.replace("_", "./_", name[0] == "_")
            axes.plot(minutes, losses, style, label=label)
        axes.set(xlabel="minutes of training", ylabel="nats per character")
        to_bits = (lambda nats: nats / NATS_PER_BIT, lambda bits: bits * NATS_PER_BIT)
        axes.secondary_yaxis("right", functions=to_bits).set_ylabel("bits per character")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="upper right")
        file = io.BytesIO()
        undated = {"Date": None} if form == "svg" else {}
        figure.savefig(file, format=form, dpi=150, metadata=undated)
    return file.getvalue()
