"""Sampling speed under controls against free sampling, and how long a suggestion takes, LSTM 1x256.

python benchmarks/control_speed.py [--rounds 5]
"""

import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
from charrnn.scoring.blend import Blend
from charrnn.scoring.controls import Controls
from charrnn.scoring.sampling import generate, write_sample
from charrnn.training.next_character import initial_state
from measuring import arguments, heading, row

from charrnn import LanguageModel, Model, ModelConfig, SamplingConfig, Vocabulary
from charrnn.config import Config, ControlConfig
from charrnn.generate.predictor import NetworkPredictor, Predictor, as_predictor

VOCABULARY = Vocabulary("\n" + "".join(map(chr, range(32, 127))))
MODEL = LanguageModel(ModelConfig(hidden_size=256), len(VOCABULARY)).init(np.random.default_rng(0))
LENGTH, LINES = 2000, 60
CONTROLS = {
    "--stop": ControlConfig(stop=("the end of all", "never")),
    "--charset": ControlConfig(charset="a-zA-Z .,\n"),
    "--match": ControlConfig(match=r"(?:[A-Z]?[a-z]*[,.!?\n]? ?)*"),
}


def free(predictor: Predictor) -> float:
    """Return characters per second without controls."""
    steps = generate(predictor, np.zeros(1, np.uint8), SamplingConfig(), random_seed=0)
    list(islice(steps, 20))
    started = time.perf_counter()
    list(islice(steps, LENGTH))
    return LENGTH / (time.perf_counter() - started)


def controlled(rules: ControlConfig) -> float:
    """Return characters per second under controls, the time to prepare them included."""
    started = time.perf_counter()
    controls = Controls(rules, VOCABULARY, LENGTH)
    steps = write_sample(MODEL, np.zeros(1, np.uint8), SamplingConfig(), controls, random_seed=0)
    return sum(1 for _ in steps) / (time.perf_counter() - started)


def suggestion_times(length: int, checkpoint: Path) -> list[float]:
    """Return the seconds from a new line of this length to its answer, over a pipe."""
    command = [sys.executable, "-m", "charrnn", "suggest", "--stream", "-c", str(checkpoint)]
    times = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(LINES):
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
    rounds = arguments(__doc__).parse_args().rounds
    blend = Blend([(NetworkPredictor(MODEL), VOCABULARY)] * 2, [0.5, 0.5])
    speeds: dict[str, list[float]] = {"free": [], **{name: [] for name in CONTROLS}, "blend": []}
    for _ in range(rounds):
        speeds["free"].append(free(as_predictor(MODEL)))
        for name, rules in CONTROLS.items():
            speeds[name].append(controlled(rules))
        speeds["blend"].append(free(blend))
    heading("control", "chars/s", "share of free")
    for name, found in speeds.items():
        row(name, f"{median(found):,.0f}", f"{median(found) / median(speeds['free']):.2f}")
    config = Config(model=ModelConfig(hidden_size=256))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.npz"
        state = initial_state(config, len(VOCABULARY))
        Model.of(config, VOCABULARY, state).save(path)
        print()
        heading("characters in the line", "median, ms", "95th of 100, ms")
        for length in (20, 80, 300, 1000):
            times = sorted(suggestion_times(length, path))
            late = times[int(len(times) * 0.95)]
            row(length, f"{median(times) * 1e3:.1f}", f"{late * 1e3:.1f}")


if __name__ == "__main__":
    main()
