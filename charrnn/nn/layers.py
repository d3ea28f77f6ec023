"""Recurrent layers compatible with torch.nn: same options, shapes, parameter names and results.

    layer = LSTM(input_size=10, hidden_size=20, num_layers=2, bidirectional=True)
    output, (h_n, c_n) = layer(inputs)                  # as torch.nn.LSTM

They use the same cells as the language model. Unlike PyTorch, they have no autograd: ``forward``
also returns a cache, and ``backward`` takes the cache and returns the gradients.

    output, state, cache = layer.forward(inputs, state)
    grads, d_inputs, d_state = layer.backward(cache, d_output, d_state)

Shapes, with T time steps, B samples, I input features, H hidden units, L layers, D directions:

    inputs    (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sample;
              integer ids (T, B) stand for one-hot vectors
    output    (T, B, D*H), with the axes in the same order as the inputs
    state     (L*D, B, H), or (L*D, H) for a single sample; for an LSTM the pair (h, c)

Parameters: ``weight_ih_l{k}``, ``weight_hh_l{k}``, ``bias_ih_l{k}``, ``bias_hh_l{k}``, with the
suffix ``_reverse`` for the second direction. The gates are stacked in the order i, f, g, o (LSTM)
and r, z, n (GRU). Initial values are drawn from U(-1/sqrt(H), 1/sqrt(H)).
"""

from dataclasses import KW_ONLY, dataclass

from charrnn.config import Nonlinearity
from charrnn.errors import ConfigError
from charrnn.nn.cells import Cell, GRUCell, LSTMCell, RNNCell
from charrnn.nn.layer import Layers


@dataclass(eq=False)
class RNN(Layers):
    """Elman RNN, compatible with torch.nn.RNN (Elman 1990, "Finding structure in time").

        h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)      act = tanh or relu

        layer = RNN(input_size=10, hidden_size=20, nonlinearity="relu")
        output, h_n = layer(inputs)            # or layer(inputs, h_0)

    Constructor arguments; those from ``bias`` on are keyword-only:

    input_size     number of input features (I), or of distinct ids
    hidden_size    hidden units per layer and direction (H)
    num_layers     number of stacked layers (L)
    nonlinearity   activation: "tanh" or "relu"
    bias           whether the layers have biases; if False, they act as zeros
    batch_first    if True, inputs and output are (B, T, ...); states keep their shape
    dropout        probability of dropping each output between layers; used by ``forward`` with rng
    bidirectional  if True, also read the sequence backward (Schuster & Paliwal 1997): D is 2
    dtype          "float32" or "float64", for weights and arithmetic
    rng            NumPy generator for the initial weights; None: a fresh random seed

    Shapes, with T time steps, B samples and D directions; a single sample has no axis B:

    inputs         (T, B, I), or (B, T, I) with batch_first; integer ids (T, B) stand for one-hot
    h_0, h_n       initial state (zeros by default) and final state, (L*D, B, H)
    output         h_t of the last layer at every step, (T, B, D*H), or (B, T, D*H)

    Attributes: ``params``, a dict from PyTorch's parameter names to views of ``flat``, the array of
    all parameters: weight_ih_l0 (H, I), weight_hh_l0 (H, H), bias_ih_l0 and bias_hh_l0 (H,), ...
    Raises ConfigError for a size below 1, a dropout outside [0, 1), or an unknown nonlinearity or
    dtype.
    """

    nonlinearity: Nonlinearity = "tanh"

    def _cell(self) -> Cell:
        if self.nonlinearity not in {"tanh", "relu"}:
            raise ConfigError(f"nonlinearity must be tanh or relu, not {self.nonlinearity}")
        return RNNCell(self.nonlinearity)


