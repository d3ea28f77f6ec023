"""A memory of a text as its equations say it, in dictionaries and loops."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from charrnn.ngrams.memory import BLOCK, LEVELS, PRIOR, SEVERAL, SINGLE

Group = tuple[int, int, bool]


class Oracle:
    """p(c | text) with a memory of contexts of 3 to ``longest`` characters."""

    def __init__(self, longest: int) -> None:
        self.orders = range(3, longest + 1)
        self.text: list[int] = []
        self.followed: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        self.work: dict[Group, float] = defaultdict(float)
        self.uses: dict[Group, int] = defaultdict(int)
        self.learned: dict[Group, float] = {}
        self.log_p = [0.0, 0.0]  # of the text without the memory, and always with it

    def weight(self, group: Group) -> float:
        _, level, single = group
        return self.learned.get(group, (SINGLE if single else SEVERAL)[level - 1])

    def mix(self, c: int, p: float) -> tuple[float, list[tuple[Group, float]]]:
        """Return p of a character with the memory, from p without it, and r of each order."""
        steps = []
        for order in self.orders:
            counts = self.followed.get(tuple(self.text[-order:]))
            if len(self.text) < order or counts is None:
                continue
            total = counts.total()
            group = (order, min(total.bit_length(), LEVELS), len(counts) == 1)
            share = self.weight(group) * counts[c] / total
            p = (1 - self.weight(group)) * p + share
            steps.append((group, share / p))
        return p, steps

    def probabilities(self, p: Sequence[float]) -> list[float]:
        without, with_memory = self.log_p
        w = 1 / (1 + math.exp(without - with_memory))
        return [w * self.mix(c, q)[0] + (1 - w) * q for c, q in enumerate(p)]

    def read(self, c: int, p: float) -> float:
        """Read the next character, of which the model says p, and return log p(c | text)."""
        before = float(np.logaddexp.reduce(self.log_p))
        mixed, steps = self.mix(c, p)
        for group, r in steps:
            self.work[group] += r
            self.uses[group] += 1
        self.log_p[0] += math.log(p)
        self.log_p[1] += math.log(mixed)
        for order in self.orders:
            if len(self.text) >= order:
                self.followed[tuple(self.text[-order:])][c] += 1
        self.text.append(c)
        if len(self.text) % BLOCK == 0:
            for group, uses in self.uses.items():
                _, level, single = group
                start = (SINGLE if single else SEVERAL)[level - 1]
                self.learned[group] = (PRIOR * start + self.work[group]) / (PRIOR + uses)
        return float(np.logaddexp.reduce(self.log_p)) - before
