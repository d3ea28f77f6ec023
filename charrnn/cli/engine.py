"""``--engine``: where the processes of a run come from, and what those of MPI do on the way there.

A launcher starts the same command line several times. Rank 0 does what it says. The others read the
same options, silently, and then serve rank 0.
"""

import io
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

import typer

from charrnn.cli.options import EngineChoice
from charrnn.errors import ConfigError, TrainingError
from charrnn.parallel.launcher import launched

if TYPE_CHECKING:
    from charrnn.config import EngineName

# The commands that share their work among the processes.
COMMANDS = {"train"}

_silenced: "tuple[TextIO, TextIO] | None" = None


class _Nowhere(io.TextIOBase):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        """Take a text."""
        return len(text)


def quiet_unless_first(command: str | None) -> None:
    """Say nothing in this process if another one does what the command line says."""
    global _silenced  # noqa: PLW0603  # the streams of the process
    found = launched()
    if command not in COMMANDS or found is None or found.rank == 0:
        return
    _silenced = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = _Nowhere()


def with_engine(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of a run with its engine, once its processes are there.

    Ends a process that has served another one. Raises ConfigError and TrainingError.
    """
    engine = settled_engine(options["engine"], options["workers"])
    if engine == "mpi" and not connected():
        raise typer.Exit
    return {**options, "engine": engine}


def settled_engine(choice: EngineChoice | None, workers: int | None) -> "EngineName":
    """Return where the processes come from. Raises ConfigError for what cannot be.

    workers   how many were asked for
    """
    found = launched()
    if choice == "mpi" and found is None:
        raise ConfigError(
            "--engine mpi is for processes that a launcher has started",
            hint="mpiexec -n 8 charrnn train text.txt",
        )
    alone = found is None or (choice != "mpi" and found.size == 1)
    if alone or choice == "processes":
        if _silenced is not None:
            sys.stdout, sys.stderr = _silenced
        return "processes"
    assert found is not None  # noqa: S101  # or it would be alone
    if workers is not None:
        raise ConfigError(
            f"--workers: {found.by} says how many processes there are, which is {found.size}",
            hint="leave it out, or add --engine processes",
        )
    return "mpi"


def connected() -> bool:
    """Join the processes of MPI. Returns False if this one has served rank 0 to the end.

    Raises TrainingError if MPI cannot be used.
    """
    found = launched()
    assert found is not None  # noqa: S101  # as ``settled_engine`` has seen
    if os.name != "posix":
        raise TrainingError(
            "MPI works on Linux and macOS only", hint="start a single process instead"
        )
    try:
        from charrnn.parallel import mpi
    except ConfigError:
        raise TrainingError(
            f"{found.by} has started {found.size} processes, which need the package mpi4py",
            hint="pip install 'charrnn[mpi]'; or start a single process",
        ) from None
    return mpi.connect(found)


def finish(code: int) -> None:
    """Have the processes of MPI end, if there are any."""
    if (mpi := sys.modules.get("charrnn.parallel.mpi")) is not None:
        with suppress(AttributeError):  # half imported
            mpi.finish(code)
