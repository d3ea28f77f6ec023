"""The way out: a trained model as others read it.

    safetensors   weights under PyTorch's names, vocabulary and config as metadata
    torch-names   the same as an .npz file, for ``numpy.load``
    onnx          a graph that reads ids and a state, and gives logits and the state after them
    html          one page that writes text in a browser, without a network

Weights are named as in the ``state_dict`` of a module with a recurrent layer ``rnn`` and a linear
layer ``output``.
"""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from importlib import resources
from typing import Any

import numpy as np

from charrnn._version import __version__
from charrnn.checkpoint import npz
from charrnn.errors import ConfigError
from charrnn.extras import require_extra
from charrnn.models import Classifier, Model
from charrnn.nn.cells import Array, Params

# A page is for models that a browser loads at once.
LARGEST_PAGE = 20_000_000

# The order in which ONNX has the gates: i, o, f, g and z, r, n.
ONNX_GATES = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
ONNX_OPSET = 17
ONNX_IR = 8

AnyCheckpoint = Model | Classifier


def torch_names(checkpoint: AnyCheckpoint) -> dict[str, Array]:
    """Return the weights under the names of a PyTorch ``state_dict``: rnn.weight_ih_l0 ..."""
    return {
        name if name.startswith("output.") else f"rnn.{name}": array
        for name, array in checkpoint.weights.items()
    }


def metadata(checkpoint: AnyCheckpoint) -> dict[str, str]:
    """Return all that a model is but its weights, as texts.

    characters   of the vocabulary, in the order of their ids
    counts       how often each occurred, JSON
    config       JSON
    labels       of a classifier, JSON
    """
    vocabulary = checkpoint.vocabulary
    described = {
        "charrnn": __version__,
        "characters": vocabulary.characters,
        "counts": json.dumps(vocabulary.counts.tolist()),
        "config": json.dumps(asdict(checkpoint.config)),
    }
    if isinstance(checkpoint, Classifier):
        described["labels"] = json.dumps(list(checkpoint.labels))
    return described


def to_torch_names(checkpoint: AnyCheckpoint) -> bytes:
    """Return an .npz file of the weights, with ``metadata`` as UTF-8 JSON in an array of bytes."""
    text = json.dumps(metadata(checkpoint), ensure_ascii=False).encode()
    file = io.BytesIO()
    npz.write(file, {"metadata": np.frombuffer(text, np.uint8), **torch_names(checkpoint)})
    return file.getvalue()


def to_safetensors(checkpoint: AnyCheckpoint) -> bytes:
    """Return a safetensors file. Raises ConfigError if safetensors is not installed."""
    library = require_extra("safetensors.numpy", "safetensors")
    weights = {name: np.ascontiguousarray(a) for name, a in torch_names(checkpoint).items()}
    data: bytes = library.save(weights, metadata=metadata(checkpoint))
    return data


