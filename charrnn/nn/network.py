"""The language model: recurrent layers, an output layer, a loss, and one flat array of parameters.

    ids (T, B) -> layer 0 -> dropout -> layer 1 -> ... -> dropout -> h W_out^T + b_out -> logits

    loss = mean of -log softmax(logits)[target]        d loss / d logits = (softmax - one_hot) / T*B

All parameters live in one flat array, and each named parameter is a view into it: optimizers,
checkpoints and other processes handle a single array, cells see named matrices.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.config import CellName, ModelConfig, Nonlinearity
from charrnn.nn.cell import Array, Cell, Params, State, draw_weights
from charrnn.nn.gru import GRUCell
from charrnn.nn.lstm import LSTMCell
from charrnn.nn.recurrent import Cache, Mask, Workspace, backpropagate, unroll
from charrnn.nn.rnn import RNNCell

CELLS: dict[str, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}

Shapes = dict[str, tuple[int, ...]]

# States of all layers, bottom first.
LayerStates = list[State]


def make_cell(name: CellName, nonlinearity: Nonlinearity = "tanh") -> Cell:
    """Return the cell of this name; only the plain RNN uses the nonlinearity."""
    return RNNCell(nonlinearity) if name == "rnn" else CELLS[name]()


def param_shapes(config: ModelConfig, vocab_size: int) -> Shapes:
    """Return the name and shape of every parameter of a language model, in storage order."""
    cell, V, H = make_cell(config.cell, config.nonlinearity), vocab_size, config.hidden_size
    layers = {
        f"{name}_l{layer}": shape
        for layer in range(config.layers)
        for name, shape in cell.param_shapes(H if layer else V, H).items()
    }
    return layers | {"output.weight": (V, H), "output.bias": (V,)}


def count_parameters(shapes: Shapes) -> int:
    """Return the total number of elements in these shapes."""
    return sum(math.prod(shape) for shape in shapes.values())


def view_parameters(flat: Array, shapes: Shapes) -> Params:
    """Return named views into a flat array, one after the other."""
    params, start = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        params[name] = flat[start : start + size].reshape(shape)
        start += size
    return params


def drop_mask(array: Array, chance: float, rng: np.random.Generator | None) -> Array | None:
    """Return an inverted-dropout mask for an array, or None without dropout.

    The elements kept are scaled up, so that nothing needs rescaling at inference.
    """
    if rng is None or not chance:
        return None
    # One random byte per element: the probability is rounded to a multiple of 1/256.
    kept = min(max(round(256 * (1 - chance)), 1), 255)
    mask: Array = (rng.integers(256, size=array.shape, dtype=np.uint8) < kept).astype(array.dtype)
    mask *= 256 / kept
    return mask


class LayerPass(NamedTuple):
    """What ``LanguageModel.backward`` needs of a layer.

    cache         what the cell saved
    params        the parameters it used, after weight drop
    weight_mask   mask of the recurrent weights; None without weight drop (Wan et al. 2013)
    mask          mask of the outputs; None without dropout (Zaremba et al. 2014)
    outputs       after dropout, (T, B, H)
    """

    cache: Cache
    params: Params
    weight_mask: Array | None
    mask: Array | None
    outputs: Array


# Bottom layer first.
NetworkCache = list[LayerPass]


class LanguageModel:
    """A recurrent language model (Mikolov et al. 2010), on characters.

        model = LanguageModel(ModelConfig(cell="gru", hidden_size=64), vocab_size=50).init(rng)
        logits, state, cache = model.forward(ids, model.zero_state(B))

    config       cell, sizes and dropout of the network
    vocab_size   number of characters in the vocabulary (V)
    flat         array to keep all parameters in, as views; None: a new one, of zeros until ``init``

    Attributes: ``params``, a dict of named views into ``flat``, named as in torch.nn: weight_ih_l0
    (G*H, V), weight_hh_l0 (G*H, H), bias_ih_l0 and bias_hh_l0 (G*H,), ..., output.weight (V, H),
    output.bias (V,); ``layers``, one dict per layer, without the layer number in the names.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, flat: Array | None = None) -> None:
        self.config, self.vocab_size = config, vocab_size
        self.cell = make_cell(config.cell, config.nonlinearity)
        self.shapes = param_shapes(config, vocab_size)
        size = count_parameters(self.shapes)
        self.flat: Array = np.zeros(size, config.dtype) if flat is None else flat
        self.params, self.dtype = view_parameters(self.flat, self.shapes), self.flat.dtype
        self.layers = self._split(self.params)

    def _split(self, params: Params) -> list[Params]:
        """Return the parameters of each layer, named as the cell names them."""
        names = self.cell.param_shapes(1, 1)
        return [
            {name: params[f"{name}_l{layer}"] for name in names}
            for layer in range(self.config.layers)
        ]

    @property
    def networks(self) -> list["LanguageModel"]:
        """This network: an ensemble of one."""
        return [self]

    def init(self, rng: np.random.Generator, frequencies: Array | None = None) -> "LanguageModel":
        """Draw initial weights as torch.nn does, open forget gates (bias 1), and return the model.

        frequencies   share of each character in the text, (V,). If given, the output bias starts at
                      their logarithms. Otherwise the first steps would learn the frequencies by
                      driving the hidden units into saturation
        """
        H, gate_names = self.config.hidden_size, self.cell.gate_names
        draw_weights(self.params, H, rng)
        for layer in self.layers:
            if "forget" in gate_names:  # Jozefowicz, Zaremba & Sutskever 2015
                start = gate_names.index("forget") * H
                layer["bias_ih"][start : start + H] = 1
                layer["bias_hh"][start : start + H] = 0
        if frequencies is not None:
            self.params["output.bias"][...] = np.log(frequencies)
        return self

    def zero_state(self, batch_size: int) -> LayerStates:
        """Return a zero state, (B, H) arrays, for every layer, bottom layer first."""
        shape, names = (batch_size, self.config.hidden_size), self.cell.state_names
        return [tuple(np.zeros(shape, self.dtype) for _ in names) for _ in self.layers]

    def forward(
        self,
        ids: NDArray[np.integer[Any]],
        state: LayerStates,
        *,
        starts: Mask | None = None,
        dropout_rng: np.random.Generator | None = None,
        workspace: Workspace | None = None,
    ) -> tuple[Array, LayerStates, NetworkCache]:
        """Return logits (T, B, V) for ids (T, B), the final state and a cache for ``backward``.

        state         from ``zero_state`` or an earlier call
        starts        (T, B), True where a sample begins, from a zero state
        dropout_rng   source of the dropout masks; None: no dropout
        workspace     where logits and cache live until the next call with it; None: new memory
        """
        config, workspace = self.config, workspace or Workspace()
        outputs: NDArray[Any] = ids
        final_state, cache = LayerStates(), NetworkCache()
        for number, params in enumerate(self.layers):
            used, space = params, workspace.part(number)
            weight_mask = drop_mask(params["weight_hh"], config.weight_drop, dropout_rng)
            if weight_mask is not None:
                used = params | {"weight_hh": params["weight_hh"] * weight_mask}
            outputs, after, saved = unroll(self.cell, used, outputs, state[number], space, starts)
            mask = drop_mask(outputs, config.dropout, dropout_rng)
            if mask is not None:
                outputs = outputs * mask
            final_state.append(after)
            cache.append(LayerPass(saved, used, weight_mask, mask, outputs))
        weight, (T, B, H) = self.params["output.weight"], outputs.shape
        logits = workspace.array("logits", (T, B, self.vocab_size), weight.dtype)
        np.dot(outputs.reshape(T * B, H), weight.T, out=logits.reshape(T * B, self.vocab_size))
        logits += self.params["output.bias"]
        return logits, final_state, cache

    def backward(self, cache: NetworkCache, d_logits: Array, grads: Params | None = None) -> Params:
        """Return the gradient of every parameter, with the keys of ``params``.

        cache   from ``forward``; consumed by this call
        grads   arrays for the gradients; new ones if None
        """
        grads = grads or {name: np.empty_like(param) for name, param in self.params.items()}
        (T, B, H), rows = cache[-1].outputs.shape, d_logits.reshape(-1, self.vocab_size)
        np.dot(rows.T, cache[-1].outputs.reshape(T * B, H), out=grads["output.weight"])
        rows.sum(axis=0, out=grads["output.bias"])
        d_outputs: Array | None = np.dot(rows, self.params["output.weight"]).reshape(T, B, H)
        passes = zip(cache, self._split(grads), self.zero_state(B), strict=True)
        for layer, own, d_state in reversed([*passes]):
            assert d_outputs is not None  # only ids, below all layers, have no gradient
            if layer.mask is not None:
                d_outputs *= layer.mask
            d_outputs, _ = backpropagate(
                self.cell, layer.params, layer.cache, d_outputs, d_state, own
            )
            if layer.weight_mask is not None:
                own["weight_hh"] *= layer.weight_mask
        return grads

    def loss_and_gradients(
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: LayerStates,
        *,
        starts: Mask | None = None,
        dropout_rng: np.random.Generator | None = None,
        workspace: Workspace | None = None,
        grads: Params | None = None,
        count: int | None = None,
    ) -> tuple[float, Params, LayerStates]:
        """Return the mean cross-entropy in nats per character, its gradients, the final state.

        targets   ids (T, B); targets[t] is the character that follows inputs[t]
        grads     arrays for the gradients; new ones if None
        count     number of targets to average over, if these are part of a larger batch

        The other arguments are those of ``forward``.
        """
        logits, final_state, cache = self.forward(
            inputs, state, starts=starts, dropout_rng=dropout_rng, workspace=workspace
        )
        loss, d_logits = softmax_cross_entropy(logits, targets, count)
        return loss, self.backward(cache, d_logits, grads), final_state


