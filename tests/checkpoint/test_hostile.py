"""Files made to hurt: each is one line of complaint, whatever layer of the format it attacks.

The container around them is sound, CRCs included, unless the container is what is attacked, so that
every check behind it is reached.
"""

import io
import json
import zipfile
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

Contents = dict[str, bytes]


def container(contents: Contents) -> bytes:
    """Return a sound container around any bytes, even if they are no arrays."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in contents.items():
            member = zipfile.ZipInfo(name)
            archive.writestr(member, data)
            member.create_system = member.external_attr = 0
    return file.getvalue()


def contents(data: bytes) -> Contents:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(data: bytes, shape: str = "(9,)", order: str = "False") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}".ljust(117)
    return b"\x93NUMPY\x01\x00v\x00" + header.encode() + b"\n" + data


GOOD, BIAS = npy(bytes(36)), "output.bias.npy"
ORIGIN = Origin(("harbour.txt", "été.txt"), 12, 34, "english")


def replaced(data: bytes) -> Callable[[Contents], Contents]:
    return lambda members: {**members, BIAS: data}


def saved_by_numpy(array: Any, **settings: Any) -> Callable[[Contents], Contents]:
    stream = io.BytesIO()
    np.save(stream, array, **settings)
    return replaced(stream.getvalue())


def header_changed(**changes: Any) -> Callable[[Contents], Contents]:
    """Change entries of the JSON header; None removes one, a callable changes it in place."""

    def change(members: Contents) -> Contents:
        header = json.loads(members["header.npy"][128:])
        for name, value in changes.items():
            if value is None:
                del header[name]
            elif callable(value):
                value(header[name])
            else:
                header[name] = value
        return with_header(json.dumps(header).encode())(members)

    return change


def with_header(text: bytes) -> Callable[[Contents], Contents]:
    stream = io.BytesIO()
    npz.write(stream, {"header": np.frombuffer(text, np.uint8)})
    return lambda members: {**members, "header.npy": contents(stream.getvalue())["header.npy"]}


def arrays_changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Contents], Contents]:
    """Change the named arrays, in a file that is otherwise written as it should be."""

    def attack(members: Contents) -> Contents:
        arrays, stream = npz.read(container(members)), io.BytesIO()
        change(arrays)
        npz.write(stream, arrays)
        return contents(stream.getvalue())

    return attack


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Contents], Contents]:
    return arrays_changed(lambda arrays: arrays.update({name: change(arrays[name])}))


def model_changed(**settings: Any) -> Callable[[Contents], Contents]:
    return header_changed(config=lambda config: config["model"].update(settings))


def renamed(old: str, new: str) -> Callable[[Contents], Contents]:
    return lambda members: {new if name == old else name: d for name, d in members.items()}


ARRAYS: dict[str, Callable[[Contents], Contents]] = {
    "npy version 2": replaced(GOOD.replace(b"\x01\x00", b"\x02\x00")),
    "npy magic": replaced(GOOD.replace(b"NUMPY", b"NUMPZ")),
    "npy empty": replaced(b""),
    "npy header code": replaced(GOOD.replace(b"'<f4'", b"os.fork()")),
    "dtype half": saved_by_numpy(np.zeros(9, "f2")),
    "dtype big endian": saved_by_numpy(np.zeros(9, ">f4")),
    "dtype object": saved_by_numpy(np.array([print], object), allow_pickle=True),
    "order fortran": replaced(npy(bytes(36), order="True")),
    "shape huge": replaced(npy(bytes(36), shape="(9999999999, 9999999999)")),
    "shape negative": replaced(npy(bytes(36), shape="(-9,)")),
    "shape three": replaced(npy(bytes(36), shape="(1, 3, 3)")),
    "data too short": replaced(npy(bytes(35))),
    "data too long": replaced(npy(bytes(37))),
    "name traverses": renamed(BIAS, "../../output.bias.npy"),
    "name no npy": renamed(BIAS, "output.bias"),
    "array missing": arrays_changed(lambda arrays: arrays.pop("output.bias")),
    "array extra": arrays_changed(lambda arrays: arrays.update(extra=np.zeros(1, "f4"))),
    "array short": changed("output.bias", lambda array: array[1:]),
    "array transposed": changed("weight_ih_l0", lambda array: array.T),
    "array of another type": changed("bias_ih_l0", lambda array: array.astype("f8")),
    "array with nan": changed("bias_ih_l0", lambda array: array * np.float32(np.nan)),
    "optimizer with inf": changed("resume.mean", lambda array: array + np.float32(np.inf)),
    "members none": lambda _: {},
    "header missing": lambda members: {n: d for n, d in members.items() if n != "header.npy"},
    "header floats": lambda members: {**members, "header.npy": members[BIAS]},
    "json not utf-8": with_header(b'{"format": "\xff"}'),
    "json deep": with_header(b"[" * 9_000 + b"]" * 9_000),
    "json long number": with_header(b'{"format": ' + b"9" * 10_000 + b"}"),
    "json nan": with_header(b'{"format": NaN}'),
    "format older": header_changed(format=FORMAT - 1),
    "format true": header_changed(format=True),
    "entry extra": header_changed(extra=1),
    "entry missing": header_changed(counts=None),
    "hidden size huge": model_changed(hidden_size=2**60),
    "hidden size lies": model_changed(hidden_size=6),
    "hidden size too much": model_changed(hidden_size=60_000),
    "members lie": model_changed(members=2),
    "batch size lies": header_changed(config=lambda c: c["data"].update(batch_size=2**50)),
    "cell lies": model_changed(cell="gru"),
    "setting unknown": model_changed(sparkle=0.5),
    "cell a list": model_changed(cell=["lstm"]),
    "config a list": header_changed(config=[]),
    "characters empty": header_changed(characters=""),
    "characters twice": header_changed(characters="aab"),
    "characters surrogate": header_changed(characters="a\ud800"),
    "characters number": header_changed(characters=5),
    "counts short": header_changed(counts=lambda c: c.pop()),
    "counts negative": header_changed(counts=lambda c: c.__setitem__(0, -1)),
    "counts huge": header_changed(counts=lambda c: c.__setitem__(0, 2**70)),
    "progress huge": header_changed(progress=lambda p: p.update(seconds=10**400)),
    "progress negative": header_changed(progress=lambda p: p.update(evaluations_since_best=-1)),
    "rate scale zero": header_changed(progress=lambda p: p.update(rate_scale=0)),
    "history entry": header_changed(history=[5]),
    "hash number": header_changed(sha256=5),
    "version missing": header_changed(charrnn=None),
    "origin text": header_changed(origin="text"),
    **{
        f"origin with {change}": header_changed(origin=asdict(ORIGIN) | change)
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


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("hostile") / "good.npz"
    trained().save(path)
    data = path.read_bytes()
    assert container(contents(data)) == data
    for attack in (arrays_changed(lambda _: None), header_changed()):
        path.write_bytes(container(attack(contents(data))))
        Model.load(path)
    return path.read_bytes()


def refuse(path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        Model.load(path).training_state()
    assert "not a charrnn checkpoint, or damaged: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("attack", ARRAYS.values(), ids=ARRAYS)
def test_a_sound_container_with_hostile_contents_is_refused(
    attack: Callable[[Contents], Contents], good: bytes, tmp_path: Path
) -> None:
    (tmp_path / "m.npz").write_bytes(container(attack(contents(good))))
    refuse(tmp_path / "m.npz")


def test_an_origin_comes_back_with_names_that_can_be_stored(tmp_path: Path) -> None:
    paths = ["/home/me/secret/a.txt", "-", "b\udcff.txt", f"/home/{'c' * 300}"]
    names = tuple(map(name_file, paths))
    assert names == ("a.txt", "stdin", "b\\udcff.txt", "c" * 255)
    for origin in (Origin(names, 1, 2, "base.npz", 3), ORIGIN, None):
        replace(trained(), origin=origin).save(tmp_path / "m.npz")
        assert Model.load(tmp_path / "m.npz").origin == origin
