"""Interpolated Kneser-Ney as its equations say it, in dictionaries and loops."""

from collections import Counter, defaultdict
from collections.abc import Sequence

NGram = tuple[int, ...]
DISCOUNT = 0.8


class Oracle:
    """p(c | h) of a text.

    pieces       texts of ids, over the borders of which no n-gram reaches
    vocab_size   number of characters V
    order        the largest n
    """

    def __init__(self, pieces: Sequence[Sequence[int]], vocab_size: int, order: int) -> None:
        self.V = vocab_size
        raw: list[Counter[NGram]] = [Counter() for _ in range(order + 1)]
        for piece in pieces:
            for n in range(1, order + 1):
                for at in range(len(piece) - n + 1):
                    raw[n][tuple(piece[at : at + n])] += 1
        self.order = max(n for n in range(1, order + 1) if raw[n])
        self.counts: list[dict[NGram, int]] = [{}]
        for n in range(1, self.order + 1):
            before: dict[NGram, set[int]] = defaultdict(set)
            if n < self.order:
                for longer in raw[n + 1]:
                    before[longer[1:]].add(longer[0])
            self.counts.append({g: len(before[g]) or count for g, count in raw[n].items()})

    def alpha(self, h: NGram, c: int) -> float:
        counts = self.counts[len(h) + 1]
        total = sum(counts.get((*h, x), 0) for x in range(self.V))
        return max(counts.get((*h, c), 0) - DISCOUNT, 0) / total if total else 0.0

    def gamma(self, h: NGram) -> float:
        return 1 - sum(self.alpha(h, x) for x in range(self.V))

    def p(self, h: NGram, c: int) -> float:
        h = h[max(len(h) - self.order + 1, 0) :]
        return self.alpha(h, c) + self.gamma(h) * (self.p(h[1:], c) if h else 1 / self.V)
