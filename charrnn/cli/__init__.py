"""The command line: one file a command; each parses, calls the library and renders.

Nothing here imports NumPy at the top, so that ``charrnn --help`` starts fast.
"""

import errno
import os
import re
import signal
import sys
from typing import Any, NoReturn

import typer

from charrnn.cli.app import COMMANDS, app, describe_source, option_names
from charrnn.cli.console import OutputError
from charrnn.cli.console import console as out
from charrnn.errors import CharRNNError, ConfigError

__all__ = ["app", "main"]

# BLAS shares out even small products over all cores, and its threads then wait for each other
# spinning: on two idle cores that gains a fifth, but beside one other busy process it made training
# ten times slower than a single thread. A setting of the user's own stays.
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# What launchers of MPI call the number of a process.
MPI_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")
# What numbers must be, by the first word of what pydantic calls the fault.
MUST_BE = {"int": "a whole number", "float": "a number",
           "greater": "{ge:,} or more", "less": "{le:,} or less"}  # fmt: skip


def main() -> NoReturn:
    """Entry point of the console script."""
    if sys.platform == "linux":
        for name in BLAS_THREADS:
            os.environ.setdefault(name, os.environ.get("OMP_NUM_THREADS", "1"))
    if hasattr(signal, "SIGCHLD"):  # if the caller ignores it, others get the ids of our workers
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    set_encodings()
    is_follower = any(os.environ.get(name, "0") != "0" for name in MPI_RANKS)
    if sys.argv[1:2] == ["train"] and is_follower:
        sys.stderr = None  # the first process of MPI speaks for all
    code = run_command(sys.argv[1:])
    if code in {1, 2} and (mpi := sys.modules.get("charrnn.parallel.mpi")) is not None:
        mpi.abort(code)
    sys.exit(code)


def set_encodings() -> None:
    """Have text on stdout and stderr in an encoding that can show it."""
    if sys.stdout is not None and not sys.stdout.closed:
        # Text is UTF-8 with the line ends it has, on every platform. What UTF-8 lacks, in names of
        # files that are not UTF-8, is shown as its code, as in JSON.
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="backslashreplace")  # type: ignore[union-attr]
    if sys.stderr is not None:
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def run_command(args: list[str]) -> int:
    """Run a command and return its exit code. Every exception becomes one line and a hint."""
    command = next((arg for arg in args[:2] if arg in COMMANDS), "")
    usage = f"'{' '.join(filter(None, ['charrnn', command, '--help']))}' lists what it takes"
    code: Any = 1
    try:
        code = app(args or ["--help"], prog_name="charrnn", standalone_mode=False)
        code = code if args else 2
    except typer.TyperException as error:
        message = describe_usage_error(error)
        if (context := getattr(error, "ctx", None)) and (param := getattr(error, "param", None)):
            message += describe_source(context, param.opts[0])
        extra = re.search(r"unexpected extra argument.*?\((\S+\.npz)", message)
        out.error(message, f"did you mean -c {extra[1]}?" if extra else usage)
        code = error.exit_code
    except CharRNNError as error:
        hint = error.hint or usage
        if "--encoding" in hint and command and "--encoding" not in option_names(command):
            hint = "it must be UTF-8: 'charrnn doctor FILE' says how to convert it"
        out.error(str(error), hint)
        code = 2 if isinstance(error, ConfigError) else 1
    except OutputError as error:
        code = int(str(error) != "")
        if code:
            hint = "send it to another disk or file: charrnn ... > FILE"
            out.error(f"cannot write output: {error}", hint)
    except OSError as error:
        out.error(*describe_os_error(error))
    except MemoryError:
        out.error("out of memory", f"ask for less at once; {usage}")
    except Exception as error:  # noqa: BLE001  # whatever it is, the user gets one line
        out.error(
            f"internal error: {type(error).__name__}: {error}",
            f"please report it with what 'charrnn --debug {command} ...' prints",
        )
    return code if isinstance(code, int) else 0


def describe_usage_error(error: typer.TyperException) -> str:
    """Return what is wrong with a command line; with a number, as configs say it."""
    for wrong in getattr(error.__cause__, "errors", list)():  # of pydantic
        if words := MUST_BE.get(wrong["type"].partition("_")[0]):
            name, bounds = error.param.opts[-1].strip("-"), wrong.get("ctx", {})  # type: ignore[attr-defined]
            return f"{name} must be {words.format(**bounds)}, not {wrong['input']}"
    return error.format_message().replace("Value error, ", "")


def describe_os_error(error: OSError) -> tuple[str, str]:
    """Return what the system refuses, and the next step."""
    name = f"{error.filename}: " if error.filename else ""
    if isinstance(error, FileNotFoundError) and not name:
        return "the current folder has been deleted", "go to another one with cd"
    hint = "check the path, and that you may use it" if name else "'charrnn --debug ...' says where"
    hint = "allow more: ulimit -n 1024" if error.errno == errno.EMFILE else hint
    return f"{name}{error.strerror or error}", hint
