"""Training a sequence classifier against a loop over single samples.

    python benchmarks/classifier_speed.py [--rounds 7]

The task: is the sum of ten standard normals positive? A network of 32 units is trained on 1,000
sequences: charrnn with mini-batches and Adam, the baseline with an Elman RNN in plain NumPy that
makes one SGD step per sample.
"""

import math
import os
import statistics
import time
from functools import partial
from typing import Any

from measuring import ONE_THREAD, alternate, arguments, heading, row

SEQUENCES, STEPS, HIDDEN = 1000, 10, 32
EPOCHS = 10
CASES = [
    ("rnn", "tanh", 32), ("rnn", "relu", 64), ("rnn", "relu", 100), ("lstm", "tanh", 32),
]  # fmt: skip


def task(seed: int) -> tuple[Any, Any]:
    """Return sequences (S, T, 1) and labels (S,)."""
    import numpy as np

    values = np.random.default_rng(seed).standard_normal((SEQUENCES, STEPS, 1))
    return values, values.sum(axis=(1, 2)) > 0


def loop() -> float:
    """Return the sequences per second of the loop over single samples."""
    import numpy as np

    values, labels = task(0)
    rng, rate = np.random.default_rng(1), 0.01
    w_in = rng.standard_normal((HIDDEN, 1))
    w_rec = rng.standard_normal((HIDDEN, HIDDEN)) / np.sqrt(HIDDEN)
    w_out = rng.standard_normal((1, HIDDEN)) / np.sqrt(HIDDEN)
    b_hidden, b_out = np.zeros((HIDDEN, 1)), np.zeros((1, 1))
    total, began = 0.0, time.perf_counter()
    for x, y in zip(values[..., None], labels, strict=True):
        states = [np.zeros((HIDDEN, 1))]
        for step in x:
            states.append(np.tanh(w_in @ step + w_rec @ states[-1] + b_hidden))
        p = 1 / (1 + np.exp(-(w_out @ states[-1] + b_out)))
        total -= float(np.mean(y * np.log(p + 1e-8) + (1 - y) * np.log(1 - p + 1e-8)))
        d_logit = p - y
        d_in, d_rec, d_bias = np.zeros_like(w_in), np.zeros_like(w_rec), np.zeros_like(b_hidden)
        d_state = w_out.T @ d_logit
        for t in reversed(range(STEPS)):
            d_before = (1 - states[t + 1] ** 2) * d_state
            d_in += d_before @ x[t].T
            d_rec += d_before @ states[t].T
            d_bias += d_before
            d_state = w_rec.T @ d_before
        w_out -= rate * d_logit @ states[-1].T
        b_out -= rate * d_logit
        w_in -= rate * d_in
        w_rec -= rate * d_rec
        b_hidden -= rate * d_bias
    speed = SEQUENCES / (time.perf_counter() - began)
    return speed if math.isfinite(total) else 0.0


def batched(cell: str, nonlinearity: str, batch_size: int) -> float:
    """Return the sequences per second of charrnn, all that an epoch takes included."""
    import numpy as np

    from charrnn import (
        ClassifierConfig,
        ClassifierDataConfig,
        ClassifierModelConfig,
        Examples,
        RunConfig,
        SequenceLabels,
        train_events,
    )

    config = ClassifierConfig(
        model=ClassifierModelConfig(
            cell=cell,
            nonlinearity=nonlinearity,
            hidden_size=HIDDEN,
            bidirectional=False,
            dropout=0.0,
            weight_drop=0.0,
        ),
        data=ClassifierDataConfig(batch_size=batch_size),
        run=RunConfig(seconds=None, epochs=EPOCHS, random_seed=1, workers=1),
    )
    values, labels = task(0)
    examples = Examples.of([*values], labels)
    objective = SequenceLabels(config, examples, examples.select(np.arange(0)))
    state = objective.initial_state(1, 2)
    began = time.perf_counter()
    for event in train_events(state, objective, config):
        done = event.step * batch_size
    return done / (time.perf_counter() - began)


def main() -> None:
    """Take turns and print medians and the median of the ratios."""
    args = arguments(__doc__).parse_args()
    os.environ.update(ONE_THREAD)
    heading("cell", "batch", "charrnn, sequences/s", "loop, sequences/s", "ratio")
    for cell, nonlinearity, batch_size in CASES:
        ratios, ours = [], partial(batched, cell, nonlinearity, batch_size)
        figures: dict[str, list[float]] = {"loop": [], "charrnn": []}
        for _ in range(args.rounds):
            once = alternate({"loop": loop, "charrnn": ours}, 1)
            ratios.append(once["charrnn"] / once["loop"])
            for name, figure in once.items():
                figures[name].append(figure)
        medians = [statistics.median(figures[name]) for name in ("charrnn", "loop")]
        row(
            f"{cell} {nonlinearity}",
            batch_size,
            *(f"{median:,.0f}" for median in medians),
            f"{statistics.median(ratios):.1f}",
        )


if __name__ == "__main__":
    main()
