"""Sampling speed under controls against free sampling, and how fast ``complete`` answers.

    python benchmarks/control_speed.py [--rounds 5] [--lines 60]

LSTM 1x256; ``complete`` answers so many lines of each length. The time to prepare the controls is
included.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from measuring import arguments, heading, row

from charrnn import (
    Config,
    ControlConfig,
    Model,
    ModelConfig,
    SamplingConfig,
    Vocabulary,
    initial_state,
)
from charrnn.generate.controls import Controls
from charrnn.generate.sample import Sampler

VOCABULARY = Vocabulary("\n" + "".join(map(chr, range(32, 127))))
CONFIG = Config(model=ModelConfig(hidden_size=256))
MODEL = Model.of(CONFIG, VOCABULARY, initial_state(CONFIG, len(VOCABULARY)))
LENGTH = 2000
CONTROLS = {
    "free": ControlConfig(),
    "--stop": ControlConfig(stop=("the end of all", "never")),
    "--charset": ControlConfig(charset="a-zA-Z .,\n"),
    "--match": ControlConfig(match=r"(?:[A-Z]?[a-z]*[,.!?\n]? ?)*"),
}


def speed(config: ControlConfig) -> float:
    """Return characters per second under controls."""
    sampler = Sampler.of(MODEL.distribution(), np.zeros(1, np.uint8), SamplingConfig(), 0)
    started = time.perf_counter()
    controls = Controls(config, VOCABULARY, LENGTH)
    count = sum(1 for _ in sampler.stream(controls))
    return count / (time.perf_counter() - started)


def answer_times(length: int, checkpoint: Path, count: int) -> list[float]:
    """Return the seconds from each new line of this length to its answer, over a pipe."""
    command = [sys.executable, "-m", "charrnn", "complete", "-c", str(checkpoint), "-n", "12"]
    times = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(count):
            line = (f"line {number} of " + "a text that goes on and on, " * 99)[:length]
            started = time.perf_counter()
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            process.stdout.readline()
            times.append(time.perf_counter() - started)
        process.stdin.close()
    return times[1:]  # the first one waits for the model


def main() -> None:
    """Print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--lines", type=int, default=60)
    args = parser.parse_args()
    speeds: dict[str, list[float]] = {name: [] for name in CONTROLS}
    for _ in range(args.rounds):
        for name, config in CONTROLS.items():
            speeds[name].append(speed(config))
    heading("control", "chars/s", "share of free")
    for name, found in speeds.items():
        row(name, f"{median(found):,.0f}", f"{median(found) / median(speeds['free']):.2f}")
    print()
    heading("characters in the line", "median, ms", "95th of 100, ms")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.npz"
        MODEL.save(path)
        for length in (20, 80, 300, 1000):
            times = sorted(answer_times(length, path, args.lines))
            late = times[int(len(times) * 0.95)]
            row(length, f"{median(times) * 1e3:.1f}", f"{late * 1e3:.1f}")


if __name__ == "__main__":
    main()
