"""A strict .npz container: the writer is deterministic, and the reader accepts only its output.

An .npz file is a ZIP archive of .npy arrays. General readers of both formats are lenient, and a
crafted file can make them allocate gigabytes. This writer stores arrays uncompressed, with constant
metadata, so that the file is a function of names and arrays. The reader takes no more memory than
the file has bytes, then writes the arrays again and compares: it rejects a file that differs in a
single bit. ``numpy.load`` can read these files.
"""

import errno
import io
import zipfile
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from charrnn.errors import CheckpointError

MAGIC, CENTRAL_MAGIC = b"PK\x03\x04", b"PK\x01\x02"
MAX_MEMBERS, MAX_BYTES = 1024, 2_000_000_000  # more would need the ZIP64 extensions
# The header of an array with two dimensions is shorter.
HEADER_BYTES = 256
# Bytes before the name of a member.
MEMBER_HEADER = 30
DAMAGED = "not a charrnn checkpoint, or damaged"
HINT = "checkpoints are the .npz files that 'charrnn train' writes"

Arrays = dict[str, NDArray[Any]]


def require(condition: object, reason: str) -> None:
    """Raise CheckpointError, for this reason, unless the condition holds."""
    if not condition:
        raise CheckpointError(f"{DAMAGED}: {reason}", hint=HINT)


def write(file: IO[bytes], arrays: Arrays) -> None:
    """Write arrays with one or two dimensions to a binary file that can seek.

    Raises OSError if they are too large for the format or the disk.
    """
    if sum(array.nbytes for array in arrays.values()) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"more than {MAX_BYTES:,} bytes")
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w") as stream:
                npy.write_array(stream, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
            member.create_system = member.external_attr = 0  # the same on every system


def read(data: bytes) -> Arrays:
    """Return the arrays in the bytes of a file, as read-only views of these bytes.

    Raises CheckpointError unless the bytes are exactly what ``write`` writes for these arrays.
    """
    require(data.count(CENTRAL_MAGIC) <= MAX_MEMBERS, "it has too many arrays")
    arrays, again = Arrays(), io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
        require(sum(it.file_size for it in members) < len(data), "it says that it holds more")
        for member in members:
            begin = member.header_offset + MEMBER_HEADER + len(member.filename)
            content = memoryview(data)[begin : begin + member.file_size]
            arrays[member.filename.removesuffix(".npy")] = _read_array(content)
        write(again, arrays)
    except CheckpointError:
        raise
    except Exception as error:  # invalid bytes can make the readers of zip and npy raise anything
        raise CheckpointError(f"{DAMAGED}: {error}", hint=HINT) from error
    require(again.getvalue() == data, "its bytes are not those of its arrays")
    return arrays


def _read_array(content: memoryview) -> NDArray[Any]:
    stream = io.BytesIO(content[:HEADER_BYTES])
    npy.read_magic(stream)
    shape, _, dtype = npy.read_array_header_1_0(stream)
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape)
