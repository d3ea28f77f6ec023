"""Loss curves on a terminal: drawn by plotext (the extra ``plot``), without it a line of bars."""

import math
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from charrnn.cli.console import console, duration, is_terminal, visible

if TYPE_CHECKING:
    from charrnn.models.description import Description
    from charrnn.training.loop import Event
    from charrnn.training.state import History

WIDTH, HEIGHT, MIN_WIDTH, MIN_HEIGHT = 100, 16, 30, 8
BARS = "▁▂▃▄▅▆▇█"
# A live curve that has twice as many points is thinned to this many means.
MAX_POINTS = 200

Points = Sequence[tuple[float, float]]


class Curve(NamedTuple):
    """A curve: seconds of training and the losses there, in order; ``marks``: draw each point."""

    name: str
    points: Points
    marks: bool = False


def loss_curves(trained: Points, held_out: Points) -> list[Curve]:
    """Return the curves of one run."""
    return [Curve("training text", trained), Curve("held-out text", held_out, marks=True)]


def curves_of(described: "Sequence[Description]") -> list[Curve]:
    """Return the curves of checkpoints: of several, on held-out text if they have any."""
    if len(described) == 1:
        return loss_curves(*(described[0].curve(loss) for loss in ("train_loss", "val_loss")))
    return [
        Curve(Path(it.checkpoint).stem, it.curve("val_loss") or it.curve("train_loss"))
        for it in described
    ]


def write_chart(curves: Sequence[Curve]) -> None:
    """Draw curves on stdout, if there is anything to draw."""
    from charrnn.training.state import LOSS_UNIT

    has_colors = console.rich().color_system in {"truecolor", "256"}
    color = has_colors and not os.environ.get("NO_COLOR")
    if drawn := chart(curves, console.width - 1, color=color):
        console.write(f"{LOSS_UNIT}\n{drawn}", styled=True)


def chart(curves: Sequence[Curve], width: int, height: int = HEIGHT, *, color: bool = True) -> str:
    """Return a chart of these curves over a common time; nothing without points or room."""
    curves = [Curve(name, finite(points), marks) for name, points, marks in curves]
    curves = [curve for curve in curves if curve.points]
    if not curves or width < MIN_WIDTH or height < MIN_HEIGHT:
        return ""
    if find_spec("plotext") is None:
        return "".join(f"{sparkline(curve, width)}\n" for curve in curves)
    import plotext

    figure = plotext.figure.clear().theme("simple" if color else "colorless")
    figure.plot_size(min(width, WIDTH), height)
    for curve in curves:
        seconds, losses = zip(*curve.points, strict=True)
        signal = figure.signal(seconds, losses, marker="●" if curve.marks else "braille")
        figure.draw(signal.lines(not curve.marks).label(visible(curve.name)))
    times = [point[0] for curve in curves for point in curve.points]
    ticks = [min(times) + (max(times) - min(times)) * part for part in (0, 0.5, 1)]
    figure.ruler("x").ticks(ticks, [duration(tick) for tick in ticks])
    top = max(point[1] for curve in curves for point in curve.points)
    figure.legend(x=max(times), y=top, ha="right", va="top", relative=True)
    text: str = figure.build().string(colorless=not color)
    return text.rstrip("\n") + "\n"


def sparkline(curve: Curve, width: int) -> str:
    """Return a curve as a line of bars between its first and last loss."""
    losses = means([loss for _, loss in curve.points], max(width - len(curve.name) - 20, 1))
    low, high = min(losses), max(losses)
    steps = [(loss - low) / (high - low) if high > low else 0 for loss in losses]
    bars = "".join(BARS[round(step * (len(BARS) - 1))] for step in steps)
    return f"{visible(curve.name)} {losses[0]:.3f} {bars} {losses[-1]:.3f}"


def means(values: Sequence[float], size: int) -> list[float]:
    """Return at most ``size`` means of successive values."""
    step = math.ceil(len(values) / size)
    parts = [values[begin : begin + step] for begin in range(0, len(values), step)]
    return [sum(part) / len(part) for part in parts]


def finite(points: Points) -> list[tuple[float, float]]:
    """Return the points that can be drawn."""
    return [point for point in points if all(map(math.isfinite, point))]


class LiveChart:
    """The losses of a run so far, drawn while it goes on.

    history   losses measured before this run was resumed
    """

    def __init__(self, history: "History") -> None:
        self.trained, self.held_out = (
            [(at, loss) for e in history if (at := e["seconds"]) is not None
             and (loss := e[name]) is not None]
            for name in ("train_loss", "val_loss")
        )  # fmt: skip

    @classmethod
    def of(cls, history: "History") -> Self | None:
        """Return the chart of a run; None, and say why, if it cannot be drawn on stderr."""
        if not is_terminal(sys.stderr):
            reason = "stderr is not a terminal"
        elif not console.can_draw:
            reason = "this terminal cannot move its cursor"
        elif (width := console.width) <= MIN_WIDTH:
            reason = f"this terminal of {width} columns is too small"
        else:
            return cls(history)
        console.note(f"no curve is drawn: {reason}; 'charrnn inspect' draws it afterwards")
        return None

    def add(self, event: "Event") -> None:
        """Add the losses of an event."""
        self.trained.append((event.seconds, event.train_loss))
        if len(self.trained) >= 2 * MAX_POINTS:
            columns = zip(*self.trained, strict=True)
            self.trained = [*zip(*(means(it, MAX_POINTS) for it in columns), strict=True)]
        if event.val_loss is not None:
            self.held_out.append((event.seconds, event.val_loss))

    def drawing(self) -> str:
        """Return the curves as they are now, as large as the terminal allows."""
        height = min(shutil.get_terminal_size().lines - 2, HEIGHT)
        curves, color = loss_curves(self.trained, self.held_out), not os.environ.get("NO_COLOR")
        return chart(curves, console.width - 1, height, color=color)
