"""The n-grams say what the equations say, however they are asked, and broken ones are refused."""

from collections import Counter, defaultdict
from functools import reduce
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.ngrams import contexts, count
from charrnn.ngrams.contexts import GROUPS
from charrnn.ngrams.kneser_ney import NGrams, build_ngrams
from charrnn.text.pieces import flatten_pieces
from tests.support import ROOT

MOULIN = (ROOT / "corpora/moulin.txt").read_text(encoding="utf-8")
CHARACTERS = sorted(set(MOULIN))
V = len(CHARACTERS)
IDS: Any = np.array([CHARACTERS.index(c) for c in MOULIN], np.uint8)
# Of each group of contexts another one.
WEIGHTS: Any = np.linspace(0.1, 0.9, GROUPS)

small, texts = (st.lists(st.integers(0, most), min_size=1, max_size=60) for most in (2, 3))
orders = st.integers(1, 6)
limits = st.sampled_from([0, 20, 10**6])  # dense after no context; after some; after all


class Oracle:
    """p(c | h) of texts of ids below 3, over whose borders no n-gram reaches, up to an order."""

    def __init__(self, texts: list[list[int]], order: int) -> None:
        raw: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order + 2)]
        for text in texts:
            for n in range(1, order + 1):
                raw[n].update(tuple(text[at : at + n]) for at in range(len(text) - n + 1))
        self.order = max(n for n in range(order + 1) if raw[n])
        before = defaultdict(set)  # the different characters before each n-gram
        for n in range(2, self.order + 1):
            for gram in raw[n]:
                before[gram[1:]].add(gram[0])
        self.counts = {gram: len(before[gram]) or raw[len(gram)][gram] for it in raw for gram in it}

    def alpha(self, h: tuple[int, ...], c: int) -> float:
        total = sum(self.counts.get((*h, x), 0) for x in range(3))
        return max(self.counts.get((*h, c), 0) - 0.8, 0) / total if total else 0.0

    def gamma(self, h: tuple[int, ...]) -> float:
        return 1 - sum(self.alpha(h, x) for x in range(3))

    def p(self, h: tuple[int, ...], c: int) -> float:
        return self.alpha(h, c) + self.gamma(h) * (self.p(h[1:], c) if h else 1 / 3)


def after(tree: contexts.ContextTree, *texts: list[int]) -> Any:
    """Return the contexts after texts of one length, (B,)."""
    start, ids = np.zeros(len(texts), int), np.array(texts, int).T
    return tree.read(start, ids)[-1] if len(ids) else start


def mix(tree: contexts.ContextTree, nodes: Any, own: Any) -> Any:
    """Return p of all characters (B, V) beside a network that says p = own (V,)."""
    p = np.tile(own, (len(nodes), 1))
    tree.mix(p, nodes)
    return p


@settings(max_examples=100)
@given(small, st.lists(st.integers(0, 2), max_size=6), orders, st.booleans(), limits)
def test_whoever_asks_is_told_what_the_equations_say(
    text: list[int], context: list[int], order: int, lines: bool, limit: int
) -> None:
    ids, parts, end = np.array([1, *text], np.uint8), [[1, *text]], None
    if lines:
        # Every line break but the first and last is the end of a line and the beginning of another.
        ids, end, context = flatten_pieces(ids, 0), 0, [0, *filter(None, context)]
        parts = [ids[a : b + 1].tolist() for a, b in pairwise(np.flatnonzero(ids == 0))]
        order = max(order, 2)  # of order 1, it counts once
    oracle, ngrams = Oracle(parts, order), build_ngrams(ids, 3, order, end=end)
    h = tuple(context[max(len(context) - oracle.order + 1, 0) :])
    own, spelled = np.array([0.5, 0.2, 0.3]), np.arange(3) < 2
    q = np.array([oracle.p(h, c) for c in range(3)]) * spelled
    while oracle.gamma(h) == 1:
        h = h[1:]
    near = (oracle.gamma(h) + np.array([-1e-6, 1e-6])) * GROUPS
    with patch.multiple(contexts, MAX_DENSE=limit, FEW=limit):
        tree = ngrams.with_weights(WEIGHTS, None, spelled).tree
        nodes = after(tree, context, context[::-1])
        np.testing.assert_array_equal(after(tree, context), nodes[:1])
        assert tree.groups[nodes[0]] in near.astype(int).clip(0, GROUPS - 1)
        w = WEIGHTS[tree.groups[nodes[0]]]
        p = np.where(spelled, w * own + (1 - w) * own[:2].sum() * q / q.sum(), own)
        np.testing.assert_allclose(mix(tree, nodes, own)[0], p, atol=1e-6)
        np.testing.assert_array_equal(mix(tree, nodes[:1], own)[0], mix(tree, nodes, own)[0])
        p_spelled = np.full(3, own[:2].sum())
        targets = tree.mix_targets(own, p_spelled, nodes[:1].repeat(3), np.arange(3))
        np.testing.assert_allclose(targets, p, atol=1e-6)


