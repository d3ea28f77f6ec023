"""A strict .npz container: the writer is deterministic, and the reader accepts only its output.

An .npz file is a ZIP archive of .npy arrays. General readers of both formats are lenient, and a
crafted file can make them allocate gigabytes or fail in many ways. This writer stores members
uncompressed, one after the other, with constant metadata, so that the file is a pure function of
names and arrays. The reader finds the members, generates their metadata again and compares: it
rejects a file that differs in a single bit from the writer's output. ``numpy.load`` can read these
files.

Formats: APPNOTE.TXT of PKWARE (4.3.7 local headers, 4.3.12 central directory, 4.3.16 end record)
and NEP 1 (npy version 1.0).
"""

import errno
import math
import re
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCAL_MAGIC, CENTRAL_MAGIC, END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
NPY_MAGIC = b"\x93NUMPY\x01\x00"
NPY_PREFIX = struct.Struct("<8sH")
NPY_ALIGNMENT = 64
# One or two dimensions of any length, in one of these types.
NPY_PATTERN = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<descr><f2|<f4|<f8|<i4|<u2|<u4|\|u1)', "
    rb"'fortran_order': False, 'shape': \((?P<shape>\d{1,10},|\d{1,10}, \d{1,10})\), \} *\n",
    re.DOTALL,
)

VERSION = 20  # ZIP version 2.0, no extensions
DATE = 0x21  # January 1, 1980, the earliest date in ZIP
MAX_MEMBERS = 1024
MAX_BYTES = 2**32 - 1  # more would need the ZIP64 extensions

Arrays = dict[str, NDArray[Any]]


class Member(NamedTuple):
    """One array of the file: its name in the archive, its npy header and its data."""

    name: bytes
    header: bytes
    data: memoryview


class DamagedError(Exception):
    """The bytes are not a possible output of ``write``, for the reason given."""


def write(file: IO[bytes], arrays: Arrays) -> None:
    """Write arrays with one or two dimensions, of the types above, to a binary file.

    Raises OSError if they are too large for the format or the disk.
    """
    members = [
        Member(f"{name}.npy".encode(), _npy_header(array.dtype.str, array.shape), _bytes(array))
        for name, array in arrays.items()
    ]
    if sum(member.data.nbytes for member in members) > MAX_BYTES // 2:
        raise OSError(errno.EFBIG, f"more than {MAX_BYTES // 2:,} bytes")
    between = _metadata(members)
    for member, entry in zip(members, between, strict=False):
        file.write(entry)
        file.write(member.header)
        file.write(member.data)
    file.write(between[-1])


def read(data: bytes) -> Arrays:
    """Return the arrays in the bytes of a file, as read-only views of these bytes.

    Raises DamagedError unless the bytes are exactly what ``write`` would write for these arrays.
    """
    members = list(_members(data))
    between = _metadata(members)
    position = 0
    for member, entry in zip(members, between, strict=False):
        if data[position : position + len(entry)] != entry:
            raise DamagedError(f"the entry at byte {position} is damaged")
        position += len(entry) + len(member.header) + member.data.nbytes
    if data[position:] != between[-1]:
        raise DamagedError("the directory at its end is damaged")
    arrays = {member.name.decode().removesuffix(".npy"): _array(member) for member in members}
    if len(arrays) < len(members):
        raise DamagedError("a member occurs twice")
    return arrays


def _bytes(array: NDArray[Any]) -> memoryview:
    contiguous = np.ascontiguousarray(array).reshape(-1)
    return memoryview(contiguous.view(np.uint8).data)


def _npy_header(descr: str, shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    text += b" " * (-(NPY_PREFIX.size + len(text) + 1) % NPY_ALIGNMENT) + b"\n"
    return NPY_PREFIX.pack(NPY_MAGIC, len(text)) + text


def _metadata(members: list[Member]) -> list[bytes]:
    """Return the ZIP entry that precedes each member and, as the last item, the directory."""
    entries, central, offset = [], b"", 0
    for member in members:
        crc = zlib.crc32(member.data, zlib.crc32(member.header))
        size = len(member.header) + member.data.nbytes
        common = (VERSION, 0, 0, 0, DATE, crc, size, size, len(member.name), 0)
        entry = LOCAL.pack(LOCAL_MAGIC, *common) + member.name
        central += CENTRAL.pack(CENTRAL_MAGIC, VERSION, *common, 0, 0, 0, 0, offset) + member.name
        entries.append(entry)
        offset += len(entry) + size
    count = len(members)
    end = END.pack(END_MAGIC, 0, 0, count, count, len(central), offset, 0)
    return [*entries, central + end]


def _members(data: bytes) -> Iterator[Member]:
    """Yield the members as described by their own entries, which are verified later."""
    position, view = 0, memoryview(data)
    for _ in range(MAX_MEMBERS):
        if data[position : position + 4] != LOCAL_MAGIC:
            return
        if len(data) - position < LOCAL.size:
            raise DamagedError("it is cut short")
        *_, size, name_length, _ = LOCAL.unpack_from(data, position)
        start = position + LOCAL.size + name_length
        name = data[start - name_length : start]
        if start + size > len(data):
            raise DamagedError("it is cut short")
        if not (name.isascii() and name.endswith(b".npy")):
            raise DamagedError("it has a member that is not an array")
        header_length = NPY_PREFIX.size + int.from_bytes(data[start + 8 : start + 10], "little")
        content = view[start : start + size]
        yield Member(name, bytes(content[:header_length]), content[header_length:])
        position = start + size
    raise DamagedError("it has too many members")


def _array(member: Member) -> NDArray[Any]:
    """Return the array in a member, if its header is what ``write`` would write for it."""
    found = NPY_PATTERN.fullmatch(member.header)
    if found is None:
        raise DamagedError(f"the header of {member.name!r} is damaged")
    descr = found["descr"].decode()
    shape = tuple(int(size) for size in found["shape"].split(b",") if size.strip())
    dtype = np.dtype(descr)
    # Python integers cannot overflow, whatever shape the header claims.
    sound = math.prod(shape) * dtype.itemsize == member.data.nbytes
    if not sound or member.header != _npy_header(descr, shape):
        raise DamagedError(f"{member.name!r} does not hold what its header says")
    return np.frombuffer(member.data, dtype).reshape(shape)