def select_state(state: LayerStates, which: NDArray[np.intp] | slice) -> LayerStates:
    """Return the state of some of B sequences."""
    return [tuple(part[which] for part in layer) for layer in state]


def join_states(states: Iterable[LayerStates]) -> LayerStates:
    """Return the states of all sequences as one."""
    layers = zip(*states, strict=True)
    return [tuple(map(np.concatenate, zip(*layer, strict=True))) for layer in layers]


def log_softmax(logits: Array) -> Array:
    """Return log(softmax(logits)) over the last axis.

    The logits are shifted by their maximum, so that exp cannot overflow.
    """
    shifted: Array = logits - logits.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def softmax_cross_entropy(
    logits: Array, targets: NDArray[np.integer[Any]], count: int | None = None
) -> tuple[float, Array]:
    """Return the mean of -log p(target) in nats, and its gradient with respect to the logits.

    logits    (..., V)
    targets   ids (...)
    count     number of targets to average over, if these are part of a larger batch. None: the
              number of ``targets``
    """
    count = count or targets.size
    log_p = log_softmax(logits)
    rows = targets[..., None].astype(np.intp)
    nats = np.take_along_axis(log_p, rows, axis=-1)
    d_logits = np.exp(log_p, out=log_p)
    np.put_along_axis(d_logits, rows, np.take_along_axis(d_logits, rows, axis=-1) - 1, axis=-1)
    d_logits /= count
    return 0.0 - float(nats.sum(dtype=np.float64)) / count, d_logits
