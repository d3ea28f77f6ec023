"""Sampling speed of charrnn and PyTorch in alternating runs, LSTM 1x256.

python benchmarks/sample_speed.py [--torch-python PYTHON] [--rounds 5]
"""

import json
import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path

from measuring import PEER, alternate, arguments, heading, in_process, row

HIDDEN, VOCABULARY, LENGTH = 256, 65, 1000


def sample(count: int) -> float:
    """Return characters sampled per second by charrnn, of all samples together."""
    import numpy as np

    from charrnn import LanguageModel, ModelConfig, SamplingConfig, Vocabulary, sample_steps
    from charrnn.config import ControlConfig
    from charrnn.generate.controls import Controls
    from charrnn.generate.sample import Sampler
    from charrnn.parallel.launch import sampling_workers

    model = LanguageModel(ModelConfig(hidden_size=HIDDEN), VOCABULARY).init(
        np.random.default_rng(0)
    )
    seed, config = np.zeros(1, np.uint8), SamplingConfig()
    if count == 1:
        steps = sample_steps(model, seed, config, random_seed=0)
        list(islice(steps, 20))
        started = time.perf_counter()
        list(islice(steps, LENGTH))
    else:
        sampler, workers = Sampler.of(model, seed, config, 0), sampling_workers(count)
        vocabulary = Vocabulary("".join(map(chr, range(VOCABULARY))))
        short, long = (Controls(ControlConfig(), vocabulary, length) for length in (20, LENGTH))
        list(sampler.write(short, count, workers=workers))
        started = time.perf_counter()
        list(sampler.write(long, count, workers=workers))
    return LENGTH * count / (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(sample(int(sys.argv[2]))))
        return
    args = arguments(__doc__).parse_args()
    script = Path(__file__)
    heading("samples at once", "charrnn, chars/s", "PyTorch, chars/s", "ratio")
    for count in (1, 64):
        options = ["--hidden", HIDDEN, "--length", LENGTH, "--count", count]
        median = alternate(
            {
                "charrnn": partial(in_process, sys.executable, script, "--one", count, threads=1),
                "torch": partial(in_process, args.torch_python, PEER, "sample", *options),
            },
            args.rounds,
        )
        mine, theirs = median["charrnn"], median["torch"]
        row(count, f"{mine:,.0f}", f"{theirs:,.0f}", f"{mine / theirs:.2f}")


if __name__ == "__main__":
    main()
