"""Training and sampling speed of charrnn against PyTorch, side by side.

    python benchmarks/speed.py CORPUS [--torch-python PYTHON] [--rounds 5]

Runs alternate: charrnn, PyTorch, charrnn, ... Machines drift by tens of percent within minutes, so
only the ratio of medians counts. PyTorch may live in an environment of its own: name its Python.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it

PEER = Path(__file__).parent / "torch_peer.py"
WARMUP = 3
TRAIN = [
    ("lstm", 2, 128, 40), ("lstm", 2, 256, 20), ("lstm", 2, 512, 8), ("gru", 2, 256, 20),
    ("rnn", 2, 256, 40),
]  # fmt: skip
SAMPLE = [1, 64]


def ours(what: str, corpus: str, settings: dict[str, int | str]) -> float:
    """Return characters per second of charrnn, in this process."""
    from itertools import islice

    import numpy as np

    from charrnn import (
        Config,
        DataConfig,
        Model,
        ModelConfig,
        RunConfig,
        SamplingConfig,
        TrainingState,
        generate,
        read_corpus,
        train,
    )  # fmt: skip
    from charrnn.workers import default_workers

    model = ModelConfig(
        cell=settings["cell"], hidden_size=settings["hidden"], layers=settings["layers"]
    )
    if what == "sample":
        net = Model(model, 65).init(np.random.default_rng(0))
        length, count = settings["length"], settings["count"]
        steps = generate(net, [0], SamplingConfig(), random_seed=0, count=count)
        list(islice(steps, 20))
        started = time.perf_counter()
        list(islice(steps, length))
        return length * count / (time.perf_counter() - started)
    T, B = settings["seq-length"], settings["batch-size"]
    steps = settings["steps"] + WARMUP
    run = RunConfig(seconds=None, steps=steps, workers=default_workers(model, T, B))
    config = Config(model=model, data=DataConfig(seq_length=T, batch_size=B), run=run)
    read = read_corpus([corpus])
    events = train(
        TrainingState.start(config, len(read.vocabulary)), config, read.ids, read.ids[:0]
    )
    list(islice(events, WARMUP))
    started = time.perf_counter()
    list(events)
    return settings["steps"] * T * B / (time.perf_counter() - started)


def measured(python: str, script: Path, what: str, args: list[str]) -> float:
    """Return characters per second as a fresh process measures them."""
    done = subprocess.run(
        [python, str(script), what, *args], check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout.splitlines()[-1])["chars_per_s"])


def compare(args: argparse.Namespace, what: str, settings: dict[str, int | str]) -> str:
    """Return a row of the table."""
    options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    corpus = ["--corpus", args.corpus]
    rates: dict[str, list[float]] = {"charrnn": [], "torch": []}
    for _ in range(args.rounds):
        one = json.dumps([what, args.corpus, settings])
        rates["charrnn"].append(measured(sys.executable, Path(__file__), "--one", [one]))
        rates["torch"].append(measured(args.torch_python, PEER, what, [*corpus, *options]))
    mine, theirs = (statistics.median(rates[name]) for name in ("charrnn", "torch"))
    name = f"{settings['cell']} {settings['layers']}x{settings['hidden']}"
    name += f", {settings['count']} at once" if what == "sample" else ""
    return f"| {what} {name} | {mine:,.0f} | {theirs:,.0f} | {mine / theirs:.2f} |"


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps({"chars_per_s": ours(*json.loads(sys.argv[2]))}))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print("| | charrnn, chars/s | PyTorch, chars/s | ratio |\n|---|---|---|---|")
    for cell, layers, hidden, steps in TRAIN:
        size = {"cell": cell, "layers": layers, "hidden": hidden}
        shape = {"seq-length": 64, "batch-size": 64, "steps": steps}
        print(compare(args, "train", {**size, **shape}), flush=True)
    for count in SAMPLE:
        settings = {"cell": "lstm", "layers": 1, "hidden": 256, "length": 500, "count": count}
        print(compare(args, "sample", settings), flush=True)


if __name__ == "__main__":
    main()