@settings(max_examples=100)
@given(
    st.lists(texts, min_size=1, max_size=3),
    st.lists(st.integers(0, 4), max_size=6),
    st.integers(0, 40),
    orders,
    limits,
)
def test_probabilities_add_up_to_1_however_much_is_pruned_and_a_file_keeps_them(
    parts: list[list[int]], context: list[int], most: int, order: int, limit: int
) -> None:
    order = min(order, *map(len, parts)) if len(parts) > 1 else order
    counted, ids = [], [np.array(text, np.uint8) for text in parts]
    for text in ids:
        every = len(count.count_ngrams(text, 5, order).keys) - len({*text.tolist()})
        counted.append(count.count_ngrams(text, 5, order, max_entries=most))
        assert len(counted[-1].keys) - len({*text.tolist()}) == min(every, most + 1)
    with patch.object(count, "MAX_ENTRIES", most):
        counts = reduce(lambda a, b: count.merge_counts(a, b, 5), counted)
    ngrams = NGrams(counts, 5, np.zeros(GROUPS), 1.5, np.arange(5) > 0)
    again = NGrams.from_arrays(ngrams.to_arrays(), 5)
    assert (again.entries, again.order, again.val_loss) == (ngrams.entries, ngrams.order, 1.5)
    unfitted = NGrams.from_arrays(ngrams.with_weights(WEIGHTS, None).to_arrays(), 5)
    assert unfitted.val_loss is None
    np.testing.assert_array_equal(unfitted.spelled, ngrams.spelled)
    for column, expected in zip(again.counts, counts, strict=True):
        np.testing.assert_array_equal(column, expected)
    assert ngrams.entries <= most + len({id_ for text in parts for id_ in text})
    assert np.isin(counts.keys >> np.uint64(count.digit_bits(5)), counts.keys).all()
    own = np.full(5, 0.2)
    with patch.multiple(contexts, MAX_DENSE=limit, FEW=limit):
        nodes = after(ngrams.tree, context, context[::-1])
        np.testing.assert_array_equal(after(again.tree, context), nodes[:1])
        p = mix(ngrams.tree, nodes, own)
    np.testing.assert_array_equal(mix(again.tree, nodes[:1], own), p[:1])
    assert p[0].sum() == pytest.approx(1, abs=1e-5)
    assert p[0, 0] == 0.2  # which is not spelled
    assert (p > 0).all()  # also of character 4, which the text does not have


@settings(max_examples=60)
@given(
    first=st.lists(st.integers(0, 7), max_size=60),
    second=st.lists(st.integers(0, 2), max_size=60),
    order=st.integers(2, 6),
)
def test_counts_of_two_texts_together_are_those_of_one_text(
    first: list[int], second: list[int], order: int
) -> None:
    # The second is of a model of three characters, which are 0, 4 and 7 here.
    ids = np.array([0, 4, 7], np.uint8)
    ours, theirs = np.array([1, *first], np.uint8), np.array([1, *second], np.uint8)
    whole = flatten_pieces(np.concatenate([ours, [0], ids[theirs]]).astype(np.uint8), 0)
    older = count.count_ngrams(flatten_pieces(theirs, 0), 3, order, end=0)
    merged = build_ngrams(
        flatten_pieces(ours, 0), 8, order, end=0, older=count.recode(older, 3, ids, 8)
    )
    expected = count.count_ngrams(whole, 8, order, end=0)
    for found, column in zip(merged.counts, expected, strict=True):
        np.testing.assert_array_equal(found, column)


def test_what_was_pruned_of_one_text_still_counts_in_two_texts_together() -> None:
    pruned = count.count_ngrams(IDS[:3000], V + 1, 5, max_entries=500)
    other = count.count_ngrams(np.full(50, V, np.uint8), V + 1, 5)
    for pair in ((pruned, other), (other, pruned)):
        merged = count.merge_counts(*pair, V + 1)
        kept = np.isin(merged.keys, pruned.keys)
        for found, expected in zip(merged, pruned, strict=True):
            np.testing.assert_array_equal(found[kept], expected)


def test_the_most_frequent_n_grams_of_two_texts_together_are_kept() -> None:
    whole = count.count_ngrams(IDS, V, 5, max_entries=2000)
    with patch.object(count, "MAX_ENTRIES", 2000):
        first, second = (count.count_ngrams(half, V, 5) for half in np.split(IDS, 2))
        merged = count.merge_counts(first, second, V)
    assert np.isin(merged.keys, whole.keys).mean() > 0.9


