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
from charrnn.checkpoint.checkpoint import is_checkpoint
from charrnn.checkpoint.header import FORMAT
from charrnn.training.state import initial_state
from tests.support import CONFIG, MIXED_TEXT, ROOT, trained


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
    for number, array in enumerate(
        array for member in range(members) for array in before.arrays(member)
    ):
        array[...] = np.arange(array.size).reshape(array.shape) + number
    saved = Model.of(config, vocabulary, before, sha256="abc")
    saved.save(tmp_path / "m.npz")
    model = Model.load(tmp_path / "m.npz")
    assert (model.config, model.vocabulary, model.sha256) == (saved.config, vocabulary, "abc")
    after = model.training_state()
    assert (after.progress, after.history) == (before.progress, before.history)
    assert after.carried is not None
    for member in range(members):
        pairs = zip(after.arrays(member), before.arrays(member), strict=True)
        for ours, theirs in [*pairs, (after.weights[member], before.weights[member])]:
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


def test_the_networks_of_an_ensemble_have_names_of_their_own(tmp_path: Path) -> None:
    model = trained(members=2)
    model.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as arrays:
        for name, array in model.weights.items():
            np.testing.assert_array_equal(arrays[name], array)
        for member in range(2):
            assert f"m{member}.weight_hh_l1" in model.weights
            assert f"resume.m{member}.weights" in arrays


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
    "nan": lambda arrays, _: arrays["bias_ih_l0"].fill(np.nan),
    "inf in the optimizer": lambda arrays, _: arrays["resume.mean"].fill(np.inf),
    "members": lambda _, header: header["config"]["model"].update(members=2),
    "config lies": lambda _, header: header["config"]["model"].update(hidden_size=6),
    "config huge": lambda _, header: header["config"]["model"].update(hidden_size=60_000),
    "config cell": lambda _, header: header["config"]["model"].update(cell="gru"),
    "config unknown": lambda _, header: header["config"]["model"].update(sparkle=0.5),
    "counts short": lambda _, header: header["counts"].pop(),
    "counts negative": lambda _, header: header["counts"].__setitem__(0, -1),
    "counts text": lambda _, header: header["counts"].__setitem__(0, "1"),
    "older format": lambda _, header: header.update(format=FORMAT - 1),
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
    rewrite(saved, lambda _, header: header.update(format=FORMAT + 1))
    with pytest.raises(
        CheckpointError, match=f"format {FORMAT + 1}, this charrnn reads up to {FORMAT}"
    ):
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
