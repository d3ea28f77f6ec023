"""Batches of windows and of streams, and the order in which they come."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charrnn import Config, CorpusError, DataConfig, fit_config
from charrnn.text.pieces import flatten_pieces
from charrnn.text.windows import make_batches, sliding_windows

lengths, sizes = st.integers(2, 200), st.integers(1, 12)


def read_epoch(ids: Any, data: DataConfig, epoch: int) -> tuple[Any, Any, list[bool]]:
    """Return all inputs and targets of an epoch, (steps, T, B), and which steps begin fresh."""
    batches = make_batches(ids, data, 1)
    first = epoch * batches.steps_per_epoch
    steps = [batches.at(step) for step in range(first, first + batches.steps_per_epoch)]
    for step in steps:
        starts = None if data.end is None else step.inputs == ids[0]
        np.testing.assert_array_equal(step.starts, starts)
    inputs, targets = ([getattr(it, name) for it in steps] for name in ("inputs", "targets"))
    return np.array(inputs), np.array(targets), [step.fresh for step in steps]


def read_streams(ids: Any, data: DataConfig, epoch: int) -> Any:
    """Return what the streams of an epoch read, one after the other; up to the last batch, all."""
    inputs, targets, fresh = read_epoch(ids, data, epoch)
    assert fresh == [True] + [False] * (len(inputs) - 1)
    assert len(inputs) == (len(ids) - 1) // (data.seq_length * data.batch_size)
    inputs, targets = (part.transpose(2, 0, 1).ravel() for part in (inputs, targets))
    np.testing.assert_array_equal(inputs[1:], targets[:-1])
    return np.append(inputs, targets[-1])


@given(lengths, sizes, sizes)
def test_streams_run_on_without_a_gap(n: int, T: int, B: int) -> None:
    assume(n > T * B)
    read = read_streams(np.arange(n, dtype=np.uint16), DataConfig(seq_length=T, batch_size=B), 0)
    assert (np.diff(read) == 1).all()


@given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=2, max_size=30), sizes, sizes)
def test_each_epoch_reads_every_line_once_up_to_the_last_batch(
    lines: list[str], T: int, B: int
) -> None:
    ids = flatten_pieces(np.array([*map(ord, "\n".join(lines))], np.uint8), 10)
    assume(len(ids) > T * B)
    data = DataConfig(seq_length=T, batch_size=B, separator="\n")
    for epoch in range(2):
        read = "".join(map(chr, read_streams(ids, data, epoch)))
        whole = read.split("\n")[1:-1]  # the first and the last may be cut
        assert all(whole.count(line) <= lines.count(line) for line in whole)


def test_no_character_is_left_out_for_good() -> None:
    ids, data = np.arange(100, dtype=np.uint8), DataConfig(seq_length=8, batch_size=4)
    seen = {int(it) for epoch in range(20) for it in read_streams(ids, data, epoch)}
    assert seen == set(range(100))


@given(lengths, sizes, sizes, sizes)
def test_windows_and_what_follows_them_come_once_an_epoch(
    n: int, T: int, B: int, stride: int
) -> None:
    assume(n > T)
    ids, every = np.arange(n, dtype=np.uint16), range(0, n - T, stride)
    data = DataConfig(seq_length=T, batch_size=B, stride=stride)
    for epoch in range(2):
        inputs, targets, fresh = read_epoch(ids, data, epoch)
        assert all(fresh)
        assert inputs[:, 0].size == len(every) - len(every) % min(B, len(every))
        assert len({*every} & {*inputs[:, 0].ravel().tolist()}) == inputs[:, 0].size
        np.testing.assert_array_equal(inputs, inputs[:, :1] + np.arange(T)[:, None])
        np.testing.assert_array_equal(targets, inputs + 1)
    assert np.shares_memory(sliding_windows(ids, T)[0], ids)


@pytest.mark.parametrize("settings", [{}, {"stride": 1}, {"separator": "\n"}])
def test_a_batch_depends_on_seed_and_step_alone_and_no_epoch_is_like_another(
    settings: dict[str, Any],
) -> None:
    ids = flatten_pieces(np.random.default_rng(0).integers(50, size=503).astype(np.uint8), 0)
    # Pieces fill their batches: nothing but their order can change. A stream has where to begin.
    ids = ids if "separator" in settings else ids[:-9]
    data = DataConfig(seq_length=7, batch_size=3, **settings)
    forwards, backwards = (make_batches(ids, data, 5) for _ in range(2))
    expected = {step: forwards.at(step) for step in range(0, 420, 6)}  # several epochs of each
    for step in reversed(expected):
        np.testing.assert_array_equal(backwards.at(step).inputs, expected[step].inputs)
        part = backwards.at(step, slice(1, 3))
        np.testing.assert_array_equal(part.targets, expected[step].targets[:, 1:3])
    begins = [
        make_batches(ids, data, seed).at(step).inputs.tobytes()
        for seed in (5, 6)
        for step in (0, forwards.steps_per_epoch)
    ]
    assert len({*begins}) == 4


@given(lengths, sizes, sizes, st.none() | sizes)
def test_whatever_fits_gives_a_batch(n: int, T: int, B: int, stride: int | None) -> None:
    data = DataConfig(seq_length=T, batch_size=B, stride=stride)
    fitted = fit_config(Config(data=data), n).data
    length, size = fitted.seq_length, fitted.batch_size
    assert length == min(T, n - 1)
    assert size == min(B, len(range(0, n - length, stride or length)))
    batch = make_batches(np.arange(n, dtype=np.uint16), fitted, 0).at(0)
    assert batch.inputs.shape == (length, size)


def test_too_short_a_text_is_an_error() -> None:
    for stride, few in ((None, "2 windows of 5"), (1, "a window of 5 and")):
        data = DataConfig(seq_length=5, batch_size=2, stride=stride)
        with pytest.raises(CorpusError, match=f"5 characters are too few for {few}"):
            make_batches(np.arange(5, dtype=np.uint8), data, 0)
    with pytest.raises(CorpusError, match="nothing to predict"):
        fit_config(Config(), 1)
