"""Windows, streams and the order in which they come."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charrnn import CorpusError, DataConfig
from charrnn.text.pieces import flatten_pieces
from charrnn.text.windows import (
    ShuffledWindows,
    Streams,
    fit_to_corpus,
    make_batches,
    sliding_windows,
)

lengths = st.integers(1, 200)
sizes = st.integers(1, 12)


@given(lengths, sizes, sizes)
def test_windows_are_all_slices_and_their_successors(n: int, length: int, stride: int) -> None:
    assume(n > length)
    ids = np.arange(n, dtype=np.uint8)
    inputs, targets = sliding_windows(ids, length, stride)
    starts = range(0, n - length, stride)
    assert inputs.tolist() == [list(range(i, i + length)) for i in starts]
    assert targets.tolist() == [list(range(i + 1, i + length + 1)) for i in starts]
    assert np.shares_memory(inputs, ids)


def test_too_short_a_text_is_an_error() -> None:
    with pytest.raises(CorpusError, match="5 characters are too few for a window of 5"):
        sliding_windows(np.arange(5, dtype=np.uint8), 5)
    with pytest.raises(CorpusError, match="nothing to predict"):
        fit_to_corpus(DataConfig(), 1)


@given(lengths, sizes, sizes, st.integers(0, 5))
def test_streams_run_on_without_a_gap(n: int, T: int, B: int, seed: int) -> None:
    assume((n - 1) // (T * B) >= 1)
    data = DataConfig(seq_length=T, batch_size=B)
    streams = Streams(np.arange(n, dtype=np.uint16), data, seed)
    epoch = [streams.at(step) for step in range(streams.steps_per_epoch)]
    assert [batch.fresh for batch in epoch] == [True] + [False] * (len(epoch) - 1)
    read = np.concatenate([batch.inputs for batch in epoch])  # (steps * T, B)
    np.testing.assert_array_equal(np.diff(read.astype(int), axis=0), 1)
    for batch in epoch:
        assert batch.inputs.shape == (T, B)
        np.testing.assert_array_equal(batch.targets, batch.inputs + 1)
    # side by side the streams cover one contiguous piece, none of it twice
    assert len(np.unique(read)) == read.size == np.ptp(read) + 1


def test_no_character_is_left_out_for_good() -> None:
    data = DataConfig(seq_length=8, batch_size=4)
    streams = Streams(np.arange(100, dtype=np.uint8), data, random_seed=0)
    seen = {int(i) for step in range(60) for i in streams.at(step).targets.ravel()}
    assert seen == set(range(1, 100))


@given(lengths, sizes, sizes, sizes, st.integers(0, 5))
def test_shuffled_windows_come_once_an_epoch(
    n: int, T: int, B: int, stride: int, seed: int
) -> None:
    assume(n > T)
    data = DataConfig(seq_length=T, batch_size=B, stride=stride)
    windows = ShuffledWindows(np.arange(n, dtype=np.uint16), data, seed)
    batches = [windows.at(step) for step in range(windows.steps_per_epoch)]
    firsts = [int(i) for batch in batches for i in batch.inputs[0]]
    assert len(set(firsts)) == len(firsts)
    assert set(firsts) <= set(range(0, n - T, stride))
    assert all(batch.fresh for batch in batches)


def test_every_epoch_has_another_order_and_every_seed_too() -> None:
    data = DataConfig(seq_length=4, batch_size=60, stride=1)
    orders = [
        ShuffledWindows(np.arange(64, dtype=np.uint8), data, seed).at(step).inputs[0].tolist()
        for seed in (0, 1)
        for step in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4
    assert len({tuple(sorted(order)) for order in orders}) == 1


@pytest.mark.parametrize("settings", [{}, {"stride": 1}, {"separator": "\n"}])
def test_a_batch_depends_on_seed_and_step_alone(settings: dict[str, Any]) -> None:
    ids = flatten_pieces(np.random.default_rng(0).integers(50, size=500).astype(np.uint8), 0)
    data = DataConfig(seq_length=7, batch_size=3, **settings)
    forwards = make_batches(ids, data, 5)
    expected = {step: forwards.at(step) for step in range(0, 420, 6)}  # several epochs of each
    backwards = make_batches(ids, data, 5)
    for step in reversed(expected):
        np.testing.assert_array_equal(backwards.at(step).inputs, expected[step].inputs)
        part = backwards.at(step, slice(1, 3))
        np.testing.assert_array_equal(part.targets, expected[step].targets[:, 1:3])


@given(st.integers(2, 300), sizes, sizes, st.none() | sizes)
def test_whatever_fits_gives_a_batch(n: int, T: int, B: int, stride: int | None) -> None:
    data = DataConfig(seq_length=T, batch_size=B, stride=stride)
    seq_length, batch_size = fit_to_corpus(data, n)
    assert 1 <= seq_length <= T
    assert 1 <= batch_size <= B
    fitted = DataConfig(seq_length=seq_length, batch_size=batch_size, stride=stride)
    batch = make_batches(np.arange(n, dtype=np.uint16), fitted, 0).at(0)
    assert batch.inputs.shape == (seq_length, batch_size)
