"""What rounds of local steps (--sync-every) cost, and what they are worth on a slow network.

    python benchmarks/local_steps.py quality corpus.txt --every 1 8 32 128
    python benchmarks/local_steps.py speed corpus.txt --latency 0.05

The machines are halves of this one; see ``slow_network.py``, which needs the mpiexec of MPICH.
quality compares validation losses after equal numbers of steps: as charrnn averages, with the plain
mean of the weights, and with Nesterov momentum (DiLoCo: rate 0.7, momentum 0.9). speed compares
training characters per second, in alternating runs, from the times of their steps.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from measuring import HERE, ONE_THREAD, alternate, heading, row

WARMUP = 10
OURS, MEAN, DILOCO = (), (1.0, 0.0), (0.7, 0.9)  # rate and momentum of a meeting


def train(
    corpus: Path, folder: Path, network: list[object], options: list[object]
) -> dict[str, Any]:
    """Train once on two machines; return the summary."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [
        mpiexec if mpiexec.exists() else "mpiexec", "-n", 2, sys.executable,
        HERE / "slow_network.py", *network, "train", corpus, "-o", folder / "m.npz", "--from",
        "none", "--no-ngram", "--members", 1, "--dropout", 0, "--weight-drop", 0, "-q", "--json",
        *options,
    ]  # fmt: skip
    done = subprocess.run(
        list(map(str, command)),
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def quality(args: argparse.Namespace) -> None:
    """Print one JSON object per run."""
    for seed in args.seeds:
        for every in args.every:
            for momentum in [OURS] if every == 1 else [OURS, MEAN, DILOCO, *args.momentum]:
                for precision in ["full"] if every == 1 else args.precision:
                    with tempfile.TemporaryDirectory() as folder:
                        found = train(
                            args.corpus,
                            Path(folder),
                            ["--momentum", *momentum] if momentum else [],
                            [
                                *("--steps", args.steps, "--hidden-size", args.hidden_size),
                                *("--batch-size", args.batch_size, "--random-seed", seed),
                                *("--learning-rate", args.rate, "--sync-every", every),
                                *(("--sync-precision", precision) if every > 1 else ()),
                            ],
                        )
                    record = {
                        "steps": args.steps,
                        "hidden_size": args.hidden_size,
                        "batch_size": args.batch_size,
                        "every": every,
                        "momentum": momentum,
                        "precision": precision,
                        "seed": seed,
                        "val_loss": round(found["val_loss"], 4),
                    }
                    print(json.dumps(record), flush=True)


def characters_per_second(
    args: argparse.Namespace, network: list[object], options: list[object]
) -> float:
    """Return training characters per second of a run, after its beginning."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        train(
            args.corpus,
            Path(folder),
            network,
            [
                *("--steps", args.steps, "--hidden-size", args.hidden_size, "--log", log),
                *("--batch-size", args.batch_size, "--seq-length", 64, "--val-fraction", 0),
                *options,
            ],
        )
        steps = [json.loads(line) for line in log.read_text().splitlines()][WARMUP:]
    seconds = steps[-1]["seconds"] - steps[0]["seconds"]
    return (len(steps) - 1) * args.batch_size * 64 / seconds


def speed(args: argparse.Namespace) -> None:
    """Print a table."""
    network: list[object] = ["--latency", args.latency, "--bandwidth", args.bandwidth]
    runs = {
        "no delay": partial(characters_per_second, args, [], []),
        "no delay, --sync-every auto": partial(
            characters_per_second, args, [], ["--sync-every", "auto"]
        ),
        "delay, --sync-every auto": partial(
            characters_per_second, args, network, ["--sync-every", "auto"]
        ),
        "delay, auto, half": partial(
            characters_per_second,
            args,
            network,
            ["--sync-every", "auto", "--sync-precision", "half"],
        ),
        "delay": partial(characters_per_second, args, network, []),
    }
    medians = alternate(runs, args.rounds)
    heading("", "chars/s", "share")
    for name, value in medians.items():
        row(name, f"{value:,.0f}", f"{value / medians['no delay']:.2f}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["quality", "speed"])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=960)
    parser.add_argument("--rate", type=float, default=0.03)
    parser.add_argument("--every", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--momentum", type=float, nargs=2, action="append", default=[])
    parser.add_argument("--precision", nargs="+", default=["full"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--bandwidth", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    (quality if args.what == "quality" else speed)(args)


if __name__ == "__main__":
    main()
