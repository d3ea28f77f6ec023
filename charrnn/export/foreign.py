"""Files of named arrays that others have written: safetensors and .npz."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CharRNNError, CheckpointError
from charrnn.extras import require_extra

MAX_GROWTH = 100
ZIP_MAGIC = b"PK\x03\x04"
FROM_PYTORCH = "from PyTorch: safetensors.torch.save_file(net.state_dict(), 'm.safetensors')"


class Foreign(NamedTuple):
    """The named arrays of a file, and its metadata as strings."""

    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, str]


def read_foreign(path: Path) -> Foreign:
    """Read a safetensors or an .npz file.

    Raises CheckpointError for a file that is neither, ConfigError if safetensors is not installed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    # A safetensors file begins with the length of its header, which is JSON.
    header_fits = int.from_bytes(data[:8], "little") <= len(data) - 8 and data[8:9] == b"{"
    if not header_fits and not data.startswith(ZIP_MAGIC):
        raise CheckpointError(f"{path}: neither a safetensors nor an .npz file", hint=FROM_PYTORCH)
    try:
        arrays, metadata = _from_npz(data) if not header_fits else _from_safetensors(data)
        if not isinstance(metadata, dict):
            metadata = {}
        return Foreign(arrays, {str(name): str(text) for name, text in metadata.items()})
    except CharRNNError as error:
        raise type(error)(f"{path}: {error}", hint=error.hint) from error
    except Exception as error:  # invalid bytes can make the readers raise anything
        raise CheckpointError(
            f"{path}: neither a safetensors nor an .npz file: {error}",
            hint=FROM_PYTORCH,
        ) from error


def _from_npz(data: bytes) -> tuple[dict[str, NDArray[Any]], Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    # A file that unpacks to more than a hundred times its size is a decompression bomb.
    if size > MAX_GROWTH * len(data):
        raise CheckpointError(f"{len(data):,} bytes would unpack to {size:,} bytes")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = dict(file)
    if "header" in arrays:  # a charrnn checkpoint that NumPy has rewritten
        header = json.loads(arrays.pop("header").tobytes())
        weights = {n: a for n, a in arrays.items() if not n.startswith("resume.")}
        described = {name: json.dumps(header[name]) for name in ("config", "counts")}
        return weights, {"characters": header["characters"], **described}
    metadata = arrays.pop("metadata", np.array([], np.uint8)).tobytes() or b"{}"
    return arrays, json.loads(metadata)


def _from_safetensors(data: bytes) -> tuple[dict[str, NDArray[Any]], Any]:
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    half = {name for name, entry in header.items() if entry["dtype"] == "BF16"}
    if not half:
        return require_extra("safetensors.numpy", "safetensors").load(data), metadata
    # NumPy has no bfloat16, which is the upper half of a float32.
    arrays: dict[str, NDArray[Any]] = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        stored = np.frombuffer(data[start + begin : start + end], "<u2" if name in half else "<f4")
        if name in half:
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] != "F32":
            raise CheckpointError(
                f"{name} is {entry['dtype']} beside bfloat16", hint="store all weights as float32"
            )
        arrays[name] = stored.reshape(entry["shape"])
    return arrays, metadata
