"""Sampling speed of charrnn and PyTorch in alternating runs, LSTM 1x256.

    python benchmarks/sample_speed.py [--model model.npz] [--torch-python PYTHON] [--rounds 5]

With a model, also that of a model with its n-grams against that of its network alone. Both take
turns in one process, and its processor time counts.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
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


def compare_ngrams(path: Path, rounds: int) -> None:
    """Print the table of a model with and without its n-grams."""
    from charrnn import Model, SamplingConfig, sample_steps
    from charrnn.text.vocabulary import start_ids

    def seconds(steps: Iterator[object], count: int) -> float:
        started = time.process_time()
        deque(islice(steps, count), maxlen=0)
        return time.process_time() - started

    model = Model.load(path)
    models, start = (model.network(), model.distribution()), start_ids(model.vocabulary)
    print()
    heading("samples at once", "network, chars/s", "with n-grams, chars/s", "share")
    for count, steps in {1: 400, 8: 200, 64: 50}.items():
        texts = [
            sample_steps(it, start, SamplingConfig(), random_seed=0, count=count) for it in models
        ]
        runs = {str(number): partial(seconds, text, steps) for number, text in enumerate(texts)}
        alone, both = (count * steps / median for median in alternate(runs, rounds).values())
        row(count, f"{alone:,.0f}", f"{both:,.0f}", f"{both / alone:.2f}")


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(sample(int(sys.argv[2]))))
        return
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
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
    if args.model:
        compare_ngrams(args.model, args.rounds)


if __name__ == "__main__":
    main()
