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
from charrnn.checkpoint.header import MAX_SOURCES, Origin
from tests.support import trained

Contents = dict[str, bytes]


def container(contents: Contents) -> bytes:
    """Return a sound container around any bytes, even if they are no arrays."""
    members = [npz.Member(name.encode(), data, memoryview(b"")) for name, data in contents.items()]
    entries = npz._metadata(members)
    pieces = [entry + data for entry, data in zip(entries, contents.values(), strict=False)]
    return b"".join([*pieces, entries[-1]])


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


def renamed(old: str, new: str) -> Callable[[Contents], Contents]:
    return lambda members: {new if name == old else name: d for name, d in members.items()}


def as_numbers(value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda model: model.update(hidden_size=value)


ARRAYS: dict[str, Callable[[Contents], Contents]] = {
    "npy version 2": replaced(npy(GOOD, bytes(36), b"\x02\x00")),
    "npy version 3": replaced(npy(GOOD, bytes(36), b"\x03\x00")),
    "npy version 9": replaced(npy(GOOD, bytes(36), b"\x09\x00")),
    "npy magic": replaced(b"\x93NUMPZ" + npy(GOOD, bytes(36))[6:]),
    "npy empty": replaced(b""),
    "npy only magic": replaced(b"\x93NUMPY\x01\x00"),
    "npy header cut": replaced(npy(GOOD, bytes(36))[:40]),
    "npy header long": replaced(npy(GOOD.strip().ljust(60_000) + "\n", bytes(36))),
    "npy header not padded": replaced(npy(GOOD.strip() + "\n", bytes(36))),
    "npy header padded with tabs": replaced(npy(GOOD.replace("  ", "\t\t"), bytes(36))),
    "npy header code": replaced(npy("__import__('os').system('true')".ljust(117) + "\n")),
    "npy header nested": replaced(npy("(" * 20_000 + ")" * 20_000 + "\n")),
    "npy header token error": replaced(npy("{'descr': '''".ljust(117) + "\n")),
    "npy header not a dict": replaced(npy("[1, 2]".ljust(117) + "\n")),
    "npy header nul": replaced(npy("\0" * 117 + "\n")),
    "npy header not latin": replaced(npy(b"\xff" * 117 + b"\n")),
    "npy header extra key": replaced(npy(described(more="'x': 1"), bytes(36))),
    "npy header twice a key": replaced(npy(described(more="'shape': (9,)"), bytes(36))),
    "npy header missing key": replaced(npy("{'descr': '<f4'}".ljust(117) + "\n", bytes(36))),
    "dtype half": saved_by_numpy(np.zeros(9, "f2")),
    "dtype int": saved_by_numpy(np.zeros(9, "i4")),
    "dtype bool": saved_by_numpy(np.zeros(9, "?")),
    "dtype complex": saved_by_numpy(np.zeros(9, "c8")),
    "dtype big endian": saved_by_numpy(np.zeros(9, ">f4")),
    "dtype long double": saved_by_numpy(np.zeros(9, "g")),
    "dtype text": saved_by_numpy(np.array(["a" * 9])),
    "dtype bytes": saved_by_numpy(np.array([b"a" * 9])),
    "dtype time": saved_by_numpy(np.zeros(9, "M8[s]")),
    "dtype record": saved_by_numpy(np.zeros(9, [("a", "f4")])),
    "dtype object": saved_by_numpy(np.array([print], object), allow_pickle=True),
    "dtype nonsense": replaced(npy(described("'<q9'"), bytes(36))),
    "dtype tuple": replaced(npy(described("('<f4', (9,))"), bytes(36))),
    "order fortran": replaced(npy(described(order="True"), bytes(36))),
    "order number": replaced(npy(described(order="0"), bytes(36))),
    "shape huge": replaced(npy(described(shape="(9999999999, 9999999999)"), bytes(36))),
    "shape overflowing": replaced(npy(described(shape="(4294967296, 4294967296)"), bytes(36))),
    "shape negative": replaced(npy(described(shape="(-9,)"), bytes(36))),
    "shape true": replaced(npy(described(shape="(True,)"), bytes(36))),
    "shape float": replaced(npy(described(shape="(9.0,)"), bytes(36))),
    "shape with leading zero": replaced(npy(described(shape="(09,)"), bytes(36))),
    "shape empty": replaced(npy(described(shape="()"), bytes(4))),
    "shape three": replaced(npy(described(shape="(1, 3, 3)"), bytes(36))),
    "data too short": replaced(npy(GOOD, bytes(35))),
    "data too long": replaced(npy(GOOD, bytes(37))),
    "name traverses": renamed(BIAS, "../../output.bias.npy"),
    "name absolute": renamed(BIAS, "/tmp/output.bias.npy"),  # noqa: S108
    "name no npy": renamed(BIAS, "output.bias"),
    "name empty": renamed(BIAS, ".npy"),
    "name with nul": renamed(BIAS, "output.bias\0.npy"),
    "name with case": renamed(BIAS, "Output.bias.npy"),
    "order of members": lambda members: dict(sorted(members.items())),
    "members many": lambda members: {
        **members,
        **{f"x{i}.npy": members[BIAS] for i in range(2000)},
    },
    "members none": lambda _: {},
    "header missing": lambda members: {n: d for n, d in members.items() if n != "header.npy"},
    "header floats": lambda members: {**members, "header.npy": members[BIAS]},
    "json broken": with_header(b'{"format": 3'),
    "json not utf-8": with_header(b'{"format": "\xff"}'),
    "json a list": with_header(b"[1]"),
    "json a number": with_header(b"1e999999999"),
    "json deep": with_header(b"[" * 9_000 + b"]" * 9_000),
    "json wide": with_header(b"[" + b"[]," * 100_000 + b"[]]"),
    "json long number": with_header(b'{"format": ' + b"9" * 10_000 + b"}"),
    "json nan": with_header(b'{"format": NaN}'),
    "json empty": with_header(b""),
    "format text": header_changed(format="3"),
    "format true": header_changed(format=True),
    "entry extra": header_changed(extra=1),
    "entry missing": header_changed(counts=None),
    "hidden size text": header_changed(config=lambda c: as_numbers("5")(c["model"])),
    "hidden size float": header_changed(config=lambda c: as_numbers(5.0)(c["model"])),
    "hidden size huge": header_changed(config=lambda c: as_numbers(2**60)(c["model"])),
    "hidden size true": header_changed(config=lambda c: as_numbers(True)(c["model"])),
    "hidden size list": header_changed(config=lambda c: as_numbers([5])(c["model"])),
    "layers huge": header_changed(config=lambda c: c["model"].update(layers=10**9)),
    "cell a list": header_changed(config=lambda c: c["model"].update(cell=["lstm"])),
    "seed huge": header_changed(config=lambda c: c["run"].update(random_seed=2**70)),
    "batch huge": header_changed(config=lambda c: c["data"].update(batch_size=2**50)),
    "config a list": header_changed(config=[]),
    "characters empty": header_changed(characters=""),
    "characters twice": header_changed(characters="aab"),
    "characters surrogate": header_changed(characters="a\ud800"),
    "characters number": header_changed(characters=5),
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
    assert container(contents(path.read_bytes())) == path.read_bytes()
    return path.read_bytes()


def refuse(path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        Model.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("attack", ARRAYS.values(), ids=ARRAYS)
def test_a_sound_container_with_hostile_contents_is_refused(
    attack: Callable[[Contents], Contents], good: bytes, tmp_path: Path
) -> None:
    (tmp_path / "m.npz").write_bytes(container(attack(contents(good))))
    refuse(tmp_path / "m.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_archive_is_refused(method: int, good: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.npz", "w", method) as archive:
        for name, data in contents(good).items():
            archive.writestr(name, data)
    refuse(tmp_path / "m.npz")


@pytest.mark.parametrize("field", range(4, 30, 2))
def test_every_field_of_an_entry_must_be_what_it_must_be(
    field: int, good: bytes, tmp_path: Path
) -> None:
    # 4 version, 6 flags (encryption), 8 method, 10 time, 12 date, 14 crc, 18 and 22 sizes, 26 name,
    # 28 extra
    for value in (b"\x01\x00", b"\xff\xff", b"\x00\x80"):
        damaged = good[:field] + value + good[field + 2 :]
        if damaged != good:
            (tmp_path / "m.npz").write_bytes(damaged)
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
