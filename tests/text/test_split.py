"""What is held out of a text: as much as is said, and from where it is said."""

import numpy as np
import pytest

from charrnn import split
from charrnn.text.split import stream_bounds


@pytest.mark.parametrize(
    ("length", "val_fraction", "expected"),
    [
        (9_999, None, 0),  # too short to spare anything
        (10_000, None, 500),
        (100_000, None, 5_000),
        (1_000_000, None, 10_000),
        (2**26 + 1, None, 10_000),
        (1_000, 0.25, 250),
        (1_000, 0.0, 0),
        (10, 0.1, 0),  # one character predicts nothing
        (20, 0.1, 2),
    ],
)
def test_so_much_is_held_out(length: int, val_fraction: float | None, expected: int) -> None:
    ids = np.arange(length, dtype=np.uint32)
    train, held_out = split(ids, val_fraction)
    assert (len(train), len(held_out)) == (length - expected, expected)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), ids)


@pytest.mark.parametrize(("length", "held_out"), [(12_347, 610), (1_000_000, 10_000)])
def test_passages_of_one_length_lie_in_each_tenth_and_a_share_at_the_end(
    length: int, held_out: int
) -> None:
    ids = np.arange(length, dtype=np.uint32)
    _, val_ids = split(ids, None)
    passages = np.split(val_ids, np.flatnonzero(np.diff(val_ids) != 1) + 1)
    assert [len(passage) for passage in passages] == [held_out // 10] * 10
    assert [int(passage[0]) * 10 // length for passage in passages] == list(range(10))
    assert val_ids[-1] == length - 1
    train_ids, val_ids = split(ids, 0.1)
    np.testing.assert_array_equal(np.concatenate([train_ids, val_ids]), ids)


@pytest.mark.parametrize("length", [2, 64, 65, 129, 1000, 2**12])
def test_streams_follow_each_other_and_their_last_target_is_in_the_text(length: int) -> None:
    starts, sizes = stream_bounds(length)
    np.testing.assert_array_equal(starts[1:], (starts + sizes)[:-1])
    assert starts[0] == 0
    assert length - len(starts) <= starts[-1] + sizes[-1] < length
