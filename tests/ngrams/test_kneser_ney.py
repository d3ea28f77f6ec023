"""The n-grams say what the equations say, however they are asked, and broken ones are refused."""

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
from tests.ngrams.oracle import Oracle
from tests.support import ROOT

MOULIN = (ROOT / "corpora/moulin.txt").read_text(encoding="utf-8")
CHARACTERS = sorted(set(MOULIN))
V = len(CHARACTERS)
# Of each group of contexts another one.
WEIGHTS: Any = np.linspace(0.1, 0.9, GROUPS)
IDS: Any = np.array([CHARACTERS.index(c) for c in MOULIN], np.uint8)

texts = st.lists(st.integers(0, 3), min_size=1, max_size=60)


def mix(tree: contexts.ContextTree, nodes: Any, own: Any) -> Any:
    """Return p of all characters (B, V) beside a network that says p = own (V,)."""
    p = np.tile(np.asarray(own, float), (len(nodes), 1))
    tree.mix(p, nodes)
    return p


def after(ngrams: NGrams, context: Any) -> Any:
    """Return the node after a context, (1,)."""
    ids = np.array(context, int).reshape(-1, 1)
    return ngrams.tree.read(np.zeros(1, int), ids)[-1] if context else np.zeros(1, int)


def all_p(ngrams: NGrams, context: Any) -> Any:
    """Return p of all characters after a context, without a network."""
    alone = ngrams.with_weights(np.zeros(GROUPS), None)
    return mix(alone.tree, after(alone, context), np.full(alone.vocab_size, 1 / alone.vocab_size))[
        0
    ]


@settings(max_examples=60, deadline=None)
@given(
    text=st.lists(st.integers(0, 2), min_size=1, max_size=60),
    context=st.lists(st.integers(0, 2), max_size=6),
    order=st.integers(1, 6),
)
def test_the_table_says_what_the_equations_say(
    text: list[int], context: list[int], order: int
) -> None:
    oracle, ngrams = Oracle([text], 3, order), build_ngrams(np.array(text, np.uint8), 3, order)
    expected = [oracle.p(tuple(context), c) for c in range(3)]
    np.testing.assert_allclose(all_p(ngrams, context), expected, atol=1e-6)
    # Of two characters that are spelled, which have two thirds of a uniform p.
    two = ngrams.with_weights(WEIGHTS, None, np.array([True, True, False]))
    shares = np.divide(expected[:2], sum(expected[:2]))
    np.testing.assert_allclose(all_p(two, context), [*(shares * 2 / 3), 1 / 3], atol=1e-6)
    h = tuple(context[max(len(context) - ngrams.order + 1, 0) :])
    while oracle.gamma(h) == 1:
        h = h[1:]
    near = (oracle.gamma(h) + np.array([-1e-6, 1e-6])) * GROUPS
    assert ngrams.tree.groups[after(ngrams, context)] in near.astype(int).clip(0, GROUPS - 1)


@settings(max_examples=40, deadline=None)
@given(text=texts, context=st.lists(st.integers(0, 3), max_size=3))
def test_lines_begin_and_end_at_their_breaks(text: list[int], context: list[int]) -> None:
    flat = flatten_pieces(np.array([1, *text], np.uint8), 0)
    lines = [flat[a : b + 1].tolist() for a, b in pairwise(np.flatnonzero(flat == 0))]
    # Every line break but the first and last is the end of a line and the beginning of another.
    oracle, ngrams = Oracle(lines, 4, 4), build_ngrams(flat, 4, 4, end=0)
    context = [0, *(c for c in context if c)]
    expected = [oracle.p(tuple(context), c) for c in range(4)]
    np.testing.assert_allclose(all_p(ngrams, context), expected, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    parts=st.lists(texts, min_size=1, max_size=3),
    context=st.lists(st.integers(0, 4), max_size=6),
    most=st.integers(0, 40),
    order=st.integers(1, 6),
)
def test_probabilities_add_up_to_1_however_much_is_pruned_and_a_file_keeps_them(
    parts: list[list[int]], context: list[int], most: int, order: int
) -> None:
    order = min(order, *map(len, parts)) if len(parts) > 1 else order
    each = [np.array(text, np.uint8) for text in parts]
    counted = [count.count_ngrams(ids, 5, order, max_entries=most) for ids in each]
    with patch.object(count, "MAX_ENTRIES", most):
        counts = reduce(lambda a, b: count.merge_counts(a, b, 5), counted)
    ngrams = NGrams(counts, 5, WEIGHTS, 1.5)
    assert ngrams.entries <= most + len({id_ for text in parts for id_ in text})
    p = all_p(ngrams, context)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert (p > 0).all()  # also of character 4, which the text does not have
    again = NGrams.from_arrays(ngrams.to_arrays(), 5)
    assert (again.order, again.val_loss) == (ngrams.order, 1.5)
    np.testing.assert_array_equal(all_p(again, context), p)


