"""An ensemble in one network: members that never see each other, and the mean of their logits.

The H units of a network are divided among K members. Between the units of two members every weight
is zero and stays zero, so each layer's W_hh is block-diagonal. While training, each member has
logits of its own and is judged alone; to predict, their mean is taken (Hansen & Salamon 1990; on
logits: a product of experts with equal weights, Hinton 2002):

    training     z_k = W_k h_k + b,   loss = mean over k of cross-entropy(softmax(z_k), target)
    prediction   z   = (1/K) sum_k W_k h_k + b = W h + b   with   W = [W_1 ... W_K] / K

The right-hand side is an ordinary network of H units: whoever exports it need not know that it is
an ensemble. Whoever knows multiplies H^2/K recurrent weights instead of H^2. On small texts, where
one network soon knows the text by heart, several that err differently predict new text better than
one of any size; and on a machine of many cores, members can be trained by processes of their own.
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


def connects_units(name: str) -> bool:
    """Return True for a parameter that connects hidden units with hidden units, (G*H, H)."""
    return name.startswith("weight_hh") or (
        name.startswith("weight_ih") and not name.startswith("weight_ih_l0")
    )


def separate_members(params: Params, members: int) -> int:
    """Return the number of members, or 1 if a weight between two of them is not 0.

    params   named as in ``LanguageModel``
    """
    if members == 1:
        return 1
    for name, array in params.items():
        if connects_units(name):
            H = array.shape[1]
            mask = member_mask(H, members, len(array) // H, array.dtype.name)
            if array[mask == 0].any():
                return 1
    return members


def member_views(params: Params, members: int, member: int) -> Params:
    """Return what of each parameter belongs to a member, as views, gate by gate.

    With h = H/K: (G, h, h) of weights between units, (G, h, I) of input weights, (G, h) of biases,
    (V, h) of the output weights, and the whole output bias, which the members share. In C order,
    each has the elements of the parameter of a network of h units.
    """
    own = params["output.weight"].shape[1] // members
    found = {"output.bias": params["output.bias"]}
    for name, array in params.items():
        if name == "output.weight":
            found[name] = array.reshape(len(array), members, own)[:, member]
        elif name != "output.bias":
            rows = array.reshape(-1, members, own, *array.shape[1:])[:, member]
            if connects_units(name):
                rows = rows.reshape(*rows.shape[:2], members, own)[:, :, member]
            found[name] = rows
    return found


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
