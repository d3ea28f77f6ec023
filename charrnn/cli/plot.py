"""Loss curves on a terminal: drawn by plotext (the extra ``plot``), without it a line of bars."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

from charrnn.cli.console import console, duration, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from charrnn.training.state import History

WIDTH, HEIGHT, MIN_WIDTH, MIN_HEIGHT = 100, 16, 30, 8
HELD_OUT = "held-out text"
BARS = "▁▂▃▄▅▆▇█"


def draw_losses(histories: "Mapping[str, History]", stream: TextIO) -> str:
    """Return a chart of losses over a common time; nothing without losses or room.

    histories   of one run, whose losses on training and held-out text are drawn; of several, by
                name: on held-out text, or on training text if nothing was held out
    stream      the terminal
    """
    from charrnn.models.description import loss_curve

    if len(histories) == 1:
        (history,) = histories.values()
        losses = {"training text": "train_loss", HELD_OUT: "val_loss"}
        curves = {name: dict(loss_curve(history, loss)) for name, loss in losses.items()}
    else:
        curves = {
            name: dict(loss_curve(history, "val_loss") or loss_curve(history, "train_loss"))
            for name, history in histories.items()
        }
    curves = {name: points for name, points in curves.items() if points}
    rich = console.rich(stream)
    width, height = min(rich.width - 1, WIDTH), min(rich.height - 2, HEIGHT)
    if not curves or width < MIN_WIDTH or height < MIN_HEIGHT:
        return ""
    if find_spec("plotext") is None:
        return "".join(f"{sparkline(name, points, width)}\n" for name, points in curves.items())
    import plotext

    color = rich.color_system in {"truecolor", "256"} and not rich.no_color
    figure = plotext.figure.clear().theme("simple" if color else "colorless")
    figure.plot_size(width, height)
    for name, points in curves.items():
        marks = name == HELD_OUT
        signal = figure.signal([*points], [*points.values()], marker="●" if marks else "braille")
        figure.draw(signal.lines(not marks).label(visible(name)))
    times = [seconds for points in curves.values() for seconds in points]
    ticks = [min(times) + (max(times) - min(times)) * part for part in (0, 0.5, 1)]
    figure.ruler("x").ticks(ticks, [duration(tick) for tick in ticks])
    top = max(loss for points in curves.values() for loss in points.values())
    figure.legend(x=max(times), y=top, ha="right", va="top", relative=True)
    text: str = figure.build().string(colorless=not color)
    return text.rstrip("\n") + "\n"


def sparkline(name: str, points: "Mapping[float, float]", width: int) -> str:
    """Return a curve as a line of bars between its first and last loss."""
    losses = [*points.values()]
    step = -(-len(losses) // max(width - len(name) - 14, 1))
    shown, low, high = losses[::step], min(losses), max(losses)
    heights = [(loss - low) / (high - low or 1) * (len(BARS) - 1) for loss in shown]
    bars = "".join(BARS[round(height)] for height in heights)
    return f"{visible(name)} {losses[0]:.3f} {bars} {losses[-1]:.3f}"
