"""``--plot``: the loss curves on the terminal while a run goes on, above its progress bar."""

import os
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from charrnn.cli import terminal
from charrnn.cli.chart import (
    LEAST_HEIGHT,
    LEAST_WIDTH,
    Curve,
    Frame,
    Point,
    draw,
    draws_braille,
    loss_curves,
)

if TYPE_CHECKING:
    from rich.text import Text

    from charrnn.training.loop import Event
    from charrnn.training.state import History

REFRESH_SECONDS = 0.5
HEIGHT, WIDTH = 17, 100
# Lines below the chart: the bar, and the cursor.
BELOW = 2
# A curve has between half of this and this many points, however long the run is.
MOST_POINTS = 100


def why_not() -> str | None:
    """Return why no curve can be drawn on stderr, or None."""
    if not terminal.is_terminal(sys.stderr):
        return "stderr is not a terminal"
    if os.environ.get("TERM") == "dumb":
        return "this terminal cannot move its cursor"
    columns, rows = os.get_terminal_size(sys.stderr.fileno())
    if columns <= LEAST_WIDTH or rows < LEAST_HEIGHT + BELOW:
        return f"this terminal of {columns} x {rows} characters is too small"
    return None


class Means:
    """A curve of means: as the run goes on, each point stands for more and more steps.

    points   mean time and mean loss of a number of successive steps
    """

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self.points: list[Point] = list(points)
        self._per_point = 1
        self._pending: list[Point] = []

    def add(self, seconds: float, loss: float) -> None:
        """Add the loss of a step."""
        self._pending.append((seconds, loss))
        if len(self._pending) < self._per_point:
            return
        self.points.append(_mean(self._pending))
        self._pending.clear()
        if len(self.points) >= MOST_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [_mean(pair) for pair in pairs] + self.points[len(self.points) // 2 * 2 :]
            self._per_point *= 2


def _mean(points: Iterable[Point]) -> Point:
    times, losses = zip(*points, strict=True)
    return sum(times) / len(times), sum(losses) / len(losses)


class LiveChart:
    """Draws the curves of a run in place, with a line of text below, and lets notes pass above.

    history   losses of the run so far, if it is resumed
    unit      of the losses
    """

    def __init__(self, history: "History", unit: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self.unit = unit
        self.plain = not draws_braille()
        measured = [entry for entry in history if entry["seconds"] is not None]
        self.trained = Means((entry["seconds"], entry["train_loss"]) for entry in measured)  # type: ignore[misc]
        self.held_out: list[Point] = [
            (entry["seconds"], entry["val_loss"])  # type: ignore[misc]
            for entry in measured
            if entry["val_loss"] is not None
        ]
        self.shown_at = -REFRESH_SECONDS
        self.console = Console(file=sys.stderr, highlight=False, emoji=False)
        # Refreshed by hand: workers are forked, and threads do not survive that.
        self.live = Live(
            console=self.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self.live.start()
        # A run that is killed could not bring a hidden cursor back.
        self.console.show_cursor()

    def add(self, event: "Event") -> None:
        """Take note of an event."""
        self.trained.add(event.seconds, event.train_loss)
        if event.val_loss is not None:
            self.held_out.append((event.seconds, event.val_loss))

    def show(self, below: str) -> None:
        """Draw the curves as they are now, and a line of text below."""
        self.shown_at = time.monotonic()
        self.live.update(self._drawing(below), refresh=True)

    @property
    def is_due(self) -> bool:
        """True if the last drawing is old enough."""
        return time.monotonic() - self.shown_at >= REFRESH_SECONDS

    def note(self, message: str) -> None:
        """Write a line above the chart."""
        from rich.text import Text

        self.console.print(Text(message), soft_wrap=True)

    def close(self) -> None:
        """Leave the curves on the screen, without the line below."""
        self.live.update(self._drawing(""), refresh=True)
        self.live.stop()

    def _drawing(self, below: str) -> "Text":
        width, height = self.console.size
        frame = Frame(min(width - 1, WIDTH), min(height - BELOW, HEIGHT), self.plain)
        rows = draw(self._curves(), frame, self.unit)
        if below:
            rows.append([(below[: width - 1], "")])
        return terminal.styled(rows)

    def _curves(self) -> list[Curve]:
        return loss_curves(self.trained.points, self.held_out, plain=self.plain)
