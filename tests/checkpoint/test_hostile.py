"""Files made to hurt: each is one line of complaint, whatever it says of itself.

The container around them is sound, so that every check behind it is reached.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import CheckpointError, Model
from charrnn.checkpoint import npz
from charrnn.checkpoint.header import FORMAT, Origin, name_file
from tests.support import trained

# Changes the header and the arrays of a checkpoint in place; bytes take the place of the header.
Attack = Callable[[dict[str, Any], dict[str, Any]], object]

ORIGIN = Origin(("harbour.txt", "été.txt"), 12, 34, "english")


def changed(name: str, change: Callable[[Any], Any]) -> Attack:
    return lambda _, arrays: arrays.update({name: change(arrays[name])})


def model_changed(**settings: Any) -> Attack:
    return lambda header, _: header["config"]["model"].update(settings)


def entries(**changes: Any) -> Attack:
    return lambda header, _: header.update(changes)


ATTACKS: dict[str, Attack] = {
    "array missing": lambda _, arrays: arrays.pop("output.bias"),
    "array extra": lambda _, arrays: arrays.update(extra=np.zeros(1, "f4")),
    "array short": changed("output.bias", lambda array: array[1:]),
    "array transposed": changed("weight_ih_l0", lambda array: array.T),
    "array of another type": changed("bias_ih_l0", lambda array: array.astype("f8")),
    "array in half precision": changed("output.bias", lambda array: array.astype("f2")),
    "array big endian": changed("output.bias", lambda array: array.astype(">f4")),
    "array of dates": changed("output.bias", lambda array: array.astype("i8").view("M8[s]")),
    "array with nan": changed("bias_ih_l0", lambda array: array * np.float32(np.nan)),
    "optimizer with inf": changed("resume.mean", lambda array: array + np.float32(np.inf)),
    "optimizer short": changed("resume.mean", lambda array: array[1:]),
    "filter of numbers": lambda _, arrays: arrays.update({"spans.seen": np.ones((1, 9))}),
    "json not utf-8": lambda *_: b'{"format": "\xff"}',
    "json deep": lambda *_: b"[" * 900_000,
    "json long number": lambda *_: b'{"format": ' + b"9" * 10_000 + b"}",
    "json a list": lambda *_: b"[]",
    "json nan": entries(format=np.nan),
    "format older": entries(format=FORMAT - 1),
    "format true": entries(format=True),
    "entry extra": entries(extra=1),
    "entry missing": lambda header, _: header.pop("counts"),
    "hidden size huge": model_changed(hidden_size=2**60),
    "hidden size lies": model_changed(hidden_size=6),
    "hidden size too much": model_changed(hidden_size=60_000),
    "members lie": model_changed(members=2),
    "batch size lies": lambda header, _: header["config"]["data"].update(batch_size=2**50),
    "cell lies": model_changed(cell="gru"),
    "setting unknown": model_changed(sparkle=0.5),
    "cell a list": model_changed(cell=["lstm"]),
    "dropout a text": model_changed(dropout="a"),
    "setting missing": lambda header, _: header["config"]["model"].pop("cell"),
    "settings missing": lambda header, _: header["config"].pop("run"),
    "config a list": entries(config=[]),
    "characters empty": entries(characters=""),
    "characters twice": entries(characters="aab"),
    "characters surrogate": entries(characters="a\ud800"),
    "characters number": entries(characters=5),
    "counts short": lambda header, _: header["counts"].pop(),
    "counts negative": lambda header, _: header["counts"].__setitem__(0, -1),
    "counts huge": lambda header, _: header["counts"].__setitem__(0, 2**70),
    "progress huge": lambda header, _: header["progress"].update(seconds=10**400),
    "progress negative": lambda header, _: header["progress"].update(evaluations_since_best=-1),
    "rate scale zero": lambda header, _: header["progress"].update(rate_scale=0),
    "history entry": entries(history=[5]),
    "history without losses": entries(history=[{"step": 1}]),
    "hash number": entries(sha256=5),
    "version missing": lambda header, _: header.pop("charrnn"),
    "origin text": entries(origin="text"),
    **{
        f"origin with {change}": entries(origin=asdict(ORIGIN) | change)
        for change in (
            {"sources": [1]},
            {"sources": ["\udfff"]},
            {"held_out": -1},
            {"steps_per_pass": 1.5},
            {"start": 3},
            {"weather": "fair"},
        )
    },
}


def written(path: Path, attack: Attack) -> Path:
    """Save a model and write its file again after an attack."""
    trained().save(path)
    arrays = npz.read(path.read_bytes())
    header = json.loads(arrays["header"].tobytes())
    text = attack(header, arrays)
    text = text if isinstance(text, bytes) else json.dumps(header).encode()
    with path.open("wb") as file:
        npz.write(file, arrays | {"header": np.frombuffer(text, np.uint8)})
    return path


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_sound_container_with_hostile_contents_is_refused(attack: Attack, tmp_path: Path) -> None:
    path = written(tmp_path / "m.npz", attack)
    with pytest.raises(CheckpointError, match="not a charrnn checkpoint, or damaged: ") as caught:
        Model.load(path).training_state()
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("header", [{}, {"header": np.zeros(9, "f4")}])
def test_a_file_without_a_header_is_refused(header: dict[str, Any], tmp_path: Path) -> None:
    with (tmp_path / "m.npz").open("wb") as file:
        npz.write(file, {"a": np.ones(1)} | header)
    with pytest.raises(CheckpointError, match="damaged: "):
        Model.load(tmp_path / "m.npz")


def test_a_later_format_is_named(tmp_path: Path) -> None:
    complaint = f"m.npz: format {FORMAT + 1}, this charrnn reads up to {FORMAT}"
    with pytest.raises(CheckpointError, match=complaint):
        Model.load(written(tmp_path / "m.npz", entries(format=FORMAT + 1)))


def test_an_origin_comes_back_with_names_that_can_be_stored(tmp_path: Path) -> None:
    Model.load(written(tmp_path / "m.npz", entries())).training_state()
    paths = ["/home/me/secret/a.txt", "-", "b\udcff.txt", f"/home/{'c' * 300}"]
    names = tuple(map(name_file, paths))
    assert names == ("a.txt", "stdin", "b\\udcff.txt", "c" * 255)
    for origin in (Origin(names, 1, 2, "base.npz", 3), ORIGIN, None):
        replace(trained(), origin=origin).save(tmp_path / "m.npz")
        assert Model.load(tmp_path / "m.npz").origin == origin
