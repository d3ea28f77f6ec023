"""Recurrent networks on arrays, with hand-written backpropagation through time.

Axes, in this order in every shape, as in torch.nn:

    G  gates of a cell (rnn 1, gru 3, lstm 4)       I  input features
    T  time steps                                   H  hidden units
    B  samples in a mini-batch                      V  characters in the vocabulary
    L  stacked layers                               D  directions, 1 or 2

Weights have PyTorch's shapes and names: weight_ih (G*H, I), weight_hh (G*H, H), bias_ih and bias_hh
(G*H,). In activations the gate axis comes first, (G, T, B, H): one gate of all time steps is a
matrix (T*B, H) without a copy, and one gate of one time step is contiguous in memory.

Arguments with the same meaning everywhere:

    ids         (T, B), each from 0 to V - 1; as inputs they stand for one-hot vectors
    inputs      ids, or features (T, B, I)
    state       hidden state before the first time step, (B, H) arrays, of each layer in turn
    starts      (T, B), True where a sample begins: the state before that time step is zero
    workspace   where outputs and cache live until the next call with it; None: new memory
    cache       what a forward pass saves for the backward pass, which consumes it
    d_x         gradient of the loss with respect to x, in the shape of x
"""
