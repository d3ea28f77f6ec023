"""The checkpoint: what goes in comes out, writing is atomic, reading suspicious."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from charrnn import Model, Progress, Vocabulary
from charrnn.checkpoint.checkpoint import is_checkpoint
from charrnn.checkpoint.header import FORMAT
from charrnn.training.state import initial_state
from tests.support import CONFIG, MIXED_TEXT, trained


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trained().save(tmp_path / "m.npz")
    return tmp_path / "m.npz"


@pytest.mark.parametrize("members", [1, 2])
def test_everything_comes_back(members: int, tmp_path: Path) -> None:
    config = replace(CONFIG, model=replace(CONFIG.model, members=members))
    vocabulary = Vocabulary.from_text(MIXED_TEXT)
    before = initial_state(config, len(vocabulary))
    # Values that no default could pass for.
    before.progress = Progress(
        step=7,
        seconds=8.5,
        optimizer_steps=12,
        best_val_loss=1.5,
        evaluations_since_best=9,
        loss_total=11.5,
        loss_count=10,
        rate_scale=0.25,
    )
    before.history = [{"step": 7, "seconds": 1, "progress": 0.5, "train_loss": 2, "val_loss": None}]
    before.best_weights = [network.flat + 1 for network in before.networks]
    before.carried = [network.zero_state(3) for network in before.networks]
    for number, array in enumerate(before.arrays()):
        array[...] = np.arange(array.size).reshape(array.shape) + number
    saved = Model.of(config, vocabulary, before, sha256="abc")
    saved.save(tmp_path / "m.npz")
    model = Model.load(tmp_path / "m.npz")
    assert (model.config, model.vocabulary, model.sha256) == (saved.config, vocabulary, "abc")
    after = model.training_state()
    assert (after.progress, after.history) == (before.progress, before.history)
    assert after.carried is not None
    pairs = zip([*after.arrays(), *after.weights], [*before.arrays(), *before.weights], strict=True)
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    for network, flat in zip(model.ensemble().networks, before.best_weights, strict=True):
        np.testing.assert_array_equal(network.flat, flat)


def test_weights_can_be_read_with_numpy_alone_by_their_torch_names(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as arrays:
        assert arrays["weight_ih_l0"].shape == (20, len(set(MIXED_TEXT)))
        assert arrays["weight_hh_l1"].shape == (20, 5)
        header = json.loads(arrays["header"].tobytes())
        assert all(arrays[name].dtype.kind in "fu" for name in arrays.files)
    assert header["format"] == FORMAT
    assert header["characters"] == "".join(sorted(set(MIXED_TEXT)))
    trained(members=2).save(saved)
    with np.load(saved) as arrays:
        assert {"m0.weight_hh_l1", "m1.weight_hh_l1", "resume.m1.weights"} <= {*arrays}


def test_a_checkpoint_is_told_from_a_text(saved: Path) -> None:
    assert is_checkpoint(saved)
    assert not is_checkpoint(__file__)
    assert not is_checkpoint(saved.parent)
    assert not is_checkpoint("missing")