def test_a_suffix_that_was_pruned_counts_once_at_least_when_a_text_is_added_again() -> None:
    ids = np.ravel([[0, 1, 2, following] for following in range(3, 8)]).astype(np.uint8)
    counts = count.count_ngrams(ids, 8, 3, max_entries=3)  # 01, 12 and 012
    with patch.object(count, "MAX_ENTRIES", 2):
        pruned = count.merge_counts(counts, count.count_ngrams(ids[:1], 8, 3), 8)  # 01 and 012
    merged = count.merge_counts(pruned, counts, 8)
    assert len(merged.keys) == len(pruned.keys) + 1
    assert merged.adjusted[1:].min() == 1


def test_pruning_keeps_as_many_as_asked_from_all_over_the_alphabet_and_loses_little() -> None:
    judged, nats = IDS[28_000:, None], []
    for most in (10**9, 40_000):
        counts = count.count_ngrams(IDS[:28_000], V, 7, max_entries=most)
        tree = NGrams(counts, V, np.zeros(GROUPS)).tree
        nodes, ones = tree.read(np.zeros(1, int), judged[:-1])[:, 0], np.ones(len(judged) - 1)
        nats.append(-np.log(tree.mix_targets(ones, ones, nodes, judged[1:, 0])).mean())
    assert len(counts.keys) == 1 + 40_000 + len({*IDS[:28_000].tolist()})
    assert abs(nats[0] - nats[1]) < 0.02
    kept = NGrams(count.count_ngrams(np.arange(200, dtype=np.uint8), 200, 2, max_entries=100), 200)
    assert 90 < np.median(np.flatnonzero(kept.to_arrays()["children"][1:201])) < 110


def test_a_long_text_is_counted_in_passages_from_all_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(count, "MAX_COUNTED", 640)
    counts = count.count_ngrams((np.arange(4000) // 1000).astype(np.uint8), 4, 1)
    assert (len(counts.keys), counts.adjusted.sum()) == (5, 640)
    assert counts.adjusted[1:].min() >= 150


def test_a_large_vocabulary_has_shorter_n_grams_and_frequent_ones_leave_something() -> None:
    ids = np.arange(5000, dtype=np.uint32) % 4000
    ngrams = build_ngrams(ids, 4000, 7)
    assert ngrams.order == 5
    same = count.recode(ngrams.counts, 4000, np.arange(4000, dtype=np.uint32), 4000)
    np.testing.assert_array_equal(same.keys, ngrams.counts.keys)
    always = build_ngrams(np.tile(np.array([0, 1], np.uint8), 20_000), 3, 7)
    assert always.order == 7
    tree = always.with_weights(np.zeros(GROUPS), None).tree
    assert (mix(tree, after(tree, [0]), np.ones(3)) > 0).all()


GOOD = build_ngrams(IDS[:3000], V, 5).to_arrays()


def but(name: str, at: int, value: Any) -> dict[str, Any]:
    """Return an array with another value at a place."""
    array = GOOD[name].copy()
    array[at] = value
    return {name: array}


CHAIN = np.append(np.ones(99, "u1"), np.zeros(1, "u1"))  # each n-gram begins another
# What is there instead; None: nothing.
BROKEN: dict[str, dict[str, Any]] = {
    "an array too many": {"more": GOOD["adjusted"]},
    "an array is missing": {"weights": None},
    "counts in two dimensions": {"adjusted": GOOD["adjusted"][:, None]},
    "counts that are not whole": {"adjusted": GOOD["adjusted"].astype("f2")},
    "too few counts": {"adjusted": GOOD["adjusted"][1:]},
    "a count of 0": but("adjusted", 5, 0),
    "a character too large": but("characters", GOOD["children"][0] - 1, V),
    "one character twice": but("characters", 3, GOOD["characters"][2]),
    "a child too many": but("children", 1, GOOD["children"][1] + 1),
    "a loop of contexts": {"children": GOOD["children"][::-1].copy()},
    "n-grams without end": {
        "adjusted": CHAIN[:-1], "characters": CHAIN[1:] * 0,
        "children": CHAIN, "dropped": CHAIN[:-1],
    },
    "too many sums of what is left out": {"dropped": GOOD["dropped"].repeat(2)},
    "a weight above 1": but("weights", 0, 1.5),
    "a weight below 0": but("weights", 0, -0.5),
    "a weight that is not a number": but("weights", 0, np.nan),
    "nothing spelled": {"spelled": np.zeros(V, "u1")},
    "too few characters spelled": {"spelled": GOOD["spelled"][1:]},
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_arrays_are_refused(fault: str) -> None:
    NGrams.from_arrays(GOOD, V)
    broken = {name: it for name, it in (GOOD | BROKEN[fault]).items() if it is not None}
    with pytest.raises(ValueError, match="the n-grams"):
        NGrams.from_arrays(broken, V)
