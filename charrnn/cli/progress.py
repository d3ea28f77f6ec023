"""How training goes, on stderr: a bar, a chart above it, or lines of a log."""

import sys
import time
from typing import TYPE_CHECKING, Never, Self

from charrnn.cli import terminal

if TYPE_CHECKING:
    from tqdm import tqdm

    from charrnn.cli.plot import LiveChart
    from charrnn.training.loop import Event

BAR_FORMAT = "{percentage:3.0f}%|{bar}| {desc}"
REFRESH_SECONDS = 0.1
# Columns that stay free behind the bar: a terminal shows ^C there, which must not begin a new row.
ECHO = 4
PLAIN_LINE_SECONDS = 10.0


class Progress:
    """How training goes, on stderr: a bar on a terminal, now and then a line in a log.

    chart   draws the losses above the bar; None: nothing does
    """

    def __init__(self, *, quiet: bool, verbose: bool, chart: "LiveChart | None" = None) -> None:
        self.quiet, self.verbose, self.chart = quiet, verbose, chart
        if chart is not None:
            terminal.write_notes_with(chart.note)
        self.val_loss: float | None = None
        self.shown_at = time.monotonic()
        self.bar: tqdm[Never] | None = None
        if not quiet and chart is None and terminal.is_terminal(sys.stderr):
            self.bar = terminal.make_bar(total=1.0, bar_format=BAR_FORMAT, dynamic_ncols=True)

    def update(self, event: "Event") -> None:
        """Show an event, if it is time to."""
        measured = event.val_loss is not None
        if measured:
            self.val_loss = event.val_loss
        if self.quiet:
            return
        if self.chart is not None:
            self._draw(self.chart, event)
            return
        waited = time.monotonic() - self.shown_at
        if self.bar is None:
            if measured or event.progress == 1 or waited >= PLAIN_LINE_SECONDS:
                self.shown_at = time.monotonic()
                terminal.note(f"{event.progress:4.0%} {terminal.status(event, self.val_loss)}")
        elif measured or waited >= REFRESH_SECONDS or event.progress == 1:
            self.shown_at = time.monotonic()
            self.bar.n = event.progress
            with terminal.nobody_to_tell():
                self.bar.set_description_str(terminal.status(event, self.val_loss), refresh=True)
            if measured and self.verbose:
                terminal.note(f"{event.progress:4.0%} {terminal.status(event, self.val_loss)}")

    def _draw(self, chart: "LiveChart", event: "Event") -> None:
        """Show an event in the chart and the bar below it, if it is time to."""
        from tqdm import tqdm

        chart.add(event)
        if event.val_loss is None and not chart.is_due and event.progress != 1:
            return
        now = terminal.status(event, self.val_loss)
        if event.val_loss is not None and self.verbose:
            terminal.note(f"{event.progress:4.0%} {now}")
        with terminal.nobody_to_tell():
            bar = tqdm.format_meter(
                event.progress,
                1.0,
                0,
                ncols=chart.console.width - ECHO,
                prefix=now,
                bar_format=BAR_FORMAT,
            )
            chart.show(bar)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar off the screen."""
        if self.chart is not None:
            with terminal.nobody_to_tell():
                self.chart.close()
            terminal.write_notes_with(None)
        if self.bar is not None:
            with terminal.nobody_to_tell():
                self.bar.close()
