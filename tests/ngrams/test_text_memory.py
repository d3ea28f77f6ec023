"""A memory of the text that is read against its equations in dictionaries."""

import math
from collections import Counter, defaultdict
from copy import copy
from typing import Any

import numpy as np
import pytest

from charrnn.ngrams import memory as memory_module
from charrnn.ngrams.memory import BLOCK, LEVELS, PRIOR, SEVERAL, SINGLE, Memory

Group = tuple[int, int, bool]

# Texts of few characters, so that contexts come again, some with one and some with several ends.
TEXTS = {4: 8, 100: 8, 200: 7, 300: 6, 3000: 4}  # characters known: the longest context


class Oracle:
    """p(c | text) with a memory of contexts of 3 to ``longest`` characters."""

    def __init__(self, longest: int) -> None:
        self.orders, self.text = range(3, longest + 1), list[int]()
        self.followed: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        self.learned: dict[Group, float] = {}
        self.shares: dict[Group, list[float]] = defaultdict(list)
        self.log_p = [0.0, 0.0]  # of the text without the memory, and always with it

    def start(self, group: Group) -> float:
        _, level, single = group
        return (SINGLE if single else SEVERAL)[level - 1]

    def mix(self, c: int, p: float) -> tuple[float, list[tuple[Group, float]]]:
        """Return p of a character with the memory, from p without it, and r of each order."""
        steps = []
        for order in self.orders:
            counts = self.followed.get(tuple(self.text[-order:]))
            if len(self.text) >= order and counts is not None:
                total = counts.total()
                group = (order, min(total.bit_length(), LEVELS), len(counts) == 1)
                weight = self.learned.get(group, self.start(group))
                share = weight * counts[c] / total
                p = (1 - weight) * p + share
                steps.append((group, share / p))
        return p, steps

    def probabilities(self, p: Any) -> list[float]:
        without, with_memory = self.log_p
        w = 1 / (1 + math.exp(without - with_memory))
        return [w * self.mix(c, q)[0] + (1 - w) * q for c, q in enumerate(p)]

    def read(self, c: int, p: float) -> float:
        """Read the next character, of which the model says p, and return log p(c | text)."""
        before = float(np.logaddexp.reduce(self.log_p))
        mixed, steps = self.mix(c, p)
        for group, r in steps:
            self.shares[group].append(r)
        self.log_p = [self.log_p[0] + math.log(p), self.log_p[1] + math.log(mixed)]
        for order in self.orders[: max(len(self.text) - 2, 0)]:
            self.followed[tuple(self.text[-order:])][c] += 1
        self.text.append(c)
        if len(self.text) % BLOCK == 0:
            for group, shares in self.shares.items():
                work = PRIOR * self.start(group) + sum(shares)
                self.learned[group] = work / (PRIOR + len(shares))
        return float(np.logaddexp.reduce(self.log_p)) - before


def make_text(vocab_size: int, length: int = 500) -> Any:
    rng = np.random.default_rng(0)
    words = [rng.integers(vocab_size - 4, vocab_size, size).tolist() for size in (2, 3, 5, 7, 9)]
    picked = rng.integers(len(words), size=length)
    return np.array([c for number in picked for c in words[number]][:length])


def predict(memory: Memory, p: Any, *contexts: Any) -> Any:
    """Return p of all characters with the memory, (B, V), from those under the model."""
    recalled, kept = memory.predict(np.array(contexts))
    return p * kept + recalled


@pytest.mark.parametrize("few", [0, 32, 1000])
@pytest.mark.parametrize("vocab_size", TEXTS)
def test_reading_and_predicting_follow_the_equations(
    vocab_size: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CHUNK", 61), ("FEW", few), ("MANY", few)):
        monkeypatch.setattr(memory_module, name, value)
    ids = make_text(vocab_size)
    p = np.random.default_rng(1).dirichlet(np.full(vocab_size, 0.3), len(ids) + 1)
    p = 0.99 * p + 0.01 / vocab_size
    own = p[np.arange(len(ids)), ids]
    oracle, memory, found = Oracle(TEXTS[vocab_size]), Memory(vocab_size), []
    for part in np.split(np.arange(len(ids)), [1, 3, 43, 100, 350]):
        after = memory.context
        found.append(memory.read(ids[part], np.log(own[part])))
        for character in ids[part]:
            (after,) = memory.feed(np.array([after]), np.array([character]))
        assert memory.context == after
        other = copy(memory)  # which shares what was read, and changes nothing
        predict(other, p[0], after)
        other.read(ids[:50][::-1], np.full(50, -1.0))
    expected = [*map(oracle.read, ids.tolist(), own)]
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-9)
    both = predict(memory, p[[-1, 0]], after, after)
    np.testing.assert_allclose(both[0], oracle.probabilities(p[-1]), atol=1e-12)
    np.testing.assert_allclose(predict(memory, p[-1:], after)[0], both[0], atol=1e-12)
    for count in (1, 2):
        mixed = 3 * p[[-1, 0]][:count]
        memory.mix(mixed, np.full(count, after))
        np.testing.assert_allclose(mixed, both[:count], atol=1e-9)


def test_it_costs_no_text_more_than_ln_2_even_where_it_is_impossible() -> None:
    # What follows each context changes all the time, and the model knows it.
    ids = np.tile([0, 1, 2, 3, 4, 5, 6, 7, 8], 400)
    ids[9::10] = np.random.default_rng(0).integers(9, size=len(ids[9::10]))
    log_p = np.full(len(ids), np.log(0.9999))
    cost = log_p.sum() - Memory(9).read(ids, log_p).sum()
    assert 0 < cost <= np.log(2)
    assert np.isfinite(Memory(9).read(ids, np.full(len(ids), -2000.0))).all()


def test_what_was_counted_is_counted_anew_when_more_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "FEW", 0)
    ids, p, memory, at_once = [3, 3, 3, 3, 1, 2, 2, 2, 2], np.full(4, 0.25), Memory(4), Memory(4)
    for part in (slice(4), slice(4, 5), slice(5, 9)):
        context = memory.context
        memory.read(np.array(ids[part]), np.full(len(ids[part]), -1.0))
        predict(memory, p, context)
    at_once.read(np.array(ids), np.full(9, -1.0))
    context = memory.context
    np.testing.assert_allclose(predict(memory, p, context), predict(at_once, p, context))


def test_only_the_last_characters_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MAX_CHARS", 400)
    monkeypatch.setattr(memory_module, "CHUNK", 50)
    memory, p, ends = Memory(8), np.full((1, 8), 0.125), []
    for ids in (make_text(4), make_text(4) + 4):
        memory.read(ids, np.full(len(ids), -9.0))
        ends.append(memory.context)
        assert not np.array_equal(predict(memory, p, memory.context), p)
    np.testing.assert_array_equal(predict(memory, p, ends[0]), p)


def test_nothing_is_remembered_of_more_characters_than_fit_into_a_key() -> None:
    ids, p = make_text(100_000), np.full(100_000, 1e-5)
    memory, log_p = Memory(100_000), np.full(len(ids), np.log(1e-5))
    np.testing.assert_allclose(memory.read(ids, log_p), log_p)
    for count in (1, 2):
        found = predict(memory, p, *[memory.context] * count)
        np.testing.assert_array_equal(found, [p] * count)
