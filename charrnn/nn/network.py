"""The common structure of all networks: stacked recurrent layers and a linear output layer (head).

    inputs -> recurrent layers -> features (N, D*H) -> dropout -> features W_out^T + b_out -> logits

All parameters live in one flat array, and each named parameter is a view into it: optimizers,
checkpoints and other processes handle a single array, while cells see named matrices.
"""

import math
from typing import NamedTuple, Self

import numpy as np

from charrnn.config import ModelConfig
from charrnn.nn.cells import Array, Params, State, Workspace, make_cell
from charrnn.nn.ensemble import expanded, narrowed
from charrnn.nn.parameters import Shapes, count, views
from charrnn.nn.stack import Stack, StackCache, drop_mask


class NetworkCache(NamedTuple):
    """What ``backward`` needs from ``forward``.

    stack      what the recurrent layers saved
    mask       dropout mask of the features; None without dropout
    features   features after dropout, (..., D*H)
    """

    stack: StackCache
    mask: Array | None
    features: Array


def make_stack(config: ModelConfig, input_size: int) -> Stack:
    """Return the recurrent layers that a config describes."""
    return Stack(
        cell=make_cell(config.cell, config.nonlinearity),
        input_size=input_size,
        hidden_size=config.hidden_size,
        layers=config.layers,
        dropout=config.dropout,
        weight_drop=config.weight_drop,
        members=config.members,
    )


def network_shapes(config: ModelConfig, input_size: int, logits: int) -> Shapes:
    """Return the name and shape of every parameter, in storage order."""
    stack = make_stack(config, input_size)
    width = stack.directions * config.hidden_size
    return stack.shapes | {"output.weight": (logits, width), "output.bias": (logits,)}


class Network:
    """Recurrent layers and a head.

    config       cell, sizes and dropout of the network
    input_size   number of input features per step, or of distinct ids (I)
    logits       number of outputs of the head
    flat         array to keep all parameters in, as views; None: a new one, of zeros until ``init``

    Attributes: ``params``, named views into ``flat``, named as in torch.nn: weight_ih_l0 ...,
    output.weight; ``layers``, those of the recurrent layers, one dict per layer and direction,
    without the suffix in the names: weight_ih ...
    """

    def __init__(
        self, config: ModelConfig, input_size: int, logits: int, flat: Array | None = None
    ) -> None:
        self.config, self.input_size = config, input_size
        self.stack = make_stack(config, input_size)
        self.cell = self.stack.cell
        self.shapes = network_shapes(config, input_size, logits)
        self.flat: Array = np.zeros(self.size, config.dtype) if flat is None else flat
        self.params = views(self.flat, self.shapes)
        self.layers = self.stack.split(self.params)

    @property
    def size(self) -> int:
        """The number of parameters."""
        return count(self.shapes)

    def on(self, flat: Array) -> Self:
        """Return the same network with its parameters in another array."""
        raise NotImplementedError

    def init(self, rng: np.random.Generator) -> Self:
        """Draw initial weights as torch.nn does, open forget gates, and return the network."""
        self.stack.init(self.params, rng)
        for layer in self.layers:
            self.cell.open_forget_gate(layer)
        bound = 1 / math.sqrt(self.shapes["output.weight"][1] / self.config.members)
        for name in ("output.weight", "output.bias"):
            self.params[name][...] = rng.uniform(-bound, bound, self.shapes[name])
        return self

    def zero_state(self, batch_size: int) -> list[State]:
        """Return a zero state, (B, H) arrays, for every layer and direction, bottom layer first."""
        return self.stack.zero_state(batch_size, self.flat.dtype)

    def workspaces(self) -> list[Workspace]:
        """Return new scratch memory for ``forward``: one per run and one for the head."""
        return [*self.stack.workspaces(), Workspace()]

    def head(
        self, features: Array, rng: np.random.Generator | None, workspace: Workspace
    ) -> tuple[Array, Array | None, Array]:
        """Return the logits (..., V) of features (..., D*H), the dropout mask, and the features.

        The returned features are those after dropout. The logits live in the workspace.
        """
        features, mask = self.dropped(features, rng)
        weight = self.merged_output()
        shape = (*features.shape[:-1], len(weight))
        logits = workspace.array("logits", shape, weight.dtype)
        np.dot(_rows(features), weight.T, out=_rows(logits))
        logits += self.params["output.bias"]
        return logits, mask, features

    def dropped(
        self, features: Array, rng: np.random.Generator | None
    ) -> tuple[Array, Array | None]:
        """Return features after dropout, and its mask, if there is a source of randomness."""
        mask = drop_mask(features, self.config.dropout, rng)
        return (features if mask is None else features * mask), mask

    def head_backward(self, cache: NetworkCache, d_logits: Array, grads: Params) -> Array:
        """Write the gradients of the head, and return that of its features, (..., D*H)."""
        rows = _rows(d_logits)
        np.dot(rows.T, _rows(cache.features), out=grads["output.weight"])
        grads["output.weight"] /= self.config.members
        rows.sum(axis=0, out=grads["output.bias"])
        d_features: Array = np.dot(rows, self.merged_output()).reshape(cache.features.shape)
        if cache.mask is not None:
            d_features *= cache.mask
        return d_features

    def merged_output(self) -> Array:
        """Return the output weights that give the mean of the members' logits, (V, D*H)."""
        weight, members = self.params["output.weight"], self.config.members
        return weight / members if members > 1 else weight

    def merged_params(self) -> Params:
        """Return the parameters of the same network without members; see ``ensemble``."""
        whole = expanded(self.params, self.config.members)
        return whole | {"output.weight": self.merged_output()}

    def set_merged(self, params: Params) -> Self:
        """Take over parameters as ``merged_params`` returns them. Returns the network."""
        for name, values in narrowed(params, self.config.members).items():
            self.params[name][...] = values
        self.params["output.weight"] *= self.config.members
        return self

    def new_grads(self) -> Params:
        """Return uninitialized arrays for the gradients, with the keys of ``params``."""
        return {name: np.empty_like(param) for name, param in self.params.items()}


def _rows(steps: Array) -> Array:
    """Return a view (N, F) of an array (..., F)."""
    return steps.reshape(-1, steps.shape[-1])