def to_onnx(checkpoint: AnyCheckpoint) -> bytes:
    """Return an ONNX model in float32. Raises ConfigError if onnx is not installed.

    Inputs: ``ids`` (T, B), int64; ``h`` (L, B, H), and ``c`` likewise for an LSTM. Outputs:
    ``logits`` (T, B, V), ``h_out`` and ``c_out``. T and B may differ from call to call, so it can
    be run step by step. The metadata properties are those of ``metadata``.
    """
    checkpoint = _generator(checkpoint, "onnx")
    onnx = require_extra("onnx", "onnx")
    helper, model = onnx.helper, checkpoint.config.model
    float32, int64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    V, L, H = len(checkpoint.vocabulary), model.layers, model.hidden_size
    states = ["h", "c"] if model.cell == "lstm" else ["h"]
    constants: dict[str, Any] = {
        "depth": np.array(V, np.int64),
        "off_on": np.array([0, 1], np.float32),
        "directions": np.array([1], np.int64),
        "output.weight": checkpoint.weights["output.weight"].T.astype(np.float32),
        "output.bias": checkpoint.weights["output.bias"].astype(np.float32),
    }
    nodes = [helper.make_node("OneHot", ["ids", "depth", "off_on"], ["x0"], axis=-1)]
    options: dict[str, Any] = {"hidden_size": H}
    if model.cell == "gru":
        options["linear_before_reset"] = 1
    if model.cell == "rnn":
        options["activations"] = [model.nonlinearity.capitalize()]
    layers = checkpoint.network().layers
    for number, params in enumerate(layers):
        constants |= {f"{name}{number}": a for name, a in _onnx_layer(model.cell, params).items()}
        constants[f"layer{number}"] = np.array([number], np.int64)
        nodes += [
            helper.make_node("Gather", [name, f"layer{number}"], [f"{name}{number}"], axis=0)
            for name in states
        ]
        weights = [f"W{number}", f"R{number}", f"B{number}"]
        before = [f"{name}{number}" for name in states]
        after = [f"{name}_out{number}" for name in states]
        nodes += [
            helper.make_node(
                model.cell.upper(),
                [f"x{number}", *weights, "", *before],
                [f"y{number}", *after],
                **options,
            ),
            helper.make_node("Squeeze", [f"y{number}", "directions"], [f"x{number + 1}"]),
        ]
    nodes += [
        helper.make_node("MatMul", [f"x{L}", "output.weight"], ["product"]),
        helper.make_node("Add", ["product", "output.bias"], ["logits"]),
    ]
    for name in states:
        parts = [f"{name}_out{number}" for number in range(L)]
        nodes.append(helper.make_node("Concat", parts, [f"{name}_out"], axis=0))
    shape = [L, "B", H]
    graph = helper.make_graph(
        nodes,
        "charrnn",
        [
            helper.make_tensor_value_info("ids", int64, ["T", "B"]),
            *(helper.make_tensor_value_info(name, float32, shape) for name in states),
        ],
        [
            helper.make_tensor_value_info("logits", float32, ["T", "B", V]),
            *(helper.make_tensor_value_info(f"{name}_out", float32, shape) for name in states),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = [helper.make_opsetid("", ONNX_OPSET)]
    exported = helper.make_model(
        graph, producer_name="charrnn", opset_imports=opset, ir_version=ONNX_IR
    )
    helper.set_model_props(exported, metadata(checkpoint))
    onnx.checker.check_model(exported)
    data: bytes = exported.SerializeToString()
    return data


def _onnx_layer(cell: str, params: Params) -> dict[str, Array]:
    """Return a layer's parameters as ONNX has them: one direction, gates in another order."""
    order = list(ONNX_GATES[cell])

    def reordered(name: str) -> Array:
        by_gate = params[name].reshape(len(order), -1, *params[name].shape[1:])[order]
        array: Array = by_gate.reshape(params[name].shape).astype(np.float32)
        return array

    bias = np.concatenate([reordered("bias_ih"), reordered("bias_hh")])
    return {
        "W": reordered("weight_ih")[None],
        "R": reordered("weight_hh")[None],
        "B": bias[None],
    }


def to_html(checkpoint: AnyCheckpoint) -> bytes:
    """Return a page that writes like the model, with all it needs.

    Raises ConfigError for a model too large for a page.
    """
    checkpoint = _generator(checkpoint, "html")
    weights = checkpoint.weights
    size = sum(4 * array.size for array in weights.values())
    if size > LARGEST_PAGE:
        raise ConfigError(
            f"{size / 1e6:.0f} MB of weights are too much, a page takes {LARGEST_PAGE / 1e6:.0f}",
            hint="train a smaller model: --hidden-size 512 has about 5 MB",
        )
    model = checkpoint.config.model
    flat = np.concatenate([array.ravel() for array in weights.values()]).astype("<f4")
    described = {
        "cell": model.cell,
        "nonlinearity": model.nonlinearity,
        "layers": model.layers,
        "hiddenSize": model.hidden_size,
        "characters": [*checkpoint.vocabulary.characters],
        "counts": checkpoint.vocabulary.counts.tolist(),
        "weights": base64.b64encode(flat.tobytes()).decode(),
    }
    # Within a script element, no text may look like its end.
    data = json.dumps(described).replace("<", "\\u003c")
    page = resources.files("charrnn.interchange").joinpath("page.html").read_text(encoding="utf-8")
    return page.replace("/*MODEL*/", data).encode()


EXPORTS: dict[str, tuple[Callable[[AnyCheckpoint], bytes], str]] = {
    "safetensors": (to_safetensors, ".safetensors"),
    "onnx": (to_onnx, ".onnx"),
    "torch-names": (to_torch_names, ".torch.npz"),
    "html": (to_html, ".html"),
}


def _generator(checkpoint: AnyCheckpoint, form: str) -> Model:
    if isinstance(checkpoint, Classifier):
        raise ConfigError(
            f"a classifier cannot be exported to {form}", hint="--to safetensors or torch-names"
        )
    return checkpoint
