"""How this program is called."""

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return how to call charrnn from here."""
    if shutil.which("charrnn"):
        return "charrnn"
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m charrnn"
    return shlex.quote(sys.argv[0])
