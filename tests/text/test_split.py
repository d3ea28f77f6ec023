"""What is held out of a text: as much as is said, and from where it is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import split
from charrnn.text.split import STREAMS, WINDOW, stream_bounds


@pytest.mark.parametrize(
    ("length", "val_fraction", "passages", "held_out"),
    [
        (9_999, None, 1, 0),  # too short to spare anything
        (10_000, None, 10, 500),
        (12_347, None, 10, 610),
        (100_000, None, 10, 5_000),
        (1_000_000, None, 10, 10_000),
        (5_000_001, None, 10, 10_000),  # in a file
        (1_000, 0.25, 1, 250),
        (1_000, 0.0, 1, 0),
        (10, 0.1, 1, 0),  # one character predicts nothing
        (20, 0.1, 1, 2),
    ],
)
def test_the_end_is_held_out_or_by_default_the_end_of_each_tenth(
    length: int, val_fraction: float | None, passages: int, held_out: int
) -> None:
    ids = np.arange(length, dtype=np.uint32)
    is_held_out = np.zeros(length, bool)
    for number in range(1, passages + 1):
        end = length * number // passages
        is_held_out[end - held_out // passages : end] = True
    train_ids, val_ids = split(ids, val_fraction)
    np.testing.assert_array_equal(train_ids, ids[~is_held_out])
    np.testing.assert_array_equal(val_ids, ids[is_held_out])


@given(st.integers(2, 5000))
def test_streams_follow_each_other_and_their_last_target_is_in_the_text(length: int) -> None:
    starts, sizes = stream_bounds(length)
    assert len(starts) == max(1, min(STREAMS, (length - 1) // WINDOW))
    np.testing.assert_array_equal(starts, np.append(0, sizes.cumsum()[:-1]))
    assert length - len(starts) <= sizes.sum() < length
