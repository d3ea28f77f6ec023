"""The command line: one file per command; each parses, calls the library and renders.

Nothing here imports NumPy at the top, so that ``charrnn --help`` starts fast.
"""

import contextlib
import itertools
import os
import signal
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from charrnn.cli import completions
from charrnn.cli.command import help_width
from charrnn.cli.commands import COMMANDS, Commands
from charrnn.cli.output import OutputClosedError, OutputFailedError
from charrnn.errors import CharRNNError, ConfigError

app = typer.Typer(
    name="charrnn",
    cls=Commands,
    help="Learn to write like a text, character by character, on a CPU.\n\n"
    "charrnn train corpus.txt --time 60s\n"
    'charrnn sample --seed "The " --length 300\n'
    "charrnn export --to html\n\n"
    "Each option can have a default of your own, in a variable like CHARRNN_TEMPERATURE or in a "
    "file config.toml: 'charrnn sample --show-config' shows what holds, and where it is set.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": help_width()},
)


def _show_version(value: bool) -> None:  # noqa: FBT001
    if value:
        from charrnn._version import __version__

        typer.echo(f"charrnn {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something goes wrong.")
    ] = False,
    no_config: Annotated[
        bool,
        typer.Option(
            "--no-config",
            help="Take no defaults from CHARRNN_ variables or config.toml.",
        ),
    ] = False,
) -> None:
    """Options before the command."""


def _complain(message: str, hint: str | None = None) -> None:
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError):
        one_line = " ".join(message.split())
        sys.stderr.write(f"charrnn: error: {_printable(one_line)}\n")
        if hint:
            sys.stderr.write(f"hint: {_printable(hint)}\n")
        sys.stderr.flush()


def _printable(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def _run(args: list[str]) -> int:
    """Run a command and return its exit code. Every exception becomes one line and a hint."""
    named = [f" {arg}" for arg in args[:2] if arg in COMMANDS][:1]
    usage = f"'charrnn{''.join(named)} --help' lists what it takes"
    code: object = 1
    if not args:
        app(["--help"], prog_name="charrnn", standalone_mode=False)
        return 2
    try:
        code = app(args, prog_name="charrnn", standalone_mode=False)
    except typer.TyperException as error:
        _complain(error.format_message().replace("Value error, ", ""), usage)
        code = error.exit_code
    except CharRNNError as error:
        if _wants_traceback(args):
            traceback.print_exc()
        _complain(str(error), error.hint or usage)
        code = 2 if isinstance(error, ConfigError) else 1
    except OutputClosedError:
        code = 0
    except OutputFailedError as error:
        _complain(f"cannot write output: {error}")
    except OSError as error:
        _complain(f"cannot write output: {error.strerror or error}")
    except MemoryError:
        _complain("out of memory", f"ask for less at once; {usage}")
    return code if isinstance(code, int) else 0


def _wants_traceback(args: list[str]) -> bool:
    options = itertools.takewhile(lambda arg: arg.startswith("-"), args)
    return "--debug" in options or os.environ.get("CHARRNN_DEBUG", "") not in ("", "0", "false")


# BLAS shares out even small products over all cores, and its threads then wait for each other
# spinning: on two idle cores that gains a fifth, but beside one other busy process it made training
# ten times slower than a single thread. Where there can be only one process, its threads are all
# that uses the other cores. A setting of the user's own stays.
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def _take_over_child_signal() -> None:
    """Have ended workers wait for us: if the caller ignores SIGCHLD, others get their ids."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _limit_blas_threads() -> None:
    if sys.platform == "linux":
        for name in _BLAS_THREADS:
            os.environ.setdefault(name, os.environ.get("OMP_NUM_THREADS", "1"))


def main() -> NoReturn:
    """Entry point of the console script."""
    _limit_blas_threads()
    _take_over_child_signal()
    args = sys.argv[1:]
    if "_CHARRNN_COMPLETE" in os.environ:
        completions.keep_help_as_it_is()
    if sys.stdout is not None and not sys.stdout.closed:
        # Text is UTF-8 with the line ends it has, on every platform; a terminal that cannot show a
        # character shows its code.
        errors = "backslashreplace" if sys.stdout.isatty() else "strict"
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors=errors)  # type: ignore[union-attr]
    if sys.stderr is not None:
        sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = 1
    try:
        code = _run(args)
    except Exception as error:
        if _wants_traceback(args):
            raise
        _complain(
            f"internal error: {type(error).__name__}: {error}",
            f"please report it with what 'charrnn --debug {' '.join(args[:1])} ...' prints",
        )
    # Python flushes stdout once more on its way out; a pipe closed since must not make it complain.
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _complain(f"cannot write output: {error.strerror or error}")
        code = code or 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
