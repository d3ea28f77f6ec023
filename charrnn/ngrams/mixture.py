"""A network and the n-grams of its text as one language model: a linear mixture.

    p(c | text) = w p_network(c | text) + (1 - w) q(c | text)

    q(c) = p_network(S) p_ngrams(c) / p_ngrams(S)   if c is one of the spelled characters S
           p_network(c)                             if not

A network is slow to learn which letters follow each other; a table knows it at once, and nothing
beyond its few characters (Mikolov et al. 2011). Where a line, a verse or a poem ends, a network may
know better. So n-grams share out only the probability that the network gives to S as a whole: all
characters, all but what ends lines and pieces, or only letters, marks, digits and the space. The
held-out text decides; see ``fitting``.

The weight w depends on how often the text had the context: on the gamma of its longest suffix in
the table, by which contexts fall into GROUPS; see ``fitting``. A memory of what is read is mixed
with both; see ``memory``.

    mixture = Mixture(network, ngrams)
    log_p, state, _ = mixture.forward(ids, state)             # (T, B, V)
    decoder = MixtureDecoder(mixture, [ngrams.tree, memory], B)
    p = decoder.feed(ids)                                     # (B, V), up to a factor
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.ngrams.contexts import AnyIds, Floats
from charrnn.ngrams.kneser_ney import NGrams
from charrnn.nn.cell import Array
from charrnn.nn.decoder import Decoder
from charrnn.nn.ensemble import AnyLanguageModel, Ensemble
from charrnn.nn.network import LayerStates, NetworkCache
from charrnn.nn.recurrent import Workspace

Contexts = NDArray[Any]

# Below every probability that counts: log p is finite.
TINY = 1e-38


class Component(Protocol):
    """N-grams or a memory. Its state is a context: what it keeps of the last characters."""

    def feed(self, contexts: Contexts, ids: AnyIds) -> Contexts:
        """Return the contexts after one more character of each text, ids (B,)."""

    def mix(self, p: Floats, contexts: Contexts) -> None:
        """Mix its prediction into p of all characters, (B, V), up to a factor, in place."""


def exp_logits(logits: Array) -> Floats:
    """Return p of all characters, (B, V), up to a factor for each row: that of the largest is 1."""
    top = np.maximum.reduce(logits, axis=1, keepdims=True)
    p: Floats = np.subtract(logits, top, dtype=np.float64)
    return np.exp(p, out=p)


def log_normalized(p: Array) -> Floats:
    """Return log p of all characters, (B, V), from p up to a factor for each row."""
    log_p: Floats = np.log(np.maximum(p / p.sum(axis=1, keepdims=True), TINY))
    return log_p


class MixtureDecoder:
    """A batch of texts that are written one character at a time, from ``start`` on.

    model        the network, or a mixture, of which the networks count
    components   what is mixed with it, each with the network and those before it; their contexts
                 are the last layers of the state
    count        number of texts (B)
    """

    def __init__(
        self, model: AnyLanguageModel, components: Sequence[Component], count: int
    ) -> None:
        self._network, self.components, self._count = Decoder(model, count), components, count
        self._contexts: list[Contexts] = []

    def start(self, state: LayerStates, row: int | None = None) -> None:
        """Start from a state of all texts, or from that of one.

        row   of the only text that starts; the others go on
        """
        own = len(state) - len(self.components)
        self._network.start(state[:own], row)
        if row is None:
            self._contexts = [np.resize(contexts, self._count) for (contexts,) in state[own:]]
            return
        for contexts, (start,) in zip(self._contexts, state[own:], strict=True):
            contexts[row] = start.item()

    def feed(self, ids: AnyIds) -> Floats:
        """Feed the next character of each text, (B,), and return what ``predict`` returns."""
        each = zip(self.components, self._contexts, strict=True)
        self._contexts = [component.feed(contexts, ids) for component, contexts in each]
        return self._mix(self._network.feed(ids))

    def predict(self) -> Floats:
        """Return p of the next character of each text, (B, V), up to a factor for each row."""
        return self._mix(self._network.logits())

    def _mix(self, logits: Array) -> Floats:
        p = exp_logits(logits)
        for component, contexts in zip(self.components, self._contexts, strict=True):
            component.mix(p, contexts)
        return p

    def select(self, rows: AnyIds) -> None:
        """Give text i the state of text ``rows[i]``."""
        self._network.select(rows)
        self._contexts = [contexts[rows] for contexts in self._contexts]

    def state(self) -> LayerStates:
        """Return a copy of the state of all texts."""
        return [*self._network.state(), *((contexts.copy(),) for contexts in self._contexts)]


class Mixture(Ensemble):
    """The networks of an ensemble and n-grams, as one language model of V characters.

    network   a language model of V characters
    ngrams    of the same V characters, with the weights of the network

    Its logits are log p. Its state is that of the ensemble and, like a further layer, the contexts
    of the n-grams, (B,).
    """

    def __init__(self, network: AnyLanguageModel, ngrams: NGrams) -> None:
        super().__init__(network.networks)
        self.ngrams = ngrams

    def zero_state(self, batch_size: int) -> LayerStates:
        """Return the state of texts that have not begun."""
        contexts: Contexts = np.zeros(batch_size, np.intp)
        return [*super().zero_state(batch_size), (contexts,)]

    def forward(
        self, ids: AnyIds, state: LayerStates, *, workspace: Workspace | None = None
    ) -> tuple[Array, LayerStates, list[NetworkCache]]:
        """Return log p (T, B, V) and what else ``Ensemble.forward`` returns."""
        *networks, layer = state
        logits, after, cache = super().forward(ids, networks, workspace=workspace)
        contexts: Contexts = self.ngrams.tree.read(np.asarray(layer[0], np.intp), ids)
        p = exp_logits(logits.reshape(ids.size, -1))
        self.ngrams.tree.mix(p, contexts.ravel())
        return log_normalized(p).reshape(logits.shape), [*after, (contexts[-1],)], cache

    def log_probabilities(
        self,
        inputs: AnyIds,
        targets: AnyIds,
        state: LayerStates | None = None,
        workspace: Workspace | None = None,
    ) -> tuple[Array, LayerStates]:
        """Return log p of targets (T, B), and the state; as ``Ensemble.log_probabilities``."""
        *networks, layer = state or self.zero_state(inputs.shape[1])
        logits, after, _ = super().forward(inputs, networks, workspace=workspace)
        p_all = np.exp(logits - logits.max(axis=-1, keepdims=True))
        p_all /= p_all.sum(axis=-1, keepdims=True)
        p = np.take_along_axis(p_all, targets[..., None].astype(np.intp), axis=-1)
        p_spelled = p_all @ self.ngrams.spelled.astype(p_all.dtype)
        tree = self.ngrams.tree
        contexts: Contexts = tree.read(np.asarray(layer[0], np.intp), inputs)
        p = tree.mix_targets(p.ravel(), p_spelled.ravel(), contexts.ravel(), targets.ravel())
        log_p = np.log(np.maximum(p, TINY)).reshape(targets.shape)
        return log_p, [*after, (contexts[-1],)]
