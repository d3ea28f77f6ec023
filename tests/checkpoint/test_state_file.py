"""The file of a text's state: what is saved comes back, and nothing else is believed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import CheckpointError
from charrnn.checkpoint import npz
from charrnn.checkpoint.format import encode_header, is_model
from charrnn.checkpoint.state_file import TextState
from charrnn.inference.predictor import NetworkPredictor
from charrnn.nn.language_model import ModelState
from tests.inference.models import make_model
from tests.support import trained


def template(**settings: object) -> ModelState:
    return NetworkPredictor(make_model(**settings)).decoder(1).state()  # type: ignore[arg-type]


LSTM = template(layers=2)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**62), st.integers(0, 99))
def test_a_state_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, random_seed: int, drawn: int, number: int
) -> None:
    path = tmp_path_factory.mktemp("state") / "s.npz"
    rng = np.random.default_rng(number)
    state = [
        tuple(rng.standard_normal(part.shape).astype(part.dtype) for part in layer)
        for layer in LSTM
    ]
    saved = TextState(state, "abc", random_seed, drawn)
    saved.save(path)
    loaded = TextState.load(path, "abc", LSTM)
    assert (loaded.random_seed, loaded.drawn) == (random_seed, drawn)
    for ours, theirs in zip(state, loaded.state, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert one.tobytes() == other.tobytes()
    assert sorted(np.load(path).files) == ["c_l0", "c_l1", "h_l0", "h_l1", "header"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    TextState(LSTM, "abc", 1, 2).save(tmp_path / "s.npz")
    return tmp_path / "s.npz"


def test_a_state_of_another_model_or_shape_is_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="another model") as caught:
        TextState.load(saved, "abd", LSTM)
    assert "-c" in (caught.value.hint or "")
    for other in (template(), template(cell="gru", layers=2), template(layers=3)):
        with pytest.raises(CheckpointError, match="unexpected"):
            TextState.load(saved, "abc", other)
    wide = [tuple(np.zeros((1, 13), np.float32) for _ in layer) for layer in LSTM]
    with pytest.raises(CheckpointError, match="h_l0 does not have the shape"):
        TextState.load(saved, "abc", wide)


def test_a_state_is_no_model(saved: Path) -> None:
    assert not is_model(saved)


def test_no_damaged_byte_goes_unnoticed(saved: Path) -> None:
    good = saved.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(good), 300, replace=False).tolist():
        damaged = bytearray(good)
        damaged[place] ^= int(rng.integers(1, 256))
        saved.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            TextState.load(saved, "abc", LSTM)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("random_seed", -1), ("random_seed", 1.5), ("drawn", 2**63), ("drawn", None), ("kind", "x"),
     ("format", 99), ("extra", 1)],
)  # fmt: skip
def test_a_header_that_lies_is_refused(saved: Path, entry: str, value: object) -> None:
    header = {"format": 1, "kind": "state", "charrnn": "1", "model": "abc", "random_seed": 1,
              "drawn": 0} | {entry: value}  # fmt: skip
    arrays = npz.read(saved.read_bytes())
    with saved.open("wb") as file:
        npz.write(file, arrays | {"header": encode_header(header)})
    with pytest.raises(CheckpointError):
        TextState.load(saved, "abc", LSTM)


def test_numbers_that_are_not_finite_are_refused(saved: Path) -> None:
    arrays = npz.read(saved.read_bytes())
    with saved.open("wb") as file:
        npz.write(file, arrays | {"h_l1": np.full_like(arrays["h_l1"], np.nan)})
    with pytest.raises(CheckpointError, match="not finite"):
        TextState.load(saved, "abc", LSTM)


def test_any_change_of_the_model_changes_its_fingerprint() -> None:

    model = trained()
    before = model.fingerprint()
    assert before == trained().fingerprint()
    model.weights["output.bias"] = model.weights["output.bias"] + np.float32(1e-3)
    assert model.fingerprint() != before
