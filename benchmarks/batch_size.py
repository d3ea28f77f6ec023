"""What a larger batch teaches: validation loss after equal numbers of steps, and of characters.

    python benchmarks/batch_size.py corpus.txt --steps 600 1200 --batches 16 32 64 128 256

One run of the command line for each number of steps, batch and rate; nothing is dropped and nothing
is mixed in. Prints one JSON object per run. On equal steps it tells what more processes are worth,
each with its own part of the batch; the speed of a machine has no part in it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def measure(corpus: Path, hidden: int, steps: int, batch: int, rate: float) -> dict[str, Any]:
    """Train once."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "charrnn", "train", corpus, "-o", Path(folder) / "m.npz",
            "--from", "none", "--no-ngram", "--hidden-size", hidden, "--members", 1,
            "--dropout", 0, "--weight-drop", 0, "--steps", steps, "--batch-size", batch,
            "--learning-rate", rate, "--random-seed", 1, "-q", "--json",
        ]  # fmt: skip
        done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE)
    trained = json.loads(done.stdout)
    return {
        "text": corpus.name,
        "hidden_size": hidden,
        "steps": steps,
        "batch_size": batch,
        "learning_rate": rate,
        "val_loss": round(trained["val_loss"], 4),
    }


def main() -> None:
    """Measure all combinations."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--steps", type=int, nargs="+", default=[600, 1200])
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.03])
    args = parser.parse_args()
    for steps in args.steps:
        for batch in args.batches:
            for rate in args.rates:
                row = measure(args.corpus, args.hidden_size, steps, batch, rate)
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
