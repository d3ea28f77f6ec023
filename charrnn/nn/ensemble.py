"""An ensemble in one network: members that never see each other, and the mean of their logits.

The H units of a network are divided among K members. Between the units of two members every weight
is zero and stays zero, so each layer's W_hh is block-diagonal. While training, each member has
logits of its own and is judged alone; to predict, their mean is taken (Hansen & Salamon 1990; on
logits: a product of experts with equal weights, Hinton 2002):

    training     z_k = W_k h_k + b,   loss = mean over k of cross-entropy(softmax(z_k), target)
    prediction   z   = (1/K) sum_k W_k h_k + b = W h + b   with   W = [W_1 ... W_K] / K

The right-hand side is an ordinary network of H units: whoever writes, scores or exports need not
know that it is an ensemble. On small texts, where one network soon knows the text by heart, several
that err differently predict new text better than one of any size.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Array, Params
from charrnn.nn.loss import softmax_cross_entropy


@functools.cache
def member_mask(hidden_size: int, members: int, gates: int, dtype: str) -> Array:
    """Return 1 for weights within a member and 0 for those between two, (G*H, H). Read-only."""
    owner = np.arange(hidden_size) * members // hidden_size
    mask: Array = np.tile(owner[:, None] == owner, (gates, 1)).astype(dtype)
    mask.flags.writeable = False
    return mask


def member_loss(  # noqa: PLR0913, PLR0917
    features: Array,
    params: Params,
    targets: NDArray[np.integer[Any]],
    members: int,
    grads: Params,
    count: int | None = None,
) -> tuple[float, Array]:
    """Return the mean loss of the members in nats, and its gradient by the features (T, B, H).

    features   hidden states of all members side by side, after dropout, (T, B, H)
    params     of which ``output.weight`` (V, H) and ``output.bias`` (V,) count here
    targets    ids (T, B)
    grads      where the gradients of these two go
    count      as in ``softmax_cross_entropy``
    """
    weight, bias = params["output.weight"], params["output.bias"]
    K, N, V = members, targets.size, len(bias)
    states = features.reshape(N, K, -1).transpose(1, 0, 2)  # (K, N, H/K)
    weights = weight.reshape(V, K, -1).transpose(1, 0, 2)  # (K, V, H/K)
    logits = np.matmul(states, weights.transpose(0, 2, 1)) + bias  # (K, N, V)
    every = np.broadcast_to(targets.reshape(-1), (K, N))
    loss, d_logits = softmax_cross_entropy(logits, every, (count or N) * K)
    d_weights = np.matmul(d_logits.transpose(0, 2, 1), states)  # (K, V, H/K)
    grads["output.weight"][...] = d_weights.transpose(1, 0, 2).reshape(V, -1)
    d_logits.sum(axis=(0, 1), out=grads["output.bias"])
    d_states = np.matmul(d_logits, weights)  # (K, N, H/K)
    return loss, d_states.transpose(1, 0, 2).reshape(features.shape)
