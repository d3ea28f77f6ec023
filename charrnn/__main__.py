"""The entry point: ``charrnn``, or ``python -m charrnn``."""

import sys


def main() -> None:
    """Run the command line; a Ctrl-C while it is still loading ends it without a traceback."""
    try:
        from charrnn.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
