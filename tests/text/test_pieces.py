"""Flat pieces: which text they have, and how they are shuffled and held out."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charrnn import CorpusError, Vocabulary
from charrnn.text import pieces, storage
from charrnn.text.pieces import flatten_pieces, piece_bounds, piece_sizes, shuffle_pieces
from charrnn.text.split import split_pieces

VOCABULARY = Vocabulary("\n" + "".join(map(chr, range(97, 123))))


def joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in ["", *lines])


def held_out(lines: list[str], share: float | None, seed: int = 1) -> list[str]:
    """Return the lines that are held out of a text; all others must be there to train on."""
    ids = flatten_pieces(VOCABULARY.encode("\n".join(lines)), 0)
    train, val = map(VOCABULARY.decode, split_pieces(ids, share, seed))
    assert (train, val) == (joined(train.split()), joined(val.split()) if val.split() else "")
    assert sorted(train.split() + val.split()) == sorted(lines)
    return val.split()


@given(st.text("abc\n\n", max_size=99), st.sampled_from([0.0, 0.3, 0.9]), st.sampled_from([3, 999]))
def test_pieces_are_the_lines_of_a_text_whatever_is_read_at_once(
    text: str, share: float, size: int
) -> None:
    lines = text.split()
    assume(lines)
    with (
        patch.multiple(storage, IN_MEMORY=size, BLOCK=size),
        patch.multiple(pieces, BLOCK=size, PIECES_AT_ONCE=size),
    ):
        ids = flatten_pieces(VOCABULARY.encode(text), 0)
        assert VOCABULARY.decode(ids) == joined(lines)
        bounds = zip(*piece_bounds(ids), strict=True)
        assert [VOCABULARY.decode(ids[at + 1 :][:length]) for at, length in bounds] == lines
        assert piece_sizes(ids) == (len(lines), min(map(len, lines)), max(map(len, lines)))
        shuffled = VOCABULARY.decode(shuffle_pieces(ids, np.random.default_rng(0)))
        assert shuffled == joined(shuffled.split())
        assert sorted(shuffled.split()) == sorted(lines)
        assert len(held_out(lines, share)) == min(round(share * len(lines)), len(lines) - 1)


@pytest.mark.parametrize(
    ("count", "length", "expected"), [(199, 1, 0), (200, 1, 10), (20, 500, 1), (2000, 499, 40)]
)
def test_a_twentieth_is_held_out_of_many_or_long_lines_and_at_most_20_000_characters(
    count: int, length: int, expected: int
) -> None:
    assert len(held_out(["a" * length] * count, None)) == expected


def test_short_and_long_lines_are_held_out_alike_and_from_all_over_the_list() -> None:
    lines = sorted("x" * size + chr(97 + n) for n in range(26) for size in range(10))
    chosen = held_out(lines, 0.1)
    sizes, places = [*map(len, chosen)], [*map(lines.index, chosen)]
    assert all(2 <= sizes.count(size) <= 4 for size in range(1, 11))
    assert min(places) < 60
    assert max(places) > 200
    assert chosen != held_out(lines, 0.1, seed=2)


def test_empty_lines_are_nothing_to_learn_from() -> None:
    with pytest.raises(CorpusError, match="empty pieces only"):
        held_out([], None)
