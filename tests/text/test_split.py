"""What is held out of a text: as much as is said, and from where it is said."""

import numpy as np
import pytest

from charrnn import split
from charrnn.text.split import held_out_size


@pytest.mark.parametrize(
    ("length", "val_fraction", "expected"),
    [
        (9_999, None, 0),  # too short to spare anything
        (10_000, None, 500),
        (100_000, None, 5_000),
        (1_000_000, None, 10_000),
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
    assert held_out_size(length, val_fraction) == expected
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), ids)


def test_passages_lie_all_over_the_text_and_a_share_at_its_end() -> None:
    ids = np.arange(20_000, dtype=np.uint32)
    _, passages = split(ids, None)
    assert {int(at) // 2_000 for at in passages} == set(range(10))
    _, end = split(ids, 0.1)
    np.testing.assert_array_equal(end, ids[18_000:])