@dataclass(eq=False)
class LSTM(Layers):
    """LSTM, compatible with torch.nn.LSTM.

    Hochreiter & Schmidhuber 1997, "Long short-term memory"; forget gate: Gers, Schmidhuber &
    Cummins 2000, "Learning to forget".

        i, f, o = sigmoid(W x_t + b + U h_(t-1) + b'), each gate with its own W, U, b, b'
        g = tanh(W x_t + b + U h_(t-1) + b')
        c_t = f * c_(t-1) + i * g              h_t = o * tanh(c_t)

        layer = LSTM(input_size=10, hidden_size=20, num_layers=2)
        output, (h_n, c_n) = layer(inputs)     # or layer(inputs, (h_0, c_0))

    Constructor arguments; those from ``bias`` on are keyword-only:

    input_size     number of input features (I), or of distinct ids
    hidden_size    hidden units per layer and direction (H)
    num_layers     number of stacked layers (L)
    bias           whether the layers have biases; if False, they act as zeros
    batch_first    if True, inputs and output are (B, T, ...); states keep their shape
    dropout        probability of dropping each output between layers; used by ``forward`` with rng
    bidirectional  if True, also read the sequence backward (Schuster & Paliwal 1997): D is 2
    dtype          "float32" or "float64", for weights and arithmetic
    rng            NumPy generator for the initial weights; None: a fresh random seed
    peephole       if True, the output gate also sees the new cell state (Gers & Schmidhuber 2000),
                   through a full matrix weight_co_l{k} (H, H); PyTorch has no such option

    Shapes, with T time steps, B samples and D directions; a single sample has no axis B:

    inputs         (T, B, I), or (B, T, I) with batch_first; integer ids (T, B) stand for one-hot
    h_0, c_0       initial hidden and cell state (zeros by default), (L*D, B, H) each
    h_n, c_n       final hidden and cell state, (L*D, B, H) each
    output         h_t of the last layer at every step, (T, B, D*H), or (B, T, D*H)

    Attributes: ``params``, a dict from PyTorch's parameter names to views of ``flat``, the array of
    all parameters: weight_ih_l0 (4*H, I), weight_hh_l0 (4*H, H), bias_ih_l0 and bias_hh_l0 (4*H,),
    ..., with the gates stacked in the order i, f, g, o. Raises ConfigError for a size below 1, a
    dropout outside [0, 1), or an unknown dtype.
    """

    _: KW_ONLY
    peephole: bool = False

    def _cell(self) -> Cell:
        return LSTMCell(peephole=self.peephole)


@dataclass(eq=False)
class GRU(Layers):
    """GRU, compatible with torch.nn.GRU.

    Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder"; as in PyTorch,
    the reset gate multiplies the recurrent product, not the state.

        r, z = sigmoid(W x_t + b + U h_(t-1) + b'), each gate with its own W, U, b, b'
        n = tanh(W x_t + b + r * (U h_(t-1) + b'))
        h_t = (1 - z) * n + z * h_(t-1)

        layer = GRU(input_size=10, hidden_size=20, num_layers=2)
        output, h_n = layer(inputs)            # or layer(inputs, h_0)

    Constructor arguments; those from ``bias`` on are keyword-only:

    input_size     number of input features (I), or of distinct ids
    hidden_size    hidden units per layer and direction (H)
    num_layers     number of stacked layers (L)
    bias           whether the layers have biases; if False, they act as zeros
    batch_first    if True, inputs and output are (B, T, ...); states keep their shape
    dropout        probability of dropping each output between layers; used by ``forward`` with rng
    bidirectional  if True, also read the sequence backward (Schuster & Paliwal 1997): D is 2
    dtype          "float32" or "float64", for weights and arithmetic
    rng            NumPy generator for the initial weights; None: a fresh random seed

    Shapes, with T time steps, B samples and D directions; a single sample has no axis B:

    inputs         (T, B, I), or (B, T, I) with batch_first; integer ids (T, B) stand for one-hot
    h_0, h_n       initial state (zeros by default) and final state, (L*D, B, H)
    output         h_t of the last layer at every step, (T, B, D*H), or (B, T, D*H)

    Attributes: ``params``, a dict from PyTorch's parameter names to views of ``flat``, the array of
    all parameters: weight_ih_l0 (3*H, I), weight_hh_l0 (3*H, H), bias_ih_l0 and bias_hh_l0 (3*H,),
    ..., with the gates stacked in the order r, z, n. Raises ConfigError for a size below 1, a
    dropout outside [0, 1), or an unknown dtype.
    """

    def _cell(self) -> Cell:
        return GRUCell()
