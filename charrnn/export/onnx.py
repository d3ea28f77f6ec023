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
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
# The text format of onnx.parser.
GRAPH = """
<ir_version: 8, opset_import: ["": 17], producer_name: "charrnn">
charrnn (int64[T, B] ids, {inputs}) => (float[T, B, {V}] logits, {outputs})
<int64 depth = {{{V}}}, float[2] off_on = {{0, 1}}, int64[1] directions = {{1}}>
{{
    x0 = OneHot <axis = -1> (ids, depth, off_on)
    {operations}
    product = MatMul (x{L}, output_weight)
    logits = Add (product, output_bias)
}}"""


def export(model: Model) -> bytes:
    """Return an ONNX model in float32.

    Inputs: ``ids`` (T, B), int64; ``h`` (L, B, H) and, for an LSTM, ``c`` (L, B, H). Outputs:
    ``logits`` (T, B, V), ``h_out`` and ``c_out``. T and B are dynamic, so the model can run step by
    step. The metadata properties are those of ``metadata``. Raises ConfigError if onnx is not
    installed.
    """
    onnx, model = require_extra("onnx", "onnx"), model.merged()
    made = onnx.parser.parse_model(_describe_graph(model))
    made.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in _name_weights(model).items()
    )
    onnx.helper.set_model_props(made, metadata(model))
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
    arrays = {"output.weight": found["output_weight"].T, "output.bias": found["output_bias"]}
    for n in range(shape["layers"]):
        layer = [found[f"W{n}"][0], found[f"R{n}"][0], *np.split(found[f"B{n}"][0], 2)]
        for name, array in zip(NAMES, layer, strict=True):
            arrays[f"rnn.{name}_l{n}"] = _reorder(array, order)
    return arrays, described


def _reorder(array: NDArray[Any], order: list[int]) -> NDArray[Any]:
    """Return an array, whose rows are gate by gate, with its gates in another order, in float32."""
    by_gate = array.reshape(len(order), -1, *array.shape[1:])[order]
    return by_gate.reshape(array.shape).astype(np.float32)


def _name_weights(model: Model) -> Arrays:
    """Return the weights under their names in the graph: W0, R0 and B0 are those of a layer."""
    weights, order = model.weights, GATES[model.config.model.cell]
    named = {"output_weight": weights["output.weight"].T, "output_bias": weights["output.bias"]}
    for n in range(model.config.model.layers):
        W, R, *biases = (_reorder(weights[f"{it}_l{n}"], order) for it in NAMES)
        named |= {f"W{n}": W[None], f"R{n}": R[None], f"B{n}": np.concatenate(biases)[None]}
    return {name: array.astype(np.float32) for name, array in named.items()}


def _describe_graph(model: Model) -> str:
    """Return the graph without its weights, in the text format of ONNX."""
    shape, states = model.config.model, make_cell(model.config.model.cell).state_names
    layers, state = range(shape.layers), f"float[{shape.layers}, B, {shape.hidden_size}]"
    options = f"hidden_size = {shape.hidden_size}"
    if shape.cell == "gru":
        options += ", linear_before_reset = 1"
    if shape.cell == "rnn":
        options += f', activations = ["{shape.nonlinearity.capitalize()}"]'

    def list_layers(name: str) -> str:
        return ", ".join(f"{name}{n}" for n in layers)

    operations = [f"{list_layers(it)} = Split <axis = 0> ({it})" for it in states]
    for n in layers:
        before = ", ".join(f"{name}{n}" for name in states)
        after = ", ".join(f"{name}_out{n}" for name in states)
        layer = f"{shape.cell.upper()} <{options}> (x{n}, W{n}, R{n}, B{n}, , {before})"
        operations += [f"y{n}, {after} = {layer}", f"x{n + 1} = Squeeze (y{n}, directions)"]
    operations += [f"{it}_out = Concat <axis = 0> ({list_layers(f'{it}_out')})" for it in states]
    return GRAPH.format(
        L=shape.layers,
        V=len(model.vocabulary),
        inputs=", ".join(f"{state} {name}" for name in states),
        outputs=", ".join(f"{state} {name}_out" for name in states),
        operations="\n    ".join(operations),
    )
