"""Modified Kneser-Ney as its equations say it: dictionaries, loops, exact fractions of nothing."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from charrnn.ngrams.kneser_ney import FALLBACK

NGram = tuple[int, ...]


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
        self.discounts = [self._discounts(counts) for counts in self.counts]

    def _discounts(self, counts: dict[NGram, int]) -> Sequence[float]:
        n = [sum(count == i for count in counts.values()) for i in range(5)]
        if not (n[1] and n[2] and n[3]):
            return [0, *FALLBACK]
        share = n[1] / (n[1] + 2 * n[2])
        found = [i - (i + 1) * share * n[i + 1] / n[i] for i in (1, 2, 3)]
        return [0, *(found if all(0 < d < i for i, d in enumerate(found, 1)) else FALLBACK)]

    def alpha(self, h: NGram, c: int) -> float:
        counts = self.counts[len(h) + 1]
        count = counts.get((*h, c), 0)
        total = sum(counts.get((*h, x), 0) for x in range(self.V))
        return (count - self.discounts[len(h) + 1][min(count, 3)]) / total if total else 0.0

    def p(self, h: NGram, c: int) -> float:
        h = h[max(len(h) - self.order + 1, 0) :]
        gamma = 1 - sum(self.alpha(h, x) for x in range(self.V))
        return self.alpha(h, c) + gamma * (self.p(h[1:], c) if h else 1 / self.V)
