"""The checkpoint: what goes in comes out, writing is atomic, reading suspicious."""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import CheckpointError, Model, Progress, Vocabulary
from charrnn.checkpoint import npz
from charrnn.checkpoint.files import reserved
from charrnn.checkpoint.format import is_checkpoint
from charrnn.nn.ensemble import expanded
from charrnn.nn.parameters import views
from charrnn.training.next_character import initial_state
from tests.support import CONFIG, MIXED_TEXT, ROOT, train_text, trained


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    trained().save(tmp_path / "m.npz")
    return tmp_path / "m.npz"


def test_everything_comes_back(saved: Path) -> None:
    before, after = trained(), Model.load(saved)
    assert after.config == before.config
    assert after.vocabulary == before.vocabulary
    assert after.history == before.history
    assert replace(after.progress, seconds=0) == replace(before.progress, seconds=0)
    assert after.sha256 == "abc"
    for ours, theirs in ((after.weights, before.weights), (after.resume, before.resume)):
        assert ours.keys() == theirs.keys()
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array)
            assert ours[name].dtype == array.dtype


def test_the_training_state_comes_back_whole(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_text(MIXED_TEXT)
    before = initial_state(CONFIG, len(vocabulary))
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
    before.best_weights = before.network.flat + 1
    before.carried = [
        tuple(part + layer + 2 for part in parts)
        for layer, parts in enumerate(before.network.zero_state(3))
    ]
    for number, slot in enumerate(before.slots.values()):
        slot.fill(number + 1)
    Model.of(CONFIG, vocabulary, before).save(tmp_path / "m.npz")
    after = Model.load(tmp_path / "m.npz").training_state()
    assert after.progress == before.progress
    assert after.history == before.history
    assert after.carried is not None
    pairs = [(after.network.flat, before.network.flat), (after.best_weights, before.best_weights)]
    pairs += [(after.slots[name], slot) for name, slot in before.slots.items()]
    for ours, theirs in zip(after.carried, before.carried, strict=True):
        pairs += zip(ours, theirs, strict=True)
    for one, other in pairs:
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one, other)


def test_a_saved_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    ids = Vocabulary.from_text(MIXED_TEXT).encode(MIXED_TEXT)
    whole = trained(steps=6)
    trained(steps=3).save(tmp_path / "half.npz")
    state = Model.load(tmp_path / "half.npz").training_state()
    steps = [event.step for event in train_text(state, CONFIG, ids[:-40], ids[-40:])]
    assert steps == [4, 5, 6]
    resumed = Model.of(CONFIG, whole.vocabulary, state, "abc")
    for ours, theirs in ((resumed.weights, whole.weights), (resumed.resume, whole.resume)):
        assert ours.keys() == theirs.keys()
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array)


