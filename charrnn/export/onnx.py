"""A text generator as an ONNX graph, from ids and a state to logits and a new state."""

from typing import Any

import numpy as np

from charrnn.config import ModelConfig
from charrnn.export.naming import metadata
from charrnn.extras import require_extra
from charrnn.models import Model
from charrnn.nn.cells import Array, Params, make_cell

SUFFIX = ".onnx"

# The order of the gates in ONNX: i, o, f, g (LSTM) and z, r, n (GRU).
GATES = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
OPSET = 17
IR_VERSION = 8


def export(model: Model) -> bytes:
    """Return an ONNX model in float32.

    Inputs: ``ids`` (T, B), int64; ``h`` (L, B, H) and, for an LSTM, ``c`` (L, B, H). Outputs:
    ``logits`` (T, B, V), ``h_out`` and ``c_out``. T and B are dynamic, so the model can run step by
    step. The metadata properties are those of ``metadata``. Raises
    ConfigError if onnx is not installed.
    """
    onnx = require_extra("onnx", "onnx")
    helper, shape = onnx.helper, model.config.model
    float32, int64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    states = make_cell(shape.cell).state_names
    state, logits = [shape.layers, "B", shape.hidden_size], ["T", "B", len(model.vocabulary)]

    def array(name: str, axes: list[Any], kind: int = float32) -> Any:  # noqa: ANN401
        return helper.make_tensor_value_info(name, kind, axes)

    graph = helper.make_graph(
        _nodes(helper, shape, states),
        "charrnn",
        [array("ids", ["T", "B"], int64), *(array(name, state) for name in states)],
        [array("logits", logits), *(array(f"{name}_out", state) for name in states)],
        [onnx.numpy_helper.from_array(a, name) for name, a in _constants(model).items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    exported = helper.make_model(
        graph, producer_name="charrnn", opset_imports=opset, ir_version=IR_VERSION
    )
    helper.set_model_props(exported, metadata(model))
    onnx.checker.check_model(exported)
    data: bytes = exported.SerializeToString()
    return data


def _constants(model: Model) -> dict[str, Array]:
    """Return the arrays of the graph, by name."""
    constants: dict[str, Any] = {
        "depth": np.array(len(model.vocabulary), np.int64),
        "off_on": np.array([0, 1], np.float32),
        "directions": np.array([1], np.int64),
        "output.weight": model.weights["output.weight"].T.astype(np.float32),
        "output.bias": model.weights["output.bias"].astype(np.float32),
    }
    for number, params in enumerate(model.network_copy().layers):
        layer = _layer(model.config.model.cell, params)
        constants |= {f"{name}{number}": array for name, array in layer.items()}
        constants[f"layer{number}"] = np.array([number], np.int64)
    return constants


def _nodes(helper: Any, shape: ModelConfig, states: tuple[str, ...]) -> list[Any]:  # noqa: ANN401
    """Return the operations of the graph."""
    node, L = helper.make_node, shape.layers
    options: dict[str, Any] = {"hidden_size": shape.hidden_size}
    if shape.cell == "gru":
        options["linear_before_reset"] = 1
    if shape.cell == "rnn":
        options["activations"] = [shape.nonlinearity.capitalize()]
    nodes = [node("OneHot", ["ids", "depth", "off_on"], ["x0"], axis=-1)]
    for number in range(L):
        nodes += [
            node("Gather", [name, f"layer{number}"], [f"{name}{number}"], axis=0) for name in states
        ]
        weights = [f"W{number}", f"R{number}", f"B{number}"]
        before = [f"{name}{number}" for name in states]
        after = [f"{name}_out{number}" for name in states]
        inputs, outputs = [f"x{number}", *weights, "", *before], [f"y{number}", *after]
        nodes += [
            node(shape.cell.upper(), inputs, outputs, **options),
            node("Squeeze", [f"y{number}", "directions"], [f"x{number + 1}"]),
        ]
    nodes += [
        node("MatMul", [f"x{L}", "output.weight"], ["product"]),
        node("Add", ["product", "output.bias"], ["logits"]),
    ]
    for name in states:
        parts = [f"{name}_out{number}" for number in range(L)]
        nodes.append(node("Concat", parts, [f"{name}_out"], axis=0))
    return nodes


def _layer(cell: str, params: Params) -> dict[str, Array]:
    """Return a layer's parameters in ONNX's form: one direction, gates in another order."""
    order = list(GATES[cell])

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
