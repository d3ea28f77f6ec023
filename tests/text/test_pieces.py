"""Flat pieces: which text they have, how they are split, shuffled and batched."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import DataConfig, Vocabulary
from charrnn.text import pieces as piece_mode
from charrnn.text import storage
from charrnn.text.pieces import flatten_pieces, piece_bounds, piece_sizes, shuffle_pieces
from charrnn.text.split import split_pieces
from charrnn.text.vocabulary import Ids
from charrnn.text.windows import Streams

BEGINNINGS, MIDDLES, ENDS = ("bar", "cor", "dal", "mi"), ("a", "on", "ette"), "lnrs"
NAMES = ["".join(parts) for parts in product(BEGINNINGS, MIDDLES, ENDS)]
LINES = st.lists(st.text("abc", min_size=1, max_size=6), min_size=2, max_size=30)


def flat(lines: list[str]) -> tuple[Ids, Vocabulary]:
    text = "\n".join(lines)
    vocabulary = Vocabulary.from_text(text + "\n")
    return flatten_pieces(vocabulary.encode(text), vocabulary.index["\n"]), vocabulary


@pytest.mark.parametrize("text", ["a\nbb\n", "a\nbb", "\n\na\n\n\nbb\n\n", "\na\nbb"])
def test_flat_lines_have_one_break_around_each_and_no_empty_one(text: str) -> None:
    vocabulary = Vocabulary.from_text(text)
    lines = flatten_pieces(vocabulary.encode(text), vocabulary.index["\n"])
    assert vocabulary.decode(lines) == "\na\nbb\n"


@given(LINES)
def test_pieces_are_where_their_bounds_say(lines: list[str]) -> None:
    ids, vocabulary = flat(lines)
    bounds = zip(*piece_bounds(ids), strict=True)
    assert [vocabulary.decode(ids[at + 1 :][:length]) for at, length in bounds] == lines
    assert piece_sizes(ids) == (len(lines), min(map(len, lines)), max(map(len, lines)))


@given(LINES, st.sampled_from([0.0, 0.3, 0.9]))
def test_both_parts_of_a_split_are_whole_lines_and_together_all(
    lines: list[str], share: float
) -> None:
    ids, vocabulary = flat(lines)
    parts = [vocabulary.decode(part) for part in split_pieces(ids, share, 7)]
    assert sorted("".join(parts).split()) == sorted(lines)
    assert len(parts[1].split()) == min(round(share * len(lines)), len(lines) - 1)
    assert all(not part or (len(part) > 1 and part[0] == part[-1] == "\n") for part in parts)


def test_a_twentieth_is_held_out_of_many_lines_or_of_long_ones() -> None:
    for lines, expected in ((["a"] * 199, 0), (["a"] * 200, 10), (["a" * 500] * 20, 1)):
        ids, vocabulary = flat(lines)
        assert len(vocabulary.decode(split_pieces(ids, None, 1)[1]).split()) == expected


def test_short_and_long_lines_are_held_out_alike_and_from_all_over_the_list() -> None:
    lines = sorted("x" * size + chr(97 + n) for n in range(26) for size in range(10))
    ids, vocabulary = flat(lines)
    held_out = vocabulary.decode(split_pieces(ids, 0.1, 1)[1]).split()
    assert len(held_out) == 26
    sizes = [*map(len, held_out)]
    assert all(2 <= sizes.count(size) <= 4 for size in range(1, 11))
    places = [lines.index(line) for line in held_out]
    assert min(places) < 60
    assert max(places) > 200


@given(LINES, st.integers(1, 8))
def test_an_epoch_reads_every_line_once_up_to_the_last_batch(lines: list[str], size: int) -> None:
    ids, vocabulary = flat(lines)
    size = min(size, len(ids) - 1)
    batches = Streams(ids, DataConfig(seq_length=1, batch_size=size, separator="\n"), 1)
    for epoch in range(2):
        steps = [batches.at(epoch * batches.steps_per_epoch + step)
                 for step in range(batches.steps_per_epoch)]  # fmt: skip
        inputs, targets, starts = (np.concatenate([getattr(step, part) for step in steps])
                                   for part in ("inputs", "targets", "starts"))  # fmt: skip
        assert [step.fresh for step in steps] == [True] + [False] * (len(steps) - 1)
        read = vocabulary.decode(np.append(inputs.T.ravel(), targets[-1, -1]))
        assert read[1:] == vocabulary.decode(targets.T.ravel())
        np.testing.assert_array_equal(starts, inputs == vocabulary.index["\n"])
        whole = read.split("\n")[1:-1]  # the first and the last may be cut
        assert not [line for line in set(whole) if whole.count(line) > lines.count(line)]
        assert len(ids) - len(read) < size


def test_long_lists_are_handled_in_blocks_and_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def arrays() -> list[Ids]:
        ids, _ = flat(NAMES)
        order = shuffle_pieces(ids, np.random.default_rng(1))
        return [ids, order, *split_pieces(ids, 0.3, 1)]

    expected = arrays()
    assert expected[0].tobytes() != expected[1].tobytes() == arrays()[1].tobytes()
    for module, name, size in (
        (storage, "IN_MEMORY", 20), (storage, "BLOCK", 7), (piece_mode, "BLOCK", 7),
        (piece_mode, "PIECES_AT_ONCE", 5),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, size)
    for array, other in zip(arrays(), expected, strict=True):
        assert isinstance(array.base, np.memmap)
        np.testing.assert_array_equal(array, other)