def test_weights_can_be_read_with_numpy_alone_by_their_torch_names(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as arrays:
        assert arrays["weight_ih_l0"].shape == (20, len(set(MIXED_TEXT)))
        assert arrays["weight_hh_l1"].shape == (20, 5)
        header = json.loads(arrays["header"].tobytes())
        assert all(arrays[name].dtype.kind in "fu" for name in arrays.files)
    assert header["format"] == 1
    assert header["characters"] == "".join(sorted(set(MIXED_TEXT)))


@pytest.mark.skipif(os.name != "posix", reason="uses RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_old_file_and_no_litter(saved: Path) -> None:
    before = saved.read_bytes()
    program = (
        "import resource, signal, sys; from tests.support import trained;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "new = trained(6);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "new.save(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(saved)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"CheckpointError: {saved}: cannot be written" in done.stderr
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_an_interrupted_save_leaves_the_old_file_and_no_litter(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                trained().save(saved)
        assert saved.read_bytes() == before
        assert list(saved.parent.iterdir()) == [saved]


def test_a_place_that_cannot_be_written_is_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        enter(tmp_path / "file" / "m.npz")
    with pytest.raises(CheckpointError, match="is a folder"):
        enter(tmp_path)
    with reserved(tmp_path / "new" / "deep" / "m.npz"):
        assert (tmp_path / "new" / "deep").is_dir()
    assert not (tmp_path / "new").exists()  # nothing was written there


def enter(path: Path) -> None:
    with reserved(path):
        pass


def test_a_checkpoint_is_told_from_a_text(saved: Path) -> None:
    assert is_checkpoint(saved)
    assert not is_checkpoint(__file__)
    assert not is_checkpoint(saved.parent)
    assert not is_checkpoint("missing")


def rewrite(path: Path, change: Any) -> None:
    """Rewrite a checkpoint after changing its arrays (a dict) and header (another)."""
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(arrays.pop("header").tobytes())
    change(arrays, header)
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        npz.write(file, {"header": np.frombuffer(text, np.uint8), **arrays})


DAMAGES: dict[str, Any] = {
    "member missing": lambda arrays, _: arrays.pop("output.bias"),
    "member extra": lambda arrays, _: arrays.update(extra=np.zeros(1, np.float32)),
    "member renamed": lambda arrays, _: arrays.update(x=arrays.pop("weight_hh_l1")),
    "shape": lambda arrays, _: arrays.update({"output.bias": arrays["output.bias"][1:]}),
    "transposed": lambda arrays, _: arrays.update(weight_ih_l0=arrays["weight_ih_l0"].T),
    "float64": lambda arrays, _: arrays.update(bias_ih_l0=arrays["bias_ih_l0"].astype("f8")),
    "big endian": lambda arrays, _: arrays.update(bias_ih_l0=arrays["bias_ih_l0"].astype(">f4")),
    "complex": lambda arrays, _: arrays.update(bias_ih_l0=arrays["bias_ih_l0"] * 1j),
    "nan": lambda arrays, _: arrays["bias_ih_l0"].fill(np.nan),
    "inf in the optimizer": lambda arrays, _: arrays["resume.mean"].fill(np.inf),
    "no format": lambda _, header: header.pop("format"),
    "no config": lambda _, header: header.pop("config"),
    "config lies": lambda _, header: header["config"]["model"].update(hidden_size=6),
    "config huge": lambda _, header: header["config"]["model"].update(hidden_size=60_000),
    "config cell": lambda _, header: header["config"]["model"].update(cell="gru"),
    "characters unsorted": lambda _, header: header.update(characters=header["characters"][::-1]),
    "characters no text": lambda _, header: header.update(characters=[1]),
    "surrogate": lambda _, header: header.update(characters=header["characters"][:-1] + "\udfff"),
    "counts short": lambda _, header: header["counts"].pop(),
    "counts negative": lambda _, header: header["counts"].__setitem__(0, -1),
    "counts text": lambda _, header: header["counts"].__setitem__(0, "1"),
    "step": lambda _, header: header["progress"].update(step=-1),
    "history": lambda _, header: header.update(history=[{"step": 1}]),
    "nesting": lambda _, header: header.update(history=json.loads("[" * 900 + "]" * 900)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_not_what_its_config_says_is_refused(damage: Any, saved: Path) -> None:
    rewrite(saved, lambda *_: None)
    Model.load(saved)
    rewrite(saved, damage)
    with pytest.raises(CheckpointError, match="not a charrnn checkpoint, or damaged: ") as caught:
        Model.load(saved)
    assert str(saved) in str(caught.value)
    assert caught.value.hint


def test_a_later_format_is_named(saved: Path) -> None:
    rewrite(saved, lambda _, header: header.update(format=3))
    with pytest.raises(CheckpointError, match="format 3, this charrnn reads up to 2"):
        Model.load(saved)


@pytest.mark.parametrize("kind", ["text", "empty", "folder", "missing", "truncated", "appended"])
def test_a_file_that_is_no_checkpoint_is_refused(kind: str, saved: Path) -> None:
    data = saved.read_bytes()
    saved.unlink()
    if kind == "folder":
        saved.mkdir()
    elif kind != "missing":
        contents = {"text": b"PKunzip", "truncated": data[:-7], "appended": data + b"\0"}
        saved.write_bytes(contents.get(kind, b""))
    with pytest.raises(CheckpointError, match=r"m\.npz"):
        Model.load(saved)


@pytest.mark.parametrize("kind", ["deflated", "duplicate", "pickle", "bomb"])
def test_a_crafted_archive_is_refused(kind: str, saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    method = zipfile.ZIP_DEFLATED if kind in ("deflated", "bomb") else zipfile.ZIP_STORED
    if kind == "bomb":
        members["output.bias.npy"] = bytes(10_000_000)
    if kind == "pickle":
        stream = io.BytesIO()
        np.save(stream, np.array([print], object), allow_pickle=True)
        members["output.bias.npy"] = stream.getvalue()
    with zipfile.ZipFile(saved, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if kind == "duplicate":
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("header.npy", members["header.npy"])
    with pytest.raises(CheckpointError, match="damaged"):
        Model.load(saved)


def test_every_truncation_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for length in range(0, len(data), 37):
        saved.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            Model.load(saved)


def test_a_setting_of_a_later_version_is_named_and_a_neutral_one_is_not_stored(
    saved: Path,
) -> None:
    with np.load(saved) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes())
    assert "weight_drop" not in header["config"]["model"]  # 0, as before there was one
    header["config"]["model"]["sparkle"] = 0.5
    arrays["header"] = np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8)
    with saved.open("wb") as stream:
        npz.write(stream, arrays)
    with pytest.raises(CheckpointError, match=r"settings that this charrnn does not know.*sparkle"):
        Model.load(saved)


def test_an_ensemble_is_stored_without_zeros_and_the_first_ones_stay_readable(
    tmp_path: Path,
) -> None:
    shape = replace(CONFIG.model, hidden_size=8, members=4, layers=2)
    config, vocabulary = replace(CONFIG, model=shape), Vocabulary.from_text(MIXED_TEXT)
    state = initial_state(config, len(vocabulary))
    for number, slot in enumerate(state.slots.values()):
        slot[...] = np.arange(slot.size) + number
    model = Model.of(config, vocabulary, state, "abc")
    model.save(tmp_path / "new.npz")
    arrays = dict(np.load(tmp_path / "new.npz"))
    gates = state.network.cell.gates
    assert arrays["weight_hh_l0"].shape == arrays["weight_ih_l1"].shape == (gates * 8, 2)
    assert arrays["resume.weights"].shape == (state.network.size,)
    whole = dict(arrays)
    for name, array in arrays.items():
        if name in {"weight_hh_l0", "weight_hh_l1", "weight_ih_l1"}:
            whole[name] = model.weights[name]
        elif name.startswith("resume.") and array.ndim == 1:
            parts = expanded(views(array, state.network.shapes), 4).values()
            whole[name] = np.concatenate([part.ravel() for part in parts])
            assert whole[name].size > array.size
    with (tmp_path / "old.npz").open("wb") as file:
        npz.write(file, whole)
    for name in ("new", "old"):
        loaded = Model.load(tmp_path / f"{name}.npz")
        assert loaded.config.model == shape
        assert loaded.weights.keys() == model.weights.keys()
        for key, array in model.weights.items():
            np.testing.assert_array_equal(loaded.weights[key], array)
        resumed = loaded.training_state()
        np.testing.assert_array_equal(resumed.network.flat, state.network.flat)
        for key, slot in state.slots.items():
            np.testing.assert_array_equal(resumed.slots[key], slot)
        assert loaded.network().config.members == 4
    # With a weight between two members it is one network, which predicts but is not stored so.
    model.weights["weight_hh_l0"][0, -1] = 1.0
    assert model.network().config.members == 1
    with pytest.raises(
        CheckpointError, match=r"one\.npz: has weights between two of its 4 members"
    ):
        model.save(tmp_path / "one.npz")
