"""Files made to hurt: each is one line of complaint, whatever layer of the format it attacks.

The container around them is sound, CRCs included, unless the container is what is attacked, so that
every check behind it is reached.
"""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn import CheckpointError, Model
from charrnn.checkpoint import npz
from charrnn.checkpoint.header import FORMAT, MAX_SOURCES, Origin
from tests.support import trained

Contents = dict[str, bytes]


def container(contents: Contents) -> bytes:
    """Return a sound container around any bytes, even if they are no arrays."""
    return b"".join(npz.pack((name, data, memoryview(b"")) for name, data in contents.items()))


def contents(data: bytes) -> Contents:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(header: str | bytes, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin-1") if isinstance(header, str) else header
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + data


def described(
    descr: str = "'<f4'", order: str = "False", shape: str = "(9,)", more: str = ""
) -> str:
    return (
        f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {more}}}".ljust(117)
        + "\n"
    )


GOOD = described()
BIAS = "output.bias.npy"


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
    "npy version 2": replaced(npy(GOOD, bytes(36), b"\x02\x00")),
    "npy magic": replaced(b"\x93NUMPZ" + npy(GOOD, bytes(36))[6:]),
    "npy empty": replaced(b""),
    "npy header cut": replaced(npy(GOOD, bytes(36))[:40]),
    "npy header long": replaced(npy(GOOD.strip().ljust(60_000) + "\n", bytes(36))),
    "npy header not padded": replaced(npy(GOOD.strip() + "\n", bytes(36))),
    "npy header padded with tabs": replaced(npy(GOOD.replace("  ", "\t\t"), bytes(36))),
    "npy header code": replaced(npy("__import__('os').system('true')".ljust(117) + "\n")),
    "npy header nested": replaced(npy("(" * 20_000 + ")" * 20_000 + "\n")),
    "npy header extra key": replaced(npy(described(more="'x': 1"), bytes(36))),
    "npy header twice a key": replaced(npy(described(more="'shape': (9,)"), bytes(36))),
    "dtype half": saved_by_numpy(np.zeros(9, "f2")),
    "dtype int": saved_by_numpy(np.zeros(9, "i4")),
    "dtype complex": saved_by_numpy(np.zeros(9, "c8")),
    "dtype big endian": saved_by_numpy(np.zeros(9, ">f4")),
    "dtype record": saved_by_numpy(np.zeros(9, [("a", "f4")])),
    "dtype object": saved_by_numpy(np.array([print], object), allow_pickle=True),
    "dtype nonsense": replaced(npy(described("'<q9'"), bytes(36))),
    "dtype tuple": replaced(npy(described("('<f4', (9,))"), bytes(36))),
    "order fortran": replaced(npy(described(order="True"), bytes(36))),
    "shape huge": replaced(npy(described(shape="(9999999999, 9999999999)"), bytes(36))),
    "shape negative": replaced(npy(described(shape="(-9,)"), bytes(36))),
    "shape true": replaced(npy(described(shape="(True,)"), bytes(36))),
    "shape with leading zero": replaced(npy(described(shape="(09,)"), bytes(36))),
    "shape empty": replaced(npy(described(shape="()"), bytes(4))),
    "shape three": replaced(npy(described(shape="(1, 3, 3)"), bytes(36))),
    "data too short": replaced(npy(GOOD, bytes(35))),
    "data too long": replaced(npy(GOOD, bytes(37))),
    "name traverses": renamed(BIAS, "../../output.bias.npy"),
    "name no npy": renamed(BIAS, "output.bias"),
    "name empty": renamed(BIAS, ".npy"),
    "name with case": renamed(BIAS, "Output.bias.npy"),
    "order of members": lambda members: dict(sorted(members.items())),
    "members many": lambda members: {
        **members,
        **{f"x{i}.npy": members[BIAS] for i in range(2000)},
    },
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
    "json a number": with_header(b"1e999999999"),
    "json deep": with_header(b"[" * 9_000 + b"]" * 9_000),
    "json wide": with_header(b"[" + b"[]," * 100_000 + b"[]]"),
    "json long number": with_header(b'{"format": ' + b"9" * 10_000 + b"}"),
    "json nan": with_header(b'{"format": NaN}'),
    "json empty": with_header(b""),
    "format text": header_changed(format="3"),
    "format older": header_changed(format=FORMAT - 1),
    "format true": header_changed(format=True),
    "entry extra": header_changed(extra=1),
    "entry missing": header_changed(counts=None),
    "hidden size text": model_changed(hidden_size="5"),
    "hidden size huge": model_changed(hidden_size=2**60),
    "hidden size true": model_changed(hidden_size=True),
    "hidden size lies": model_changed(hidden_size=6),
    "hidden size too much": model_changed(hidden_size=60_000),
    "members lie": model_changed(members=2),
    "cell lies": model_changed(cell="gru"),
    "setting unknown": model_changed(sparkle=0.5),
    "layers huge": model_changed(layers=10**9),
    "cell a list": model_changed(cell=["lstm"]),
    "config a list": header_changed(config=[]),
    "characters empty": header_changed(characters=""),
    "characters twice": header_changed(characters="aab"),
    "characters surrogate": header_changed(characters="a\ud800"),
    "characters number": header_changed(characters=5),
    "counts short": header_changed(counts=lambda c: c.pop()),
    "counts negative": header_changed(counts=lambda c: c.__setitem__(0, -1)),
    "counts text": header_changed(counts=lambda c: c.__setitem__(0, "1")),
    "counts huge": header_changed(counts=lambda c: c.__setitem__(0, 2**70)),
    "counts float": header_changed(counts=lambda c: c.__setitem__(0, 1.5)),
    "progress text": header_changed(progress=lambda p: p.update(step="1")),
    "progress huge": header_changed(progress=lambda p: p.update(seconds=10**400)),
    "progress negative": header_changed(progress=lambda p: p.update(evaluations_since_best=-1)),
    "rate scale zero": header_changed(progress=lambda p: p.update(rate_scale=0)),
    "history number": header_changed(history=5),
    "history entry": header_changed(history=[5]),
    "hash number": header_changed(sha256=5),
    "version missing": header_changed(charrnn=None),
    "origin text": header_changed(origin="text"),
    **{
        f"origin with {change}": header_changed(origin=asdict(ORIGIN) | change)
        for change in (
            {"sources": "text"},
            {"sources": [1]},
            {"sources": ["\udfff"]},
            {"held_out": -1},
            {"held_out": True},
            {"steps_per_pass": 1.5},
            {"start": 3},
            {"start": "\ud800"},
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
        Model.load(path)
    assert f"{path}: not a charrnn checkpoint, or damaged: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("attack", ARRAYS.values(), ids=ARRAYS)
def test_a_sound_container_with_hostile_contents_is_refused(
    attack: Callable[[Contents], Contents], good: bytes, tmp_path: Path
) -> None:
    (tmp_path / "m.npz").write_bytes(container(attack(contents(good))))
    refuse(tmp_path / "m.npz")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_a_checkpoint_is_accepted(
    data: st.DataObject, good: bytes, tmp_path: Path
) -> None:
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        action = data.draw(st.sampled_from(["set", "cut", "copy"]))
        if action == "set":
            damaged[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
        elif action == "cut":
            del damaged[at : at + data.draw(st.integers(1, 50))]
        else:
            damaged[at:at] = damaged[at : at + data.draw(st.integers(1, 50))]
    if bytes(damaged) != good:
        (tmp_path / "m.npz").write_bytes(damaged)
        refuse(tmp_path / "m.npz")


def test_an_origin_comes_back_with_names_that_can_be_stored(tmp_path: Path) -> None:
    paths = ["/home/me/secret/a.txt", "-", "b\udcff.txt", *["c.txt"] * 500]
    origin = Origin.of(paths, 1, 2, "/home/me/secret/base.npz")
    assert origin.sources[:3] == ("a.txt", "stdin", "b\\udcff.txt")
    assert len(origin.sources) == MAX_SOURCES
    assert origin.start == "base.npz"
    for known in (origin, ORIGIN, None):
        replace(trained(), origin=known).save(tmp_path / "m.npz")
        assert Model.load(tmp_path / "m.npz").origin == known


def test_every_single_bit_flip_of_a_checkpoint_is_refused(good: bytes) -> None:
    damaged = bytearray(good)
    for bit in range(len(good) * 8):
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(npz.DamagedError):
            npz.read(bytes(damaged))
        damaged[bit // 8] ^= 1 << bit % 8
