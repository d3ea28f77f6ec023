"""Recurrent networks on arrays, with hand-written backpropagation through time.

Axes, in this order in every shape, as in torch.nn:

    G  gates of a cell (rnn 1, gru 3, lstm 4)       I  input features
    T  time steps                                   H  hidden units
    B  samples in a mini-batch                      V  characters in the vocabulary
    L  stacked layers                               D  directions, 1 or 2

Weights have PyTorch's shapes and names: weight_ih (G*H, I), weight_hh (G*H, H), bias_ih and bias_hh
(G*H,). In activations the gate axis comes first, (G, T, B, H): one gate of all time steps is a
matrix (T*B, H) without a copy, and one gate of one time step is contiguous in memory.

    rnn, lstm, gru    the equations of one time step, forward and backward
    recurrent         the loop over time
    stack             recurrent layers on top of each other
    network           the language model: a stack, the output layer, the loss
    ensemble          several language models whose logits are averaged
    decoder           the language model one character at a time, for sampling
    layers            the same layers behind the interface of torch.nn
"""
