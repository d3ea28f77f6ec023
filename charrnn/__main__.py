"""The entry point: ``charrnn``, or ``python -m charrnn``."""

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, whatever it is at."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, interrupt)
    try:
        from charrnn.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while Python itself ends


def interrupt(_: int, frame: "FrameType | None") -> None:
    """End at once while a module is imported, where an exception may be lost or shown; else raise.

    Python calls back into the import machinery at moments in which it can only print an exception.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            if sys.argv[1:2] == ["train"]:
                os.write(2, b"stopped before the first step: nothing is saved\n")
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
