"""A memory of the text that is read against its equations in dictionaries."""

from copy import copy
from typing import Any

import numpy as np
import pytest

from charrnn.ngrams import memory as memory_module
from charrnn.ngrams.memory import Memory
from tests.ngrams.memory_oracle import Oracle

# Texts of few characters, so that contexts come again, some with one and some with several ends.
TEXTS = {4: 8, 100: 8, 200: 7, 300: 6, 3000: 4}  # characters known: the longest context


def make_text(vocab_size: int, length: int = 500) -> Any:
    rng = np.random.default_rng(0)
    words = [rng.integers(vocab_size - 4, vocab_size, size).tolist() for size in (2, 3, 5, 7, 9)]
    picked = rng.integers(len(words), size=length)
    return np.array([c for number in picked for c in words[number]][:length])


def make_model(vocab_size: int, length: int) -> Any:
    """Return p of all characters at each place of a text, (N, V)."""
    return np.random.default_rng(1).dirichlet(np.full(vocab_size, 0.3), length) * 0.99 + (
        0.01 / vocab_size
    )


def predict(memory: Memory, p: Any, contexts: Any) -> Any:
    """Return p of all characters with the memory, (B, V), from those under the model."""
    recalled, kept = memory.predict(contexts)
    return p * kept + recalled


def read(memory: Memory, ids: Any, p: Any) -> Any:
    return memory.read(ids, np.log(p[np.arange(len(ids)), ids]))


@pytest.mark.parametrize("few", [0, 32, 1000])
@pytest.mark.parametrize("vocab_size", TEXTS)
def test_reading_and_predicting_follow_the_equations(
    vocab_size: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "CHUNK", 61)
    monkeypatch.setattr(memory_module, "FEW", few)
    monkeypatch.setattr(memory_module, "MANY", few)
    ids = make_text(vocab_size)
    p = make_model(vocab_size, len(ids) + 1)
    oracle, memory, found, at = Oracle(TEXTS[vocab_size]), Memory(vocab_size), [], 0
    expected = [oracle.read(c, q[c]) for c, q in zip(ids.tolist(), p, strict=False)]
    for size in (1, 2, 40, 57, 250, 150):
        found.append(read(memory, ids[at : at + size], p[at : at + size]))
        at += size
        predict(memory, p[:1], np.array([memory.context]))  # changes nothing
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-9)
    context = np.array([memory.context])
    both = predict(memory, p[[-1, 0]], np.resize(context, 2))
    np.testing.assert_allclose(both[0], oracle.probabilities(p[-1]), atol=1e-12)
    np.testing.assert_allclose(predict(memory, p[-1:], context)[0], both[0], atol=1e-12)
    mixed = 3 * p[-1:].astype(np.float64)
    memory.mix(mixed, context)
    np.testing.assert_allclose(mixed, both[:1], atol=1e-9)


def test_probabilities_sum_to_one() -> None:
    ids, p = make_text(50, 3000), make_model(50, 3000).astype(np.float32)
    memory = Memory(50)
    read(memory, ids, p)
    contexts = [np.array([memory.context])]
    for character in ids[:200]:
        contexts.append(memory.feed(contexts[-1], ids[:1] * 0 + character))
    together = p[:201].astype(np.float64)
    alone = [row[None].copy() for row in together]
    memory.mix(together, np.concatenate(contexts))
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-9)
    for row, context in zip(alone, contexts, strict=True):
        memory.mix(row, context)
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-9)
    read(memory, ids[:200], p)
    assert memory.context == contexts[-1][0]


def test_it_costs_no_text_more_than_ln_2() -> None:
    # What follows each context changes all the time, and the model knows it.
    ids = np.tile([0, 1, 2, 3, 4, 5, 6, 7, 8], 400)
    ids[9::10] = np.random.default_rng(0).integers(9, size=len(ids[9::10]))
    log_p = np.full(len(ids), np.log(0.9999))
    cost = log_p.sum() - Memory(9).read(ids, log_p).sum()
    assert 0 < cost <= np.log(2)
    # But where the model guesses, the memory gains.
    log_p[:] = np.log(1 / 9)
    assert Memory(9).read(ids, log_p).mean() > log_p.mean() + 1


def test_what_is_impossible_under_the_model_stays_finite() -> None:
    found = Memory(3).read(np.tile([0, 1, 2], 30), np.full(90, -2000.0))
    assert np.isfinite(found).all()


def test_copies_share_what_was_read_and_nothing_else() -> None:
    ids, p = make_text(9, 600), make_model(9, 600)
    memory, straight = Memory(9), Memory(9)
    expected = read(straight, ids, p)
    read(memory, ids[:300], p[:300])
    other = copy(memory)
    other.read(ids[:150][::-1], np.full(150, -1.0))
    np.testing.assert_allclose(read(memory, ids[300:], p[300:]), expected[300:], atol=1e-12)


def test_what_was_counted_before_more_was_read_is_counted_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "FEW", 0)
    ids, memory, at_once = np.array([3, 3, 3, 3, 1, 2, 2, 2, 2]), Memory(4), Memory(4)
    memory.read(ids[:4], np.full(4, -1.0))
    context = np.array([memory.context])
    memory.read(ids[4:5], np.full(1, -1.0))
    memory.predict(context)
    memory.read(ids[5:], np.full(4, -1.0))
    at_once.read(ids, np.full(9, -1.0))
    context = np.array([memory.context])
    for found, expected in zip(memory.predict(context), at_once.predict(context), strict=True):
        np.testing.assert_allclose(found, expected)


def test_only_the_last_characters_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "MAX_CHARS", 400)
    monkeypatch.setattr(memory_module, "CHUNK", 50)
    old, new = make_text(4), make_text(4) + 4
    memory, p = Memory(8), np.full((1, 8), 0.125)
    memory.read(old, np.full(len(old), -9.0))
    old_end = np.array([memory.context])
    assert not np.array_equal(predict(memory, p, old_end), p)
    memory.read(new, np.full(len(new), -9.0))
    np.testing.assert_array_equal(predict(memory, p, old_end), p)
    assert not np.array_equal(predict(memory, p, np.array([memory.context])), p)


def test_nothing_is_remembered_of_more_characters_than_fit_into_a_key() -> None:
    ids, p = make_text(100_000), np.full((2, 100_000), 1e-5)
    memory = Memory(100_000)
    log_p = np.full(len(ids), np.log(1e-5))
    np.testing.assert_allclose(memory.read(ids, log_p), log_p)
    for count in (1, 2):
        found = predict(memory, p[:count], np.resize(memory.context, count))
        np.testing.assert_array_equal(found, p[:count])
