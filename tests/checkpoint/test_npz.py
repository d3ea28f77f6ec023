"""The container: readable by anyone, and no bit of it free to change."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charrnn.checkpoint import npz
from charrnn.checkpoint.npz import DamagedError

arrays = st.dictionaries(
    st.from_regex(r"[a-z_.0-9]{1,20}", fullmatch=True),
    st.sampled_from(["<f4", "<f8", "|u1"]).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=2, max_side=9))
    ),
    min_size=1,
    max_size=5,
)


def written(members: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    npz.write(file, members)
    return file.getvalue()


SMALL = written({"a": np.arange(6, dtype="f4").reshape(2, 3), "header": np.arange(9, dtype="u1")})
SMALL_HEADER = SMALL[35 : 35 + 128]


@given(arrays)
def test_read_inverts_write(members: dict[str, Any]) -> None:
    data = written(members)
    assert data == written(members)
    read = npz.read(data)
    assert list(read) == list(members)
    for name, array in members.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


@given(arrays)
def test_numpy_and_zip_read_it_too(members: dict[str, Any]) -> None:
    data = written(members)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    with np.load(io.BytesIO(data), allow_pickle=False) as read:
        for name, array in members.items():
            np.testing.assert_array_equal(read[name], array)


def test_every_bit_flip_truncation_and_insertion_is_refused() -> None:
    for bit in range(8 * len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            npz.read(bytes(damaged))
    for length in range(len(SMALL)):
        with pytest.raises(DamagedError):
            npz.read(SMALL[:length])
        with pytest.raises(DamagedError):
            npz.read(SMALL[:length] + b"\0" + SMALL[length:])
    with pytest.raises(DamagedError):
        npz.read(SMALL + SMALL)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for bytes_ in (data, npz.LOCAL_MAGIC + data, SMALL[: len(SMALL) // 2] + data):
        with pytest.raises(DamagedError):
            npz.read(bytes_)


def test_a_later_zip_entry_cannot_hide_behind_the_first() -> None:
    member = ("a.npy", SMALL_HEADER, memoryview(bytes(24)))
    assert list(npz.read(b"".join(npz.pack([member])))) == ["a"]
    with pytest.raises(DamagedError, match="a name of its own"):
        npz.read(b"".join(npz.pack([member, member])))


def test_more_members_than_a_checkpoint_has_are_refused() -> None:
    one, most = np.zeros(1, "u1"), npz.MAX_MEMBERS
    assert len(npz.read(written({str(number): one for number in range(most)}))) == most
    with pytest.raises(DamagedError, match=f"member {most + 1}"):
        npz.read(written({str(number): one for number in range(most + 1)}))
