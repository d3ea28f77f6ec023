"""Arrays of ids: in memory up to a limit, then in an unnamed temporary file, mapped into memory.

The system deletes such a file however the program ends.
"""

import mmap
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from charrnn.errors import CorpusError
from charrnn.text.vocabulary import Ids

# Ids of up to this many bytes stay in memory.
IN_MEMORY = 1 << 24

# Ids handled at once: few enough for the CPU cache.
BLOCK = 1 << 18


def store(blocks: Iterable[Ids]) -> Ids:
    """Return blocks of ids as one array, (N,).

    All blocks have the type of the first; without a block, the array is empty. Raises CorpusError
    if the temporary file does not fit on the disk.
    """
    dtype = np.dtype(np.uint8)
    try:
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            for block in blocks:
                dtype = block.dtype
                file.write(block.data)
            if file.tell() <= IN_MEMORY:
                file.seek(0)
                return np.frombuffer(file.read(), dtype)
            file.flush()
            return np.asarray(np.memmap(file, dtype, "r"))
    except OSError as error:
        message = f"no room for the ids of the text in {tempfile.gettempdir()}: {error.strerror}"
        raise CorpusError(message, hint="name a folder with more room: TMPDIR=...") from error


def blocks_of(ids: Ids) -> Iterator[Ids]:
    """Yield an array in blocks, without keeping more than one of a mapped file in memory."""
    for at in range(0, len(ids), BLOCK):
        yield ids[at : at + BLOCK]
        release(ids)


def release(ids: Ids) -> None:
    """Let the system take back the memory of an array that is mapped from a file."""
    owner: object = ids
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
