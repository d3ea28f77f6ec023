"""Safetensors: a JSON header with types, shapes and places, then the bytes of all arrays."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CheckpointError
from charrnn.export.contents import Contents, metadata, torch_names
from charrnn.models import Model

SUFFIX = ".safetensors"
# NumPy has no bfloat16 (BF16), which is the upper half of a float32.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def export(model: Model) -> bytes:
    """Return the weights with PyTorch's names, vocabulary and config as metadata."""
    model = model.merged()
    header: dict[str, Any] = {"__metadata__": metadata(model)}
    data, names = b"", {numpy: name for name, numpy in DTYPES.items()}
    for name, array in torch_names(model).items():
        stored = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": names[f"<f{array.itemsize}"],
            "shape": array.shape,
            "data_offsets": [len(data), len(data) + len(stored)],
        }
        data += stored
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def is_safetensors(data: bytes) -> bool:
    """Return True if a file starts like one: with the length of its header, which is JSON."""
    return int.from_bytes(data[:8], "little") <= len(data) - 8 and data[8:9] == b"{"


def read(data: bytes) -> Contents:
    """Return floating-point arrays and metadata. Any exception means an invalid file."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    described = header.pop("__metadata__", {})
    arrays = {name: _array(name, entry, data[start:]) for name, entry in header.items()}
    return Contents(arrays, {str(name): str(text) for name, text in described.items()})


def _array(name: str, entry: dict[str, Any], data: bytes) -> NDArray[Any]:
    begin, end = entry["data_offsets"]
    if entry["dtype"] not in DTYPES:
        raise CheckpointError(f"{name} holds no floating-point numbers but {entry['dtype']}")
    array = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
    if entry["dtype"] == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(entry["shape"])
