"""Shared by the benchmarks: alternating runs, each in a new process, and tables of medians."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

HERE = Path(__file__).parent
PEER = HERE / "torch_peer.py"
# The same setting as in charrnn's command line; a measured process can change it.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows a module's docstring as it is."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def arguments(description: str | None, *, corpus: bool = False) -> argparse.ArgumentParser:
    """Return a parser with what the scripts that compare with PyTorch take."""
    parser = make_parser(description)
    if corpus:
        parser.add_argument("corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--torch-python", default=sys.executable, help="the Python of an environment with PyTorch"
    )
    return parser


def in_process(*command: object, threads: int | None = None) -> float:
    """Return the number that a command prints last, run in a fresh process."""
    limits = dict.fromkeys(ONE_THREAD, str(threads)) if threads else {}
    done = subprocess.run(
        list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **limits},
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1]))


def peak_memory(*command: object, stdin: Path | None = None) -> tuple[float, float]:
    """Return the seconds that a command of charrnn takes, and its peak memory in MB."""
    began = time.perf_counter()
    with open(stdin or os.devnull, "rb") as text:
        process = subprocess.Popen(
            [sys.executable, "-m", "charrnn", *map(str, command)],
            stdin=text, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6


def alternate(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the median of each run, having taken turns: a machine drifts while it measures."""
    results: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            results[name].append(run())
    return {name: statistics.median(values) for name, values in results.items()}


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def heading(*cells: str) -> None:
    """Print the head of a table."""
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)