@settings(max_examples=60, deadline=None)
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
    counted = count.count_ngrams(flatten_pieces(ours, 0), 8, order, end=0)
    merged = count.merge_counts(counted, count.recode(older, 3, ids, 8), 8)
    for found, expected in zip(merged, count.count_ngrams(whole, 8, order, end=0), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_what_was_pruned_of_one_text_still_counts_in_two_texts_together() -> None:
    pruned = count.count_ngrams(IDS[:3000], V + 1, 5, max_entries=500)
    other = count.count_ngrams(np.full(50, V, np.uint8), V + 1, 5)
    for pair in ((pruned, other), (other, pruned)):
        merged = count.merge_counts(*pair, V + 1)
        kept = np.isin(merged.keys, pruned.keys)
        for found, expected in zip(merged, pruned, strict=True):
            np.testing.assert_array_equal(found[kept], expected)


def test_a_suffix_that_was_pruned_counts_once_at_least_when_a_text_is_added_again() -> None:
    ids = np.ravel([[0, 1, 2, following] for following in range(3, 8)]).astype(np.uint8)
    counts = count.count_ngrams(ids, 8, 3, max_entries=3)  # 01, 12 and 012
    with patch.object(count, "MAX_ENTRIES", 2):
        pruned = count.merge_counts(counts, count.count_ngrams(ids[:1], 8, 3), 8)  # 01 and 012
    merged = count.merge_counts(pruned, counts, 8)
    assert len(merged.keys) == len(pruned.keys) + 1
    assert merged.adjusted[1:].min() == 1


def test_what_always_followed_leaves_something_for_the_rest() -> None:
    ngrams = build_ngrams(np.tile(np.array([0, 1], np.uint8), 20_000), 3, 2)
    assert (all_p(ngrams, [0]) > 0).all()


# Dense after no context but the empty one; after some; after all.
@pytest.mark.parametrize("dense", [0, 2000 * V, 10**9])
def test_one_text_many_texts_and_scores_agree(monkeypatch: pytest.MonkeyPatch, dense: int) -> None:
    monkeypatch.setattr(contexts, "MAX_DENSE", dense)
    spelled = np.arange(V) % 7 > 0
    counts = count.count_ngrams(IDS[:20_000], V, 6, max_entries=15_000)
    tree = NGrams(counts, V, WEIGHTS, None, spelled).tree
    inputs, targets = (IDS[at : at + 600].reshape(6, -1).T for at in (20_000, 20_001))
    own, columns, nodes = np.linspace(1, 2, V) / V, np.arange(6), np.zeros(6, int)
    every = tree.read(nodes, inputs)
    for step, (ids, following) in enumerate(zip(inputs, targets, strict=True)):
        each = [tree.feed(nodes[at : at + 1], ids[at : at + 1]) for at in range(6)]
        nodes = tree.feed(nodes, ids)
        np.testing.assert_array_equal(nodes, np.concatenate(each))
        np.testing.assert_array_equal(nodes, every[step])
        together = mix(tree, nodes, own)
        np.testing.assert_array_equal(together, [mix(tree, node, own)[0] for node in each])
        p_spelled = np.full(6, own[spelled].sum())
        found = tree.mix_targets(own[following], p_spelled, nodes, following)
        np.testing.assert_allclose(found, together[columns, following], rtol=1e-6)


def test_pruning_keeps_as_many_as_asked_and_loses_little() -> None:
    train, judged = IDS[:28_000], IDS[28_000:, None]

    def nats(most: int) -> tuple[int, float]:
        ngrams = NGrams(count.count_ngrams(train, V, 7, max_entries=most), V)
        tree = ngrams.with_weights(np.zeros(GROUPS), None).tree
        nodes, ones = tree.read(np.zeros(1, int), judged[:-1])[:, 0], np.ones(len(judged) - 1)
        p = tree.mix_targets(ones, ones, nodes, judged[1:, 0])
        return ngrams.entries, -float(np.log(p).mean())

    (every, complete), (few, pruned) = nats(10**9), nats(40_000)
    assert every > 60_000
    assert few == 40_000 + len(set(train.tolist()))
    assert abs(pruned - complete) < 0.02
    # Of equally rare ones, from all over the alphabet.
    kept = NGrams(count.count_ngrams(np.arange(200, dtype=np.uint8), 200, 2, max_entries=100), 200)
    assert 90 < np.median(np.flatnonzero(kept.to_arrays()["children"][1:201])) < 110


def test_a_long_text_is_counted_in_passages_from_all_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(count, "MAX_COUNTED", 640)
    counts = count.count_ngrams((np.arange(4000) // 1000).astype(np.uint8), 4, 1)
    assert counts.adjusted.sum() == 640
    assert len(counts.adjusted) == 5
    assert counts.adjusted[1:].min() >= 150


def test_a_large_vocabulary_has_shorter_n_grams() -> None:
    ids = np.arange(5000, dtype=np.uint32) % 4000
    assert build_ngrams(ids, 4000, 7).order == 5
    assert build_ngrams(ids % 3, 4, 7).order == 7


GOOD = build_ngrams(IDS[:3000], V, 5).to_arrays()


def changed(name: str, at: int, value: Any) -> dict[str, Any]:
    array = GOOD[name].copy()
    array[at] = value
    return GOOD | {name: array}


_SWAPPED = np.concatenate([GOOD["characters"][1::-1], GOOD["characters"][2:]])
_ENDLESS = GOOD | {
    "characters": np.zeros(99, "u1"), "children": np.array([*[1] * 99, 0], "u1"),
    "adjusted": np.ones(99, "u1"), "dropped": np.zeros(99, "u1"),
}  # fmt: skip
BROKEN: dict[str, Any] = {
    "an array is missing": {name: GOOD[name] for name in GOOD if name != "weights"},
    "an array too many": GOOD | {"more": GOOD["adjusted"]},
    "signed characters": GOOD | {"characters": GOOD["characters"].astype(int)},
    "counts in two dimensions": GOOD | {"adjusted": GOOD["adjusted"][None]},
    "too few counts": GOOD | {"adjusted": GOOD["adjusted"][1:]},
    "too few weights": GOOD | {"weights": GOOD["weights"][1:]},
    "a loss in two parts": GOOD | {"loss": np.zeros(2)},
    "no entries": {name: array[:0] for name, array in GOOD.items()},
    "a character too large": changed("characters", GOOD["children"][0] - 1, V),
    "one character twice": changed("characters", 3, GOOD["characters"][2]),
    "characters not in order": GOOD | {"characters": _SWAPPED},
    "n-grams without end": _ENDLESS,
    "a child too many": changed("children", 1, GOOD["children"][1] + 1),
    "contexts that nothing leads to": GOOD | {"children": GOOD["children"][::-1].copy()},
    "a count of 0": changed("adjusted", 5, 0),
    "too many sums of what is left out": GOOD
    | {"dropped": np.zeros(len(GOOD["dropped"]) + 1, "u1")},
    "counts that are not whole": GOOD | {"adjusted": GOOD["adjusted"].astype("f2")},
    "a weight above 1": changed("weights", 0, 1.5),
    "a weight below 0": changed("weights", 0, -0.5),
    "nothing spelled": GOOD | {"spelled": np.zeros(V, "u1")},
    "too few characters spelled": GOOD | {"spelled": GOOD["spelled"][1:]},
    "a weight that is not a number": changed("weights", 0, np.nan),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_arrays_are_refused(name: str) -> None:
    NGrams.from_arrays(GOOD, V)
    with pytest.raises(ValueError, match="the n-grams"):
        NGrams.from_arrays(BROKEN[name], V)
