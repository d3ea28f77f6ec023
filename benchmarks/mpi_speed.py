"""Training in processes of MPI against as many of charrnn's own, in alternating runs.

    python benchmarks/mpi_speed.py CORPUS [--processes 2] [--rounds 5] [--machines 1]

Each measurement is a run of the command line; the first steps, which make the scratch memory, do
not count. With MPICH, --machines has the processes of this machine exchange as those of several do.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from measuring import ONE_THREAD, alternate, arguments, heading, row

WARMUP = 10
SIZES = {128: 300, 256: 120, 512: 40}  # hidden size: steps


def speed(corpus: Path, hidden: int, launcher: list[str], options: list[str]) -> float:
    """Return training characters per second of a run, from the times of its steps."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [
            *launcher, sys.executable, "-m", "charrnn", "train", corpus, "--hidden-size", hidden,
            "--batch-size", 64, "--seq-length", 64, "--steps", SIZES[hidden], "--dropout", 0,
            "--weight-drop", 0, "--val-fraction", 0, "--random-seed", 1, "-q", "--no-ngram",
            "-o", Path(folder) / "m.npz", "--log", log, *options,
        ]  # fmt: skip
        subprocess.run([*map(str, command)], check=True, env={**os.environ, **ONE_THREAD})
        steps = [json.loads(line) for line in log.read_text().splitlines()]
    counted = steps[WARMUP:]
    seconds = counted[-1]["seconds"] - steps[WARMUP - 1]["seconds"]
    return len(counted) * 64 * 64 / seconds


def main() -> None:
    """Print the table."""
    parser = arguments(__doc__, corpus=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--machines", type=int, default=1)
    given = parser.parse_args()
    os.environ["MPIR_CVAR_NUM_CLIQUES"] = str(given.machines)
    mpiexec = Path(sys.executable).parent / "mpiexec"
    launcher = [str(mpiexec) if mpiexec.exists() else "mpiexec", "-n", str(given.processes)]
    workers = ["--workers", str(given.processes)]
    ratios = []
    heading("", "mpiexec, chars/s", "--workers, chars/s", "ratio")
    for hidden in SIZES:
        runs = {
            "mpi": partial(speed, given.corpus, hidden, launcher, []),
            "processes": partial(speed, given.corpus, hidden, [], workers),
        }
        medians = alternate(runs, given.rounds)
        ratios.append(medians["mpi"] / medians["processes"])
        cells = (f"{medians[name]:,.0f}" for name in runs)
        row(f"lstm 1x{hidden}", *cells, f"{ratios[-1]:.2f}")
    print(
        f"\ngeometric mean: {math.prod(ratios) ** (1 / len(ratios)):.3f}, load: {os.getloadavg()}"
    )


if __name__ == "__main__":
    main()
