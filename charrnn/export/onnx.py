"""A model as an ONNX graph, from ids and a state to logits and a new state."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ModelConfig
from charrnn.export.contents import Arrays, Contents, metadata
from charrnn.extras import require_extra
from charrnn.models import Model
from charrnn.nn.network import make_cell

SUFFIX = ".onnx"
# The order of the gates in ONNX: i, o, f, g (LSTM) and z, r, n (GRU).
GATES = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}
OPSET, IR_VERSION = 17, 8


def export(model: Model) -> bytes:
    """Return an ONNX model in float32.

    Inputs: ``ids`` (T, B), int64; ``h`` (L, B, H) and, for an LSTM, ``c`` (L, B, H). Outputs:
    ``logits`` (T, B, V), ``h_out`` and ``c_out``. T and B are dynamic, so the model can run step by
    step. The metadata properties are those of ``metadata``. Raises ConfigError if onnx is not
    installed.
    """
    onnx, model = require_extra("onnx", "onnx"), model.merged()
    helper, shape = onnx.helper, model.config.model
    states = make_cell(shape.cell).state_names
    state, logits = [shape.layers, "B", shape.hidden_size], ["T", "B", len(model.vocabulary)]
    describe, floats = helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        _nodes(helper.make_node, shape, states),
        "charrnn",
        [
            describe("ids", onnx.TensorProto.INT64, ["T", "B"]),
            *(describe(name, floats, state) for name in states),
        ],
        [
            describe("logits", floats, logits),
            *(describe(f"{name}_out", floats, state) for name in states),
        ],
        [onnx.numpy_helper.from_array(a, name) for name, a in _constants(model).items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    made = helper.make_model(
        graph, producer_name="charrnn", opset_imports=opset, ir_version=IR_VERSION
    )
    helper.set_model_props(made, metadata(model))
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data


def read(data: bytes) -> Contents:
    """Return the weights with PyTorch's names, and the metadata, of what ``export`` wrote."""
    onnx = require_extra("onnx", "onnx")
    model = onnx.load_model_from_string(data)
    described = {entry.key: entry.value for entry in model.metadata_props}
    found = {it.name: onnx.numpy_helper.to_array(it) for it in model.graph.initializer}
    shape = json.loads(described["config"])["model"]
    order = np.argsort(GATES[shape["cell"]]).tolist()
    arrays: Arrays = {
        "output.weight": found["output.weight"].T,
        "output.bias": found["output.bias"],
    }
    for number in range(shape["layers"]):
        arrays[f"rnn.weight_ih_l{number}"] = _reorder(found[f"W{number}"][0], order)
        arrays[f"rnn.weight_hh_l{number}"] = _reorder(found[f"R{number}"][0], order)
        biases = np.split(found[f"B{number}"][0], 2)
        for name, bias in zip(("bias_ih", "bias_hh"), biases, strict=True):
            arrays[f"rnn.{name}_l{number}"] = _reorder(bias, order)
    return Contents(arrays, described)


def _reorder(array: NDArray[Any], order: list[int]) -> NDArray[Any]:
    """Return an array, whose rows are gate by gate, with its gates in another order, in float32."""
    by_gate = array.reshape(len(order), -1, *array.shape[1:])[order]
    return by_gate.reshape(array.shape).astype(np.float32)


def _constants(model: Model) -> Arrays:
    """Return the arrays of the graph, by name."""
    shape, weights = model.config.model, model.weights
    constants: Arrays = {
        "depth": np.array(len(model.vocabulary), np.int64),
        "off_on": np.array([0, 1], np.float32),
        "directions": np.array([1], np.int64),
        "output.weight": weights["output.weight"].T.astype(np.float32),
        "output.bias": weights["output.bias"].astype(np.float32),
    }
    for n in range(shape.layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        layer = [_reorder(weights[f"{name}_l{n}"], GATES[shape.cell]) for name in names]
        constants[f"W{n}"], constants[f"R{n}"] = layer[0][None], layer[1][None]
        constants[f"B{n}"] = np.concatenate(layer[2:])[None]
        constants[f"layer{n}"] = np.array([n], np.int64)
    return constants


def _nodes(node: Any, shape: ModelConfig, states: tuple[str, ...]) -> list[Any]:
    """Return the operations of the graph. node: the function that makes one."""
    L = shape.layers
    options: dict[str, Any] = {"hidden_size": shape.hidden_size}
    if shape.cell == "gru":
        options["linear_before_reset"] = 1
    if shape.cell == "rnn":
        options["activations"] = [shape.nonlinearity.capitalize()]
    nodes = [node("OneHot", ["ids", "depth", "off_on"], ["x0"], axis=-1)]
    for n in range(L):
        before, after = [f"{s}{n}" for s in states], [f"{s}_out{n}" for s in states]
        nodes += [node("Gather", [s, f"layer{n}"], [f"{s}{n}"], axis=0) for s in states]
        inputs = [f"x{n}", f"W{n}", f"R{n}", f"B{n}", "", *before]
        nodes.append(node(shape.cell.upper(), inputs, [f"y{n}", *after], **options))
        nodes.append(node("Squeeze", [f"y{n}", "directions"], [f"x{n + 1}"]))
    nodes.append(node("MatMul", [f"x{L}", "output.weight"], ["product"]))
    nodes.append(node("Add", ["product", "output.bias"], ["logits"]))
    for s in states:
        parts = [f"{s}_out{n}" for n in range(L)]
        nodes.append(node("Concat", parts, [f"{s}_out"], axis=0))
    return nodes
