"""Compact checkpoints: the weights alone, in half precision."""

from pathlib import Path

import numpy as np
import pytest

from charrnn import CheckpointError, Model
from charrnn.export import export
from tests.support import MIXED_TEXT, fails, trained


@pytest.fixture(params=[1, 2], ids="{} network(s)".format)
def model(request: pytest.FixtureRequest) -> Model:
    return trained(members=request.param)


@pytest.fixture
def compact(model: Model, tmp_path: Path) -> Path:
    path = tmp_path / "m.compact.npz"
    path.write_bytes(export(model, "compact"))
    return path


def test_it_has_the_weights_of_the_model_in_half_precision(
    model: Model, compact: Path, tmp_path: Path
) -> None:
    small = Model.load(compact)
    assert small.config == model.config
    assert small.vocabulary.characters == model.vocabulary.characters
    assert small.score("été").nats == pytest.approx(model.score("été").nats, rel=1e-3)
    for name, array in model.weights.items():
        assert small.weights[name].dtype == array.dtype
        np.testing.assert_array_equal(small.weights[name], array.astype(np.float16))
    model.save(tmp_path / "m.npz")
    weights = sum(array.nbytes for array in model.weights.values())
    saved = (tmp_path / "m.npz").stat().st_size - compact.stat().st_size
    assert saved > 3 * weights  # latest weights, two slots of Adam, half of each weight


def test_it_comes_back_the_same_when_it_is_saved_again(compact: Path, tmp_path: Path) -> None:
    Model.load(compact).save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == compact.read_bytes()


def test_it_cannot_be_resumed_but_a_run_can_start_from_it(compact: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(MIXED_TEXT)
    command = ("train", "text.txt", "-o", compact.name, "--resume", "--steps", "9")
    done = fails(1, "holds weights only", *command, cwd=tmp_path)
    assert "--from" in done.err
    with pytest.raises(CheckpointError, match="weights only"):
        Model.load(compact).training_state()
