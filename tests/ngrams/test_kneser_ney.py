"""The table says what the equations say, and what another program makes of the same text."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.ngrams import counting
from charrnn.ngrams.counting import count_ngrams
from charrnn.ngrams.cursor import OneCursor
from charrnn.ngrams.kneser_ney import build_tree, discounts
from charrnn.ngrams.table import NGramTable
from charrnn.text.lines import as_lines
from tests.ngrams.oracle import Oracle
from tests.support import ROOT

MOULIN = (ROOT / "corpora/moulin.txt").read_text(encoding="utf-8")
GOLDEN = json.loads((ROOT / "tests/golden/kneser_ney.json").read_text(encoding="utf-8"))

texts = st.lists(st.integers(0, 3), min_size=1, max_size=60)


def table(ids: Any, V: int = 4, order: int = 4, **settings: Any) -> NGramTable:
    return NGramTable(build_tree(np.array(ids, np.uint8), V, order, **settings))


def node(found: NGramTable, context: Any) -> Any:
    """Return the node of a context, (1,)."""
    start = found.start(1)
    return found.read(start, np.array(context, np.int64)[:, None])[-1] if len(context) else start


def all_p(found: NGramTable, context: Any) -> Any:
    cursor = OneCursor(found.rows)
    cursor.start(node(found, context))
    return cursor.p(np.float32(1))


@settings(max_examples=60, deadline=None)
@given(text=texts, context=st.lists(st.integers(0, 3), max_size=6), order=st.integers(1, 6))
def test_table_agrees_with_the_equations(text: list[int], context: list[int], order: int) -> None:
    oracle = Oracle([text], 4, order)
    expected = [oracle.p(tuple(context), c) for c in range(4)]
    np.testing.assert_allclose(all_p(table(text, order=order), context), expected, atol=2e-3)


@settings(max_examples=40, deadline=None)
@given(text=texts, context=st.lists(st.integers(0, 3), max_size=3))
def test_lines_begin_and_end_at_their_breaks(text: list[int], context: list[int]) -> None:
    flat = as_lines(np.array([1, *text], np.uint8), 0)
    breaks = np.flatnonzero(flat == 0)
    lines = [flat[a : b + 1].tolist() for a, b in pairwise(breaks)]
    oracle = Oracle(lines, 4, 4)
    # Every line break but the first and last is the end of a line and the beginning of another.
    found = table(flat, line_break=0)
    context = [0, *(c for c in context if c)]
    expected = [oracle.p(tuple(context), c) for c in range(4)]
    np.testing.assert_allclose(all_p(found, context), expected, atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(
    text=texts,
    context=st.lists(st.integers(0, 4), max_size=6),
    most=st.integers(0, 40),
    order=st.integers(1, 6),
)
def test_probabilities_add_up_to_1_after_every_context_however_much_is_pruned(
    text: list[int], context: list[int], most: int, order: int
) -> None:
    found = table(text, V=5, order=order, most=most)
    found.tree.check()
    p = all_p(found, context)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert (p > 0).all()  # also of character 4, which the text does not have


def test_table_agrees_with_another_program() -> None:
    text = MOULIN[:8000]
    characters = sorted(set(text))
    ids = np.array([characters.index(c) for c in text], np.uint8)
    found = table(ids, len(characters), 3)
    ratios = []
    for trigram, log10 in GOLDEN["log10"].items():
        *context, last = (characters.index(c) for c in trigram)
        p = found.probabilities(node(found, context), np.array([last]))[0]
        ratios.append(p / 10**log10)
    # It counts the border of the text as a word, which changes its discounts a little.
    np.testing.assert_allclose(ratios, 1, atol=0.04)
    assert np.median(ratios) == pytest.approx(1, abs=0.005)
    levels = count_ngrams(ids, len(characters), 3)
    before = np.bincount(levels[2].suffixes, minlength=len(levels[1].counts))
    for length, counts in (("2", before), ("3", levels[2].counts)):
        np.testing.assert_allclose(discounts(counts)[1:], GOLDEN["discounts"][length], rtol=0.012)


def test_a_text_worked_out_by_hand() -> None:
    # abab: pairs ab 2, ba 1. Before a stands b; before b stands a: both unigrams count 1.
    found = table([0, 1, 0, 1], V=2, order=2)
    # Unigrams: too few counts to estimate a discount, so 0.5 of each 1: alpha 0.25, left 0.5.
    np.testing.assert_allclose(all_p(found, []), [0.25 + 0.5 / 2] * 2)
    # After a: b was there twice, less 1, of 2: alpha 0.5, and 0.5 is left for (0.5, 0.5).
    np.testing.assert_allclose(all_p(found, [0]), [0.25, 0.75])
    # After b: a was there once, less 0.5: alpha 0.5.
    np.testing.assert_allclose(all_p(found, [1]), [0.75, 0.25])


def test_pruning_keeps_as_many_as_asked_and_loses_little() -> None:
    characters = sorted(set(MOULIN))
    ids = np.array([characters.index(c) for c in MOULIN], np.uint8)
    train, judged = ids[:28_000], ids[28_000:, None].astype(np.int64)

    def nats(most: int) -> tuple[int, float]:
        found = table(train, len(characters), 7, most=most)
        nodes = found.read(found.start(1), judged[:-1])
        return found.tree.entries, -float(np.log(found.probabilities(nodes, judged[1:])).mean())

    (every, whole), (few, pruned) = nats(10**9), nats(40_000)
    assert every > 60_000
    assert 40_000 <= few <= 40_000 + 100 + len(characters)
    assert whole < pruned < whole + 0.02


def test_a_long_text_is_counted_in_passages_from_all_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "MAX_COUNTED", 640)
    ids = np.arange(4000) // 1000
    found = counting.sampled(ids.astype(np.uint8))
    assert len(found) == 640
    assert np.bincount(found).min() >= 150


def test_a_large_vocabulary_has_shorter_n_grams() -> None:
    ids = np.arange(5000, dtype=np.uint32) % 4000
    assert table_order(ids, 4000) == 5
    assert table_order(ids % 3, 4) == 7


def table_order(ids: Any, V: int) -> int:
    return build_tree(ids, V, 7).order
