"""An ensemble in one network: members that never see each other, and the mean of their logits.

The H units of a network are divided among K members, and each is connected to the H/K units of its
own member only: W_hh is block-diagonal, and its blocks are all that is stored, (G*H, H/K). While
training, each member has logits of its own and is judged alone; to predict, their mean is taken
(Hansen & Salamon 1990; on logits: a product of experts with equal weights, Hinton 2002):

    training     z_k = W_k h_k + b,   loss = mean over k of cross-entropy(softmax(z_k), target)
    prediction   z   = (1/K) sum_k W_k h_k + b = W h + b   with   W = [W_1 ... W_K] / K

The right-hand side is an ordinary network of H units: whoever exports it need not know that it is
an ensemble (``expanded`` adds the zeros). On small texts, where one network soon knows the text by
heart, several that err differently predict new text better than one of any size; and on a machine
of many cores, members can be trained by processes of their own.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cells import Array, Params
from charrnn.nn.loss import softmax_cross_entropy
from charrnn.nn.parameters import Shapes, views


def connects_units(name: str) -> bool:
    """Return True for a parameter that connects hidden units with hidden units."""
    return name.startswith("weight_hh") or (
        name.startswith("weight_ih") and not name.startswith("weight_ih_l0")
    )


def expanded(params: Params, members: int) -> Params:
    """Return the parameters of an ensemble with zeros between its members.

    params   named as in ``LanguageModel``; weights between units (G*H, H/K) become (G*H, H)
    """
    found = dict(params)
    for name, array in params.items():
        if members > 1 and connects_units(name):
            own, number = array.shape[1], np.arange(members)
            found[name] = np.zeros((len(array), members * own), array.dtype)
            by_member = array.reshape(-1, members, own, own).swapaxes(0, 1)  # (K, G, H/K, H/K)
            _blocks(found[name], members)[:, number, :, number] = by_member
    return found


def narrowed(params: Params, members: int) -> Params:
    """Return what ``expanded`` was given."""
    found = dict(params)
    for name, array in params.items():
        if members > 1 and connects_units(name):
            number = np.arange(members)
            own = _blocks(array, members)[:, number, :, number]  # (K, G, H/K, H/K)
            found[name] = own.swapaxes(0, 1).reshape(len(array), -1)
    return found


def narrowed_flat(flat: Array, shapes: Shapes, members: int) -> Array:
    """Return a flat array of all parameters without what is between two members.

    shapes   of the parameters in ``flat``, with weights between units (G*H, H)
    """
    parts = narrowed(views(flat, shapes), members).values()
    return np.concatenate([part.ravel() for part in parts])


def separate_members(params: Params, members: int) -> int:
    """Return the number of members, or 1 if a weight between two of them is not 0.

    params   named as in ``LanguageModel``, with weights between units (G*H, H)
    """
    between = ~np.eye(members, dtype=bool)
    for name, array in params.items():
        if members > 1 and connects_units(name):
            blocks = _blocks(array, members).swapaxes(1, 2)  # (G, H/K, K, K, H/K)
            if any(blocks[gate][:, between].any() for gate in range(len(blocks))):
                return 1
    return members


def _blocks(array: Array, members: int) -> Array:
    """Return a view (G, K, H/K, K, H/K) of weights (G*H, H)."""
    own = array.shape[1] // members
    return array.reshape(-1, members, own, members, own)


def member_views(params: Params, members: int, which: slice) -> Params:
    """Return what of each parameter belongs to some members, as views, gate by gate.

    which   the members, k of them

    With h = H/K: (G, k, h, h) of weights between units, (G, k, h, I) of input weights, (G, k, h) of
    biases, (V, k, h) of the output weights, and the whole output bias, which all members share. In
    C order, each has the elements of the parameter of an ensemble of k members of h units.
    """
    own = params["output.weight"].shape[1] // members
    found = {"output.bias": params["output.bias"]}
    for name, array in params.items():
        if name == "output.weight":
            found[name] = array.reshape(len(array), members, own)[:, which]
        elif name != "output.bias":
            found[name] = array.reshape(-1, members, own, *array.shape[1:])[:, which]
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
