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


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("count", "compression"), [(2, zipfile.ZIP_STORED), (1, zipfile.ZIP_DEFLATED), (1025, 0)]
)
def test_no_archive_unpacks_to_more_than_itself(count: int, compression: int) -> None:
    content, file = io.BytesIO(), io.BytesIO()
    np.save(content, np.zeros(10_000, "f4"))
    with zipfile.ZipFile(file, "w", compression) as archive:
        for _ in range(count):
            archive.writestr("a.npy", content.getvalue()[: 200 if count > 2 else None])
    with pytest.raises(CheckpointError, match=r"its bytes|it says that|too many"):
        npz.read(file.getvalue())
