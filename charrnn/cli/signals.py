"""Signals while training: the first asks for an end in good order, the second is obeyed at once."""

import signal
import time
from types import FrameType
from typing import Self

from charrnn.parallel.processes import ENDING_SIGNALS

# A second signal so soon after the first is the same impatient key press.
SAME_PRESS_SECONDS = 0.5


class StopSignals:
    """Context manager that records the first signal in ``received`` instead of dying of it.

    The handler writes nothing: it may have interrupted a write to the same stream.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._received_at = 0.0
        self._before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}

    def __enter__(self) -> Self:
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:  # nohup asked for it
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received, self._received_at = number, time.monotonic()
        elif time.monotonic() - self._received_at > SAME_PRESS_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
