"""Safetensors: a JSON header with types, shapes and places, then the bytes of all arrays."""

import json
from typing import Any

import numpy as np

from charrnn.checkpoint.npz import Arrays
from charrnn.errors import CheckpointError
from charrnn.export import metadata
from charrnn.models import Model

SUFFIX = ".safetensors"
# NumPy has no bfloat16 (BF16), which is the upper half of a float32.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def export(model: Model) -> bytes:
    """Return the weights under the names of a ``state_dict``: rnn.weight_ih_l0, output.weight.

    Vocabulary and config are the metadata.
    """
    model = model.merged()
    header: dict[str, Any] = {"__metadata__": metadata(model)}
    data, names = b"", {numpy: name for name, numpy in DTYPES.items()}
    for name, array in model.weights.items():
        stored = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name if name.startswith("output.") else f"rnn.{name}"] = {
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


def read(data: bytes) -> tuple[Arrays, dict[str, str]]:
    """Return floating-point arrays and metadata. Any exception means an invalid file."""
    start, arrays = 8 + int.from_bytes(data[:8], "little"), Arrays()
    header = json.loads(data[8:start])
    described = header.pop("__metadata__", {})
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        if entry["dtype"] not in DTYPES:
            raise CheckpointError(f"{name} holds no floating-point numbers but {entry['dtype']}")
        array = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        arrays[name] = array.reshape(entry["shape"])
    return arrays, {str(name): str(text) for name, text in described.items()}
