"""A model as an ONNX graph, from ids and a state to logits and a new state."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.npz import Arrays
from charrnn.export import metadata
from charrnn.extras import require_extra
from charrnn.models import Model
from charrnn.nn.network import make_cell

SUFFIX = ".onnx"
# The order of the gates in ONNX: i, o, f, g (LSTM) and z, r, n (GRU).
GATES = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}
OPSET, IR_VERSION = 17, 8
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


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
    nodes, constants = _operations(model, helper.make_node, states)
    graph = helper.make_graph(
        nodes,
        "charrnn",
        [
            describe("ids", onnx.TensorProto.INT64, ["T", "B"]),
            *(describe(name, floats, state) for name in states),
        ],
        [
            describe("logits", floats, logits),
            *(describe(f"{name}_out", floats, state) for name in states),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    made = helper.make_model(
        graph, producer_name="charrnn", opset_imports=opset, ir_version=IR_VERSION
    )
    helper.set_model_props(made, metadata(model))
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data


def read(data: bytes) -> tuple[Arrays, dict[str, str]]:
    """Return the weights with PyTorch's names, and the metadata, of what ``export`` wrote."""
    onnx = require_extra("onnx", "onnx")
    model = onnx.load_model_from_string(data)
    described = {entry.key: entry.value for entry in model.metadata_props}
    found = {it.name: onnx.numpy_helper.to_array(it) for it in model.graph.initializer}
    shape = json.loads(described["config"])["model"]
    order = np.argsort(GATES[shape["cell"]]).tolist()
    arrays = {"output.weight": found["output.weight"].T, "output.bias": found["output.bias"]}
    for n in range(shape["layers"]):
        layer = [found[f"W{n}"][0], found[f"R{n}"][0], *np.split(found[f"B{n}"][0], 2)]
        for name, array in zip(NAMES, layer, strict=True):
            arrays[f"rnn.{name}_l{n}"] = _reorder(array, order)
    return arrays, described


def _reorder(array: NDArray[Any], order: list[int]) -> NDArray[Any]:
    """Return an array, whose rows are gate by gate, with its gates in another order, in float32."""
    by_gate = array.reshape(len(order), -1, *array.shape[1:])[order]
    return by_gate.reshape(array.shape).astype(np.float32)


def _operations(model: Model, node: Any, states: tuple[str, ...]) -> tuple[list[Any], Arrays]:
    """Return the operations of the graph, and its constant arrays by name.

    node   makes an operation of its type, inputs and outputs
    """
    shape, weights = model.config.model, model.weights
    layers, options = range(shape.layers), dict[str, Any](hidden_size=shape.hidden_size)
    if shape.cell == "gru":
        options["linear_before_reset"] = 1
    if shape.cell == "rnn":
        options["activations"] = [shape.nonlinearity.capitalize()]
    constants: Arrays = {
        "depth": np.array(len(model.vocabulary), np.int64),
        "off_on": np.array([0, 1], np.float32),
        "directions": np.array([1], np.int64),
        "output.weight": weights["output.weight"].T.astype(np.float32),
        "output.bias": weights["output.bias"].astype(np.float32),
    }
    nodes = [node("OneHot", ["ids", "depth", "off_on"], ["x0"], axis=-1)]
    nodes += [node("Split", [s], [f"{s}{n}" for n in layers], axis=0) for s in states]
    for n in layers:
        W, R, *biases = (_reorder(weights[f"{it}_l{n}"], GATES[shape.cell]) for it in NAMES)
        constants |= {f"W{n}": W[None], f"R{n}": R[None], f"B{n}": np.concatenate(biases)[None]}
        before, after = [f"{s}{n}" for s in states], [f"{s}_out{n}" for s in states]
        inputs = [f"x{n}", f"W{n}", f"R{n}", f"B{n}", "", *before]
        nodes.append(node(shape.cell.upper(), inputs, [f"y{n}", *after], **options))
        nodes.append(node("Squeeze", [f"y{n}", "directions"], [f"x{n + 1}"]))
    nodes.append(node("MatMul", [f"x{shape.layers}", "output.weight"], ["product"]))
    nodes.append(node("Add", ["product", "output.bias"], ["logits"]))
    nodes += [node("Concat", [f"{s}_out{n}" for n in layers], [f"{s}_out"], axis=0) for s in states]
    return nodes, constants
