"""A strict .npz container: the writer is deterministic, and the reader accepts only its output.

An .npz file is a ZIP archive of .npy arrays. General readers of both formats are lenient, and a
crafted file can make them allocate gigabytes or fail in many ways. This writer stores members
uncompressed, one after the other, with constant metadata, so that the file is a function of names
and arrays. The reader finds the arrays, writes them again and compares: it rejects a file that
differs in a single bit. ``numpy.load`` can read these files.

Formats: APPNOTE.TXT of PKWARE (4.3.7 local headers, 4.3.12 central directory, 4.3.16 end record)
and NEP 1 (npy version 1.0).
"""

import errno
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
LOCAL_MAGIC, CENTRAL_MAGIC, END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
NPY_PREFIX = struct.Struct("<8sH")
NPY_MAGIC, NPY_ALIGNMENT = b"\x93NUMPY\x01\x00", 64
# One or two dimensions of any length, in one of these types.
NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f2|<f4|<f8|<i4|<u2|<u4|\|u1)', "
    rb"'fortran_order': False, 'shape': \((\d{1,10}), ?(\d{1,10})?\), \} *\n",
    re.DOTALL,
)

VERSION = 20  # ZIP version 2.0, no extensions
DATE = 0x21  # January 1, 1980, the earliest date in ZIP
MAX_MEMBERS = 1024
MAX_BYTES = 2**32 - 1  # more would need the ZIP64 extensions

Arrays = dict[str, NDArray[Any]]


class DamagedError(Exception):
    """The bytes are not a possible output of ``write``, for the reason given."""


def write(file: IO[bytes], arrays: Arrays) -> None:
    """Write arrays with one or two dimensions, of the types above, to a binary file.

    Raises OSError if they are too large for the format or the disk.
    """
    if sum(array.nbytes for array in arrays.values()) > MAX_BYTES // 2:
        raise OSError(errno.EFBIG, f"more than {MAX_BYTES // 2:,} bytes")
    for piece in pack(_members(arrays)):
        file.write(piece)


def read(data: bytes) -> Arrays:
    """Return the arrays in the bytes of a file, as read-only views of these bytes.

    Raises DamagedError unless the bytes are exactly what ``write`` would write for these arrays.
    """
    try:
        arrays = _find_arrays(data)
    except (struct.error, ValueError, OverflowError) as error:
        raise DamagedError(f"it is cut short or damaged: {error}") from error
    position = 0
    for piece in pack(_members(arrays)):
        end = position + len(piece)
        if data[position:end] != piece:
            raise DamagedError(f"the bytes from {position} to {end} are damaged")
        position = end
    if position != len(data):
        raise DamagedError("it goes on after its end")
    return arrays


def pack(members: Iterable[tuple[str, bytes, memoryview]]) -> Iterator[bytes | memoryview]:
    """Yield the bytes of an archive, piece by piece.

    members   name of each, and its contents in two parts
    """
    central, offset, count = b"", 0, 0
    for count, (name, header, data) in enumerate(members, 1):  # noqa: B007
        crc = zlib.crc32(data, zlib.crc32(header))
        file_name, size = name.encode(), len(header) + len(data)
        common = (VERSION, 0, 0, 0, DATE, crc, size, size, len(file_name), 0)
        entry = LOCAL.pack(LOCAL_MAGIC, *common) + file_name
        central += CENTRAL.pack(CENTRAL_MAGIC, VERSION, *common, 0, 0, 0, 0, offset) + file_name
        offset += len(entry) + size
        yield entry + header
        yield data
    yield central + END.pack(END_MAGIC, 0, 0, count, count, len(central), offset, 0)


def _members(arrays: Arrays) -> Iterator[tuple[str, bytes, memoryview]]:
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        yield f"{name}.npy", _npy_header(array), data


def _npy_header(array: NDArray[Any]) -> bytes:
    shape = repr(tuple(int(size) for size in array.shape))
    text = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(NPY_PREFIX.size + len(text) + 1) % NPY_ALIGNMENT) + b"\n"
    return NPY_PREFIX.pack(NPY_MAGIC, len(text)) + text


def _find_arrays(data: bytes) -> Arrays:
    """Return the arrays that the members claim to be; ``read`` then compares every byte.

    Raises DamagedError, struct.error or ValueError for what cannot be one.
    """
    arrays: Arrays = {}
    position, view = 0, memoryview(data)
    while data[position : position + 4] == LOCAL_MAGIC:
        *_, size, name_length, _ = LOCAL.unpack_from(data, position)
        start = position + LOCAL.size + name_length
        position = start + size
        name = data[start - name_length : start].decode().removesuffix(".npy")
        header = NPY_HEADER.match(view[start:position])
        if header is None or name in arrays or len(arrays) == MAX_MEMBERS:
            raise DamagedError(f"member {len(arrays) + 1} is not an array with a name of its own")
        shape = [int(length) for length in header.groups()[1:] if length]
        content = view[start + header.end() : position]
        arrays[name] = np.frombuffer(content, header[1].decode()).reshape(shape)
    return arrays
