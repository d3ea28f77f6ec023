"""Startup time of commands, against a lower bound.

python benchmarks/start_speed.py [--torch-python PYTHON] [--rounds 5]
"""

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from measuring import PEER, alternate, arguments, heading, row


def seconds(*command: object) -> float:
    """Return how long a command takes."""
    started = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    args = arguments(__doc__).parse_args()
    charrnn: list[object] = [sys.executable, "-m", "charrnn"]
    with tempfile.TemporaryDirectory() as folder:
        text, model, weights = (Path(folder) / name for name in ("t.txt", "m.npz", "m.pt"))
        text.write_text("".join(map(chr, range(32, 97))) * 200, encoding="utf-8")
        seconds(*charrnn, "train", text, "--steps", 1, "--quiet", "-o", model)
        seconds(args.torch_python, PEER, "save", "--weights", weights)
        sample: list[object] = ["sample", "-c", model, "-n", 200, "--seed", "A"]
        rows: dict[str, tuple[list[object], list[object]]] = {
            "sample -n 200, against PyTorch": (
                [*charrnn, *sample],
                [args.torch_python, PEER, "load", "--weights", weights, "--length", 200],
            ),
            '--help, against python -c "import typer, rich"': (
                [*charrnn, "--help"],
                [sys.executable, "-c", "import typer, rich"],
            ),
        }
        heading("", "charrnn, s", "baseline, s", "charrnn / baseline", "baseline / charrnn")
        for name, (mine, theirs) in rows.items():
            median = alternate(
                {"mine": partial(seconds, *mine), "theirs": partial(seconds, *theirs)}, args.rounds
            )
            a, b = median["mine"], median["theirs"]
            row(name, f"{a:.2f}", f"{b:.2f}", f"{a / b:.2f}", f"{b / a:.2f}")


if __name__ == "__main__":
    main()
