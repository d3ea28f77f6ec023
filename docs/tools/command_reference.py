"""Writes docs/commands.md from the command line itself: run it after changing an option."""

import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent / "commands.md"
INTRODUCTION = """# Commands and options

This page is what `charrnn COMMAND --help` prints. `docs/tools/command_reference.py` writes it.
"""


def reference() -> str:
    """Return the page."""
    from charrnn.cli.commands import COMMANDS

    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    program = "from charrnn.cli import main; main()"
    parts = [INTRODUCTION]
    for command in COMMANDS:
        shown = subprocess.run(
            [sys.executable, "-c", program, command, "--help"],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        lines = "\n".join(line.rstrip() for line in shown.splitlines())
        parts.append(f"\n## charrnn {command}\n\n```text\n{lines}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
