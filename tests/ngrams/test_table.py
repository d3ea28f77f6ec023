"""All ways to read a table come to the same, and broken tables are refused."""

from dataclasses import replace
from typing import Any

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
TABLE = NGramTable(TREE)
JUDGED = IDS[20_000:20_600]
ONES = np.ones(1, np.float32)


def test_reading_at_once_equals_character_by_character() -> None:
    texts = JUDGED.reshape(6, -1).T
    whole = TABLE.read(TABLE.start(6), texts)
    first = TABLE.read(TABLE.start(6), texts[:37])
    np.testing.assert_array_equal(TABLE.read(first[-1], texts[37:]), whole[37:])
    cursor = Cursor(TABLE, 6)
    for ids, nodes in zip(texts, whole, strict=True):
        cursor.feed(ids)
        np.testing.assert_array_equal(cursor.nodes, nodes)
        cursor.distributions(np.ones(6, np.float32))  # so that the next step knows its entries


def test_a_step_finds_the_same_node_whether_or_not_it_read_the_distributions() -> None:
    texts = JUDGED.reshape(6, -1).T
    one, other = Cursor(TABLE, 6), Cursor(TABLE, 6)
    for ids in texts:
        one.distributions(np.ones(6, np.float32))
        one.feed(ids)
        other.feed(ids)
        np.testing.assert_array_equal(one.nodes, other.nodes)


@pytest.mark.parametrize("values", [0, 1 << 20])  # of short contexts, computed beforehand
def test_distributions_do_not_depend_on_the_batch(
    values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "AT_ONCE", values)
    found = NGramTable(TREE)
    nodes = found.read(found.start(1), JUDGED[:, None])[:, 0]
    batch, one = Cursor(found, len(nodes)), Cursor(found, 1)
    batch.start(nodes)
    p = batch.distributions(np.full(len(nodes), 0.3, np.float32))
    np.testing.assert_allclose(p.sum(axis=1), 0.3, rtol=1e-5)
    for row, start in zip(p, nodes, strict=True):
        one.start(np.array([start]))
        np.testing.assert_array_equal(one.distributions(0.3 * ONES)[0], row)
    exact = found.probabilities(nodes[:-1], JUDGED[1:])
    np.testing.assert_allclose(p[np.arange(len(exact)), JUDGED[1:]], 0.3 * exact, rtol=1e-4)


def test_rows_are_selected() -> None:
    cursor = Cursor(TABLE, 3)
    cursor.feed(JUDGED[:3])
    before = cursor.nodes.copy()
    cursor.distributions(np.ones(3, np.float32))
    cursor.select(np.array([2, 2, 0]))
    np.testing.assert_array_equal(cursor.nodes, before[[2, 2, 0]])
    cursor.feed(JUDGED[3:4].repeat(3))
    assert cursor.nodes[0] == cursor.nodes[1]


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
