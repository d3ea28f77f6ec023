"""Training speed of charrnn and PyTorch in alternating runs.

    python benchmarks/train_speed.py CORPUS [--torch-python PYTHON] [--rounds 5]

The last column is the FLOP/s of charrnn's matrix products as a share of peak, the FLOP/s of NumPy
multiplying two large matrices on all cores. Products with one-hot vectors are table look-ups and do
not count.
"""

import json
import os
import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path

from measuring import PEER, alternate, arguments, heading, in_process, row

WARMUP = 3
STEPS = {128: 40, 256: 20, 512: 8}
SIZES = [
    ("lstm", 2, 128), ("lstm", 2, 256), ("lstm", 2, 512), ("gru", 2, 256), ("rnn", 2, 256),
]  # fmt: skip
T, B, VOCABULARY = 64, 64, 65
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def train(corpus: str, cell: str, layers: int, hidden: int) -> float:
    """Return training characters per second of charrnn."""
    from charrnn import (
        Config,
        DataConfig,
        ModelConfig,
        RunConfig,
        Trainer,
        initial_state,
        read_corpus,
        train_events,
    )
    from charrnn.parallel.launch import default_workers

    model = ModelConfig(cell=cell, hidden_size=hidden, layers=layers)
    steps = STEPS[hidden]
    run = RunConfig(seconds=None, steps=steps + WARMUP, workers=default_workers(model, T, B))
    config = Config(model=model, data=DataConfig(seq_length=T, batch_size=B), run=run)
    read = read_corpus([corpus])
    state = initial_state(config, len(read.vocabulary))
    events = train_events(Trainer(config, read.ids, read.ids[:0], state))
    list(islice(events, WARMUP))
    started = time.perf_counter()
    list(events)
    return steps * T * B / (time.perf_counter() - started)


def peak() -> float:
    """Return floating-point operations per second of large matrix products."""
    import numpy as np

    size, times = 1536, []
    a, b, out = (np.ones((size, size), np.float32) for _ in range(3))
    for _ in range(12):
        started = time.perf_counter()
        np.dot(a, b, out=out)
        times.append(time.perf_counter() - started)
    return 2 * size**3 / sorted(times)[len(times) // 2]


def operations(cell: str, layers: int, hidden: int) -> int:
    """Return floating-point operations for each character: forward once, backward twice."""
    products = (2 * layers - 1) * GATES[cell] * hidden**2 + VOCABULARY * hidden
    return 3 * 2 * products


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(train(*json.loads(sys.argv[2]))))
        return
    if sys.argv[1:2] == ["--peak"]:
        print(json.dumps(peak()))
        return
    cores = len(os.sched_getaffinity(0))
    args = arguments(__doc__, corpus=True).parse_args()
    script = Path(__file__)
    heading("", "charrnn, chars/s", "PyTorch, chars/s", "ratio", "share of peak")
    ratios = []
    for cell, layers, hidden in SIZES:
        settings = json.dumps([str(args.corpus), cell, layers, hidden])
        options = ["--cell", cell, "--layers", layers, "--hidden", hidden, "--steps", STEPS[hidden]]
        theirs = [args.torch_python, PEER, "train", "--corpus", args.corpus, *options]
        mine = [sys.executable, script]
        median = alternate(
            {
                "charrnn": partial(in_process, *mine, "--one", settings, threads=1),
                "torch": partial(in_process, *theirs),
                "peak": partial(in_process, *mine, "--peak", threads=cores),
            },
            args.rounds,
        )
        ratio = median["charrnn"] / median["torch"]
        share = median["charrnn"] * operations(cell, layers, hidden) / median["peak"]
        row(
            f"{cell} {layers}x{hidden}", f"{median['charrnn']:,.0f}", f"{median['torch']:,.0f}",
            f"{ratio:.2f}", f"{share:.0%}",
        )  # fmt: skip
        ratios += [ratio] if cell == "lstm" else []
    print(f"\nlstm, geometric mean: {(ratios[0] * ratios[1] * ratios[2]) ** (1 / 3):.2f}")


if __name__ == "__main__":
    main()
