"""What predicts after the last few characters of a text, beside a network: n-grams, a memory.

Its state is a context, the key of these characters, beside the state of the network.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.count import Keys
from charrnn.nn.cell import Array
from charrnn.nn.network import LayerStates

if TYPE_CHECKING:
    from charrnn.nn.decoder import Decoder

AnyIds = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]

TINY = np.float32(np.finfo(np.float32).tiny)


class Contexts(Protocol):
    """What is mixed with a network."""

    def feed(self, contexts: Keys, ids: AnyIds) -> Keys:
        """Return the contexts after one more character of each text, ids (B,)."""

    def predict(self, contexts: Keys) -> tuple[Floats, Floats]:
        """Return its share of p of all characters, (B, V), and the weight of the rest, (B, 1)."""


def combine(logits: Array, *parts: tuple[Contexts, Keys]) -> Array:
    """Return log p of all characters, (B, V), from logits of a network, mixed with each part."""
    p: Array = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
    np.exp(p, out=p)
    p /= np.add.reduce(p, axis=1, keepdims=True)
    for part, contexts in parts:
        others, weight = part.predict(contexts)
        p *= weight
        p += others
    np.maximum(p, TINY, out=p)
    return np.log(p, out=p)


class ContextDecoder:
    """A batch of B samples of a network and others; it does what ``Decoder`` does, once started.

    decoder   of the network, for B samples
    parts     what is mixed with it, one over the other; their contexts are the last layers of the
              state
    """

    def __init__(self, decoder: "Decoder", parts: Sequence[Contexts], count: int) -> None:
        self._decoder, self._parts, self._count = decoder, parts, count
        self._contexts = [np.zeros(count, np.uint64) for _ in parts]

    def start(self, state: LayerStates) -> None:
        """Start from a state of all samples, or from that of one."""
        own = len(state) - len(self._parts)
        self._decoder.start(state[:own])
        self._contexts = [np.resize(contexts_of([it]), self._count) for it in state[own:]]

    def feed(self, ids: AnyIds) -> Array:
        """Feed the next character of each sample, (B,), and return log p, (B, V)."""
        each = zip(self._parts, self._contexts, strict=True)
        self._contexts = [part.feed(contexts, ids) for part, contexts in each]
        return self._combine(self._decoder.feed(ids))

    def logits(self) -> Array:
        """Return log p in the present state, (B, V)."""
        return self._combine(self._decoder.logits())

    def _combine(self, logits: Array) -> Array:
        return combine(logits, *zip(self._parts, self._contexts, strict=True))

    def select(self, rows: AnyIds) -> None:
        """Give sample i the state of sample ``rows[i]``."""
        self._decoder.select(rows)
        self._contexts = [contexts[rows] for contexts in self._contexts]

    def state(self) -> LayerStates:
        """Return a copy of the state of all samples."""
        return [*self._decoder.state(), *map(context_layer, self._contexts)]


def context_layer(contexts: Keys) -> tuple[NDArray[Any]]:
    """Return contexts (B,) as the state of a layer."""
    return (contexts[:, None].copy(),)


def contexts_of(state: LayerStates) -> Keys:
    """Return the contexts (B,) of a state whose last layer they are."""
    contexts: NDArray[Any] = state[-1][0]
    return contexts[:, 0]
