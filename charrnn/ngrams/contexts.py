"""What predicts after the last few characters of a text, beside a network: n-grams, a memory.

Its state is a context, the key of these characters, beside the state of the network.
"""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.count import Keys
from charrnn.nn.cell import Array
from charrnn.nn.network import LayerStates

if TYPE_CHECKING:
    from charrnn.nn.decoder import Decoder

AnyIds = NDArray[np.integer[Any]]


class Contexts(Protocol):
    """What is combined with a network; V characters."""

    def feed(self, contexts: Keys, ids: AnyIds) -> Keys:
        """Return the contexts after one more character of each text, ids (B,)."""

    def combine(self, logits: Array, contexts: Keys) -> Array:
        """Return log p of all characters, (B, V), from logits of a model (B, V)."""


class ContextDecoder:
    """A batch of B samples of two parts; it does what ``Decoder`` does, once it was started.

    decoder   of the network, for B samples; or of the network and n-grams
    part      what is combined with it
    """

    def __init__(self, decoder: "Decoder | ContextDecoder", part: Contexts, count: int) -> None:
        self._decoder, self._part = decoder, part
        self._contexts = np.zeros(count, np.uint64)

    def start(self, state: LayerStates) -> None:
        """Start from a state of all samples, or from that of one."""
        self._decoder.start(state[:-1])
        self._contexts = np.resize(contexts_of(state), len(self._contexts))

    def feed(self, ids: AnyIds) -> Array:
        """Feed the next character of each sample, (B,), and return log p, (B, V)."""
        self._contexts = self._part.feed(self._contexts, ids)
        return self._part.combine(self._decoder.feed(ids), self._contexts)

    def logits(self) -> Array:
        """Return log p in the present state, (B, V)."""
        return self._part.combine(self._decoder.logits(), self._contexts)

    def select(self, rows: AnyIds) -> None:
        """Give sample i the state of sample ``rows[i]``."""
        self._decoder.select(rows)
        self._contexts = self._contexts[rows]

    def state(self) -> LayerStates:
        """Return a copy of the state of all samples."""
        return [*self._decoder.state(), context_layer(self._contexts)]


def context_layer(contexts: Keys) -> tuple[NDArray[Any]]:
    """Return contexts (B,) as the state of a layer."""
    return (contexts[:, None].copy(),)


def contexts_of(state: LayerStates) -> Keys:
    """Return the contexts (B,) of a state whose last layer they are."""
    contexts: NDArray[Any] = state[-1][0]
    return contexts[:, 0]
