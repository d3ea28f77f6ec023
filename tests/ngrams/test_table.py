"""All ways to read a table come to the same, and broken tables are refused."""

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from charrnn.ngrams import rows as rows_module
from charrnn.ngrams.cursor import BatchCursor, Cursor, OneCursor
from charrnn.ngrams.kneser_ney import build_tree
from charrnn.ngrams.rows import Rows
from charrnn.ngrams.table import NGramTable
from charrnn.ngrams.tree import Tree
from tests.ngrams.test_kneser_ney import MOULIN

CHARACTERS = sorted(set(MOULIN))
V = len(CHARACTERS)
IDS = np.array([CHARACTERS.index(c) for c in MOULIN], np.uint8)
TREE = build_tree(IDS[:20_000], V, 6, most=15_000)
TABLE = NGramTable(TREE)
JUDGED = IDS[20_000:20_600]


def rows_with(numbers: int) -> Rows:
    """Return what is read of the table, with so many numbers for short contexts."""
    with mock.patch.object(rows_module, "AT_ONCE", numbers):
        return NGramTable(TREE).rows


# Only the empty context is short; contexts of up to two characters are; all are.
ROWS = {"none": rows_with(0), "some": rows_with(2000 * V), "all": rows_with(10**9)}
every_rows = pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)


def test_contexts_are_short_that_have_room() -> None:
    assert len(ROWS["none"].p) == 1
    assert 100 < len(ROWS["some"].p) < 2000
    assert len(ROWS["all"].p) > TREE.entries / 2
    assert [rows.longer for rows in ROWS.values()] == [5, 3, 0]


def test_reading_at_once_equals_reading_in_pieces() -> None:
    texts = JUDGED.reshape(6, -1).T
    whole = TABLE.read(TABLE.start(6), texts)
    first = TABLE.read(TABLE.start(6), texts[:37])
    np.testing.assert_array_equal(TABLE.read(first[-1], texts[37:]), whole[37:])


@every_rows
@pytest.mark.parametrize("count", [1, 6])
def test_steps_lead_where_reading_does(rows: Rows, count: int) -> None:
    texts = JUDGED.reshape(6, -1).T[:, :count]
    cursor: Cursor = OneCursor(rows) if count == 1 else BatchCursor(rows, count)
    for ids, nodes in zip(texts, TABLE.read(TABLE.start(count), texts), strict=True):
        cursor.feed(ids)
        np.testing.assert_array_equal(TABLE.sound(cursor.nodes), nodes)


@every_rows
def test_p_is_that_of_the_table_and_does_not_depend_on_the_batch(rows: Rows) -> None:
    nodes = TABLE.read(TABLE.start(1), JUDGED[:, None])[:, 0]
    assert len(set(nodes.tolist())) > 100
    shares = np.linspace(0.1, 1, len(nodes), dtype=np.float32)
    batch, one = BatchCursor(rows, len(nodes)), OneCursor(rows)
    batch.start(nodes)
    p = batch.p(shares)
    every = np.broadcast_to(np.arange(V), p.shape)
    expected = TABLE.probabilities(nodes[:, None].repeat(V, 1), every)
    np.testing.assert_allclose(p, expected * shares[:, None], rtol=1e-5)
    np.testing.assert_allclose(p.sum(axis=1), shares, rtol=1e-5)
    for row, node, share in zip(p, nodes, shares, strict=True):
        one.start(np.array([node]))
        np.testing.assert_array_equal(one.p(share), row)


@every_rows
def test_texts_are_selected(rows: Rows) -> None:
    texts, numbers = JUDGED[:300].reshape(3, -1).T, np.array([2, 2, 0])
    whole, cursor = TABLE.read(TABLE.start(3), texts), BatchCursor(rows, 3)
    for before, ids, after in zip(whole, texts[1:], whole[1:], strict=False):
        cursor.start(before)
        cursor.select(numbers)
        cursor.feed(ids[numbers])
        np.testing.assert_array_equal(TABLE.sound(cursor.nodes), after[numbers])


@every_rows
def test_a_node_without_entries_is_as_good_as_its_longest_suffix_with_some(rows: Rows) -> None:
    nodes = np.flatnonzero(TREE.children == 0)[:: TREE.entries // 500]
    batch, other = BatchCursor(rows, len(nodes)), BatchCursor(rows, len(nodes))
    batch.start(nodes)
    other.start(TABLE.sound(nodes))
    shares = np.ones(len(nodes), np.float32)
    np.testing.assert_array_equal(batch.p(shares), other.p(shares))


def test_nodes_that_there_are_not_are_replaced() -> None:
    nodes = TABLE.sound(np.array([-5, 3, 2**31 - 1]))
    assert TABLE.read(nodes, JUDGED[:3, None].repeat(3, axis=1)).shape == (3, 3)
    # Nor can a text be at a node that has no entries.
    nodes = TABLE.sound(np.arange(TREE.entries + 1))
    assert (TREE.children[nodes] > 0).all()
    assert (nodes[TREE.children > 0] == np.flatnonzero(TREE.children)).all()


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
