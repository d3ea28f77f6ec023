"""Sampling speed of a model with its n-grams, and of its network alone.

python benchmarks/ngram_speed.py model.npz [--rounds 40]

Both take turns in one process, and its processor time counts: the share depends little on what else
the machine does.
"""

import argparse
import os
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from measuring import ONE_THREAD, alternate, heading, row

# For each number of samples at once, the steps of a turn; every turn goes on with the same texts.
STEPS = {1: 400, 8: 200, 64: 50}


def seconds(steps: Iterator[Any], count: int) -> float:
    """Return the processor time of so many steps."""
    started = time.process_time()
    for _ in islice(steps, count):
        pass
    return time.process_time() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    os.environ.update(ONE_THREAD)
    from charrnn import Model, SamplingConfig, sample_steps
    from charrnn.text.vocabulary import start_ids

    model, config = Model.load(args.model), SamplingConfig()
    start = start_ids(model.vocabulary)
    heading("samples at once", "network, chars/s", "with n-grams, chars/s", "share")
    for count, steps in STEPS.items():
        runs = {
            name: partial(
                seconds, sample_steps(predicts, start, config, random_seed=0, count=count), steps
            )
            for name, predicts in (("alone", model.network()), ("both", model.distribution()))
        }
        median = alternate(runs, args.rounds)
        alone, both = (count * steps / median[name] for name in ("alone", "both"))
        row(count, f"{alone:,.0f}", f"{both:,.0f}", f"{both / alone:.2f}")


if __name__ == "__main__":
    main()
