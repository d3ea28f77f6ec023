"""All ways to read a table come to the same, and broken tables are refused."""

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from charrnn.ngrams import table as table_module
from charrnn.ngrams.cursor import Cursor
from charrnn.ngrams.kneser_ney import build_tree
from charrnn.ngrams.table import NGramTable
from charrnn.ngrams.tree import Tree
from tests.ngrams.test_kneser_ney import MOULIN

CHARACTERS = sorted(set(MOULIN))
IDS = np.array([CHARACTERS.index(c) for c in MOULIN], np.uint8)
TREE = build_tree(IDS[:20_000], len(CHARACTERS), 6, most=15_000)
with mock.patch.object(table_module, "AT_ONCE", 0):
    TABLE = NGramTable(TREE)
# The same, with the distributions of contexts of one and two characters computed beforehand.
with mock.patch.object(table_module, "AT_ONCE", 2000 * len(CHARACTERS)):
    SHORT = NGramTable(TREE)
JUDGED = IDS[20_000:20_600]

both = pytest.mark.parametrize("found", [TABLE, SHORT], ids=["none short", "some short"])


def ones(count: int) -> Any:
    return np.ones(count, np.float32)


def test_the_second_table_has_more_short_contexts_but_not_all() -> None:
    assert 1 == len(TABLE.short) < 100 < len(SHORT.short) < TREE.entries / 3


def test_reading_at_once_equals_reading_in_pieces() -> None:
    texts = JUDGED.reshape(6, -1).T
    whole = TABLE.read(TABLE.start(6), texts)
    first = TABLE.read(TABLE.start(6), texts[:37])
    np.testing.assert_array_equal(TABLE.read(first[-1], texts[37:]), whole[37:])


@both
@pytest.mark.parametrize("count", [1, 6])
def test_steps_lead_where_reading_does_with_or_without_distributions(
    found: NGramTable, count: int
) -> None:
    texts = JUDGED.reshape(6, -1).T[:, :count]
    cursor, other = Cursor(found, count), Cursor(found, count)
    for ids, nodes in zip(texts, found.read(found.start(count), texts), strict=True):
        cursor.feed(ids)
        other.feed(ids)
        np.testing.assert_array_equal(cursor.nodes, nodes)
        np.testing.assert_array_equal(other.nodes, nodes)
        cursor.distributions(ones(count))  # so that the next step knows its entries


@both
def test_distributions_do_not_depend_on_the_batch(found: NGramTable) -> None:
    nodes = found.read(found.start(1), JUDGED[:, None])[:, 0]
    batch, one = Cursor(found, len(nodes)), Cursor(found, 1)
    batch.start(nodes)
    p = batch.distributions(np.float32(0.3) * ones(len(nodes)))
    np.testing.assert_allclose(p.sum(axis=1), 0.3, rtol=1e-5)
    for row, start in zip(p, nodes, strict=True):
        one.start(np.array([start]))
        np.testing.assert_array_equal(one.distributions(np.float32(0.3) * ones(1))[0], row)
    exact = found.probabilities(nodes[:-1], JUDGED[1:])
    np.testing.assert_allclose(p[np.arange(len(exact)), JUDGED[1:]], 0.3 * exact, rtol=1e-4)


@both
def test_rows_are_selected(found: NGramTable) -> None:
    texts = JUDGED[:300].reshape(3, -1).T
    cursor, whole = Cursor(found, 3), found.read(found.start(3), texts)
    for ids in texts[:50]:
        cursor.feed(ids)
    cursor.distributions(ones(3))
    rows = np.array([2, 2, 0])
    cursor.select(rows)
    for ids, nodes in zip(texts[50:], whole[50:], strict=True):
        cursor.feed(ids[rows])
        np.testing.assert_array_equal(cursor.nodes, nodes[rows])


def test_nodes_that_there_are_not_are_replaced() -> None:
    nodes = TABLE.sound(np.array([-5, 3, 2**31 - 1]))
    assert TABLE.read(nodes, JUDGED[:3, None].repeat(3, axis=1)).shape == (3, 3)


def _changed(name: str, at: int, value: float) -> Tree:
    array = getattr(TREE, name).copy()
    array[at] = value
    return replace(TREE, **{name: array})


BROKEN: dict[str, Any] = {
    "a character too large": lambda: _changed("characters", 3, 1000),
    "a character below 0": lambda: _changed("characters", 3, -1),
    "characters in disorder": lambda: _changed("characters", 3, int(TREE.characters[2])),
    "children below 0": lambda: _changed("children", 3, -1),
    "more children than characters": lambda: _changed("children", 0, 1000),
    "a child too many": lambda: _changed("children", 1, int(TREE.children[1]) + 1),
    "no root": lambda: _changed("children", 0, 0),
    "a share below 0": lambda: _changed("alphas", 5, -0.1),
    "shares above 1": lambda: _changed("alphas", 5, 1.5),
    "no entries": lambda: Tree(TREE.characters[:0], TREE.children[:1], TREE.alphas[:0], 9),
    "one entry too few": lambda: replace(TREE, characters=TREE.characters[:-1]),
    "alphas of another length": lambda: replace(TREE, alphas=TREE.alphas[:-1]),
    "n-grams without end": lambda: Tree(
        np.zeros(99, int), np.array([*[1] * 99, 0]), np.full(99, 0.1, np.float16), 2
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_tree_is_refused(name: str) -> None:
    TREE.check()
    with pytest.raises(ValueError, match="the n-grams"):
        BROKEN[name]().check()
