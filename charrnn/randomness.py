"""Where every random number comes from.

A source of randomness is made from the run's random seed, what it is for and a number, such as the
step. So it never has to be stored: a resumed run, or the same sample in a larger batch, draws the
same numbers again.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What random numbers are used for; different purposes never share a stream."""

    WEIGHTS = 1
    ORDER = 2
    DROPOUT = 3
    SAMPLE = 4
    SPLIT = 5
    PIECES = 7
    CONTINUATION = 8


def generator(random_seed: int, purpose: Purpose, index: int = 0) -> np.random.Generator:
    """Return the generator for this purpose and index (epoch, step or sample)."""
    # The purpose comes last: NumPy takes (seed,) and (seed, 0) for the same seed.
    return np.random.default_rng((random_seed, index, int(purpose)))
