"""The container: readable by anyone, and no bit of it free to change."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charrnn import CheckpointError
from charrnn.checkpoint import npz

arrays = st.dictionaries(
    st.from_regex(r"[a-z_.0-9]{1,20}", fullmatch=True),
    st.sampled_from(["<f4", "<f8", "|u1"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=2, max_side=9))
    ),
    min_size=1,
    max_size=5,
)


def npy(data: bytes, shape: str = "(9,)", order: str = "False") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}".ljust(117)
    return b"\x93NUMPY\x01\x00v\x00" + header.encode() + b"\n" + data


def container(content: bytes, *names: str, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive with the metadata of ours, and this content in each member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in names:
            member = zipfile.ZipInfo(name)
            archive.writestr(member, content, compression)
            member.create_system = member.external_attr = 0
    return file.getvalue()


def written(members: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    npz.write(file, members)
    return file.getvalue()


SMALL = written({"a": np.arange(6, dtype="f4").reshape(2, 3), "header": np.arange(9, dtype="u1")})


@given(arrays)
def test_it_reads_what_it_writes_and_so_does_numpy(members: dict[str, Any]) -> None:
    data = written(members)
    assert data == written(members)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    with np.load(io.BytesIO(data), allow_pickle=False) as by_numpy:
        for read in (npz.read(data), by_numpy):
            assert list(read) == list(members)
            for name, array in members.items():
                assert read[name].dtype == array.dtype
                np.testing.assert_array_equal(read[name], array)


def test_every_bit_flip_truncation_and_insertion_is_refused() -> None:
    for bit in range(8 * len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CheckpointError):
            npz.read(bytes(damaged))
    for length in range(len(SMALL)):
        with pytest.raises(CheckpointError):
            npz.read(SMALL[:length])
        with pytest.raises(CheckpointError):
            npz.read(SMALL[:length] + b"\0" + SMALL[length:])
    for data in (SMALL + SMALL, b"\0" + SMALL):
        with pytest.raises(CheckpointError):
            npz.read(data)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for bytes_ in (data, npz.MAGIC + data, SMALL[: len(SMALL) // 2] + data):
        with pytest.raises(CheckpointError):
            npz.read(bytes_)


GOOD, LARGE = npy(bytes(36)), npy(bytes(40_000), "(10000,)")
MEMBERS: dict[str, tuple[bytes, list[str], int]] = {
    "one of too many": (GOOD, [f"{n}.npy" for n in range(npz.MAX_MEMBERS + 1)], 0),
    "not called .npy": (GOOD, ["a"], 0),
    "twice": (LARGE, ["a.npy", "a.npy"], 0),
    "compressed": (LARGE, ["a.npy"], zipfile.ZIP_DEFLATED),
    **{
        name: (content, ["a.npy"], zipfile.ZIP_STORED)
        for name, content in {
            "empty": b"",
            "of version 2": GOOD.replace(b"\x01\x00", b"\x02\x00"),
            "no array": GOOD.replace(b"NUMPY", b"NUMPZ"),
            "code": GOOD.replace(b"'<f4'", b"os.fork()"),
            "of objects": GOOD.replace(b"'<f4'", b"'|O' "),
            "in another order": npy(bytes(36), "(3, 3)", "True"),
            "too large": npy(bytes(36), "(9999999999, 9999999999)"),
            "of negative size": npy(bytes(36), "(-9,)"),
            "a number": npy(bytes(4), "()"),
            "too short": npy(bytes(35)),
            "too long": npy(bytes(37)),
        }.items()
    },
}


@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:Reading `.npy`")
@pytest.mark.parametrize(("content", "names", "compression"), MEMBERS.values(), ids=MEMBERS)
def test_an_archive_with_any_other_member_is_refused(
    content: bytes, names: list[str], compression: int
) -> None:
    assert npz.read(container(GOOD, "a.npy"))["a"].shape == (9,)
    with pytest.raises(CheckpointError):
        npz.read(container(content, *names, compression=compression))
