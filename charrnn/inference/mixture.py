"""The network and the n-grams of its text as one language model: a mixture of the two.

    p(c | text) = w p_network(c | text) + (1 - w) p_ngrams(c | text)

A network is slow to learn which letters follow each other; a table knows it at once, and nothing
beyond its few characters (Mikolov et al. 2011 mix the two in the same way). The weight w depends on
how often the text had the context before: on the group of its node, see ``ngrams.table``. It is
fitted to held-out text by expectation maximization (Jelinek & Mercer 1980): the share of the
network is how much of what was predicted is its work,

    w = mean of w p_network / (w p_network + (1 - w) p_ngrams)

over the characters of a group, beside CAUTION further ones that speak for the weight of all groups
together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.predictor import NetworkPredictor, Prediction, StepDecoder
from charrnn.ngrams.cursor import Cursor, OneCursor, make_cursor
from charrnn.ngrams.table import GROUPS, NGramTable
from charrnn.ngrams.tree import States
from charrnn.nn.cells import Array, Workspace
from charrnn.nn.decoder import Decoder
from charrnn.nn.language_model import LanguageModel, ModelState
from charrnn.nn.loss import target_log_probabilities
from charrnn.nn.network import NetworkCache
from charrnn.text.split import WINDOW, streams
from charrnn.text.vocabulary import Ids

# The weight where nothing is held out to fit it to.
DEFAULT_WEIGHT = 0.7

# Held-out characters that the weights are fitted to, at most.
MAX_FITTED = 50_000

ROUNDS = 50
CAUTION = 30

# Below the smallest probability that a sound table has.
TINY = np.array(np.finfo(np.float32).tiny)

Weights = NDArray[np.float64]


class Mixture:
    """A network and a table of n-grams as one language model.

    network   of V characters
    table     of the same V characters
    weights   of the network, for each group of contexts, (GROUPS,), from 0 to 1

    It is a ``Predictor``, and has what scoring needs of a ``LanguageModel``. Its state is that of
    the network and, like a further layer, the node of the table, (B, 1).
    """

    def __init__(self, network: LanguageModel, table: NGramTable, weights: Weights) -> None:
        self.network, self.table = network, table
        self.vocab_size, self.config, self.cell = network.vocab_size, network.config, network.cell
        # From a node without entries all goes on as from its longest suffix that has some.
        self._weights = weights.astype(np.float32)[table.groups[table.chains[:, 0]]]

    def zero_state(self, batch_size: int) -> ModelState:
        """Return the state before the first character of so many texts."""
        return [*self.network.zero_state(batch_size), _layer(self.table.start(batch_size))]

    def workspaces(self) -> list[Workspace]:
        """Return scratch memory for ``log_probabilities``."""
        return self.network.workspaces()

    @property
    def flat(self) -> Array:
        """The parameters of the network."""
        return self.network.flat

    def forward(
        self,
        ids: NDArray[np.integer[Any]],
        state: ModelState,
        *,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ModelState, NetworkCache]:
        """See ``LanguageModel.forward``; logits (T, B, V) are log p."""
        logits, after, cache = self.network.forward(ids, state[:-1], workspaces=workspaces)
        nodes = self.table.read(self.nodes(state), ids)
        cursor = self.cursor(nodes.ravel())
        log_p = self.mixed(logits.reshape(nodes.size, -1), cursor).reshape(logits.shape)
        return log_p, [*after, _layer(nodes[-1])], cache

    def log_probabilities(
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: ModelState | None = None,
        workspaces: Sequence[Workspace] | None = None,
    ) -> tuple[Array, ModelState]:
        """See ``LanguageModel.log_probabilities``."""
        state = state or self.zero_state(inputs.shape[1])
        log_p, after = self.network.log_probabilities(inputs, targets, state[:-1], workspaces)
        nodes = self.table.read(self.nodes(state), inputs)
        share = self._weights[nodes]
        p = np.exp(log_p, out=log_p)
        p *= share
        p += (1 - share) * self.table.probabilities(nodes, targets)
        return np.log(np.maximum(p, TINY)), [*after, _layer(nodes[-1])]

    def read(self, ids: Ids, state: ModelState | None = None) -> Prediction:
        """See ``Predictor.read``."""
        state = state or self.zero_state(1)
        found = NetworkPredictor(self.network).read(ids, state[:-1])
        nodes = self.table.read(self.nodes(state), np.asarray(ids)[:, None])[-1]
        logits = self.mixed(found.logits[None], self.cursor(nodes))[0]
        return Prediction(logits, [*found.state, _layer(nodes)])

    def decoder(self, count: int) -> StepDecoder:
        """See ``Predictor.decoder``."""
        return _MixtureDecoder(self, count)

    def nodes(self, state: ModelState) -> States:
        """Return the nodes (B,) of a state, which may come from a file."""
        nodes: NDArray[Any] = state[-1][0][:, 0]
        return self.table.sound(nodes)

    def cursor(self, nodes: States) -> Cursor:
        """Return where texts stand in the table, from nodes (B,)."""
        return make_cursor(self.table.rows, nodes)

    def mixed(self, logits: Array, cursor: Cursor) -> Array:
        """Return log p of all characters, (B, V), from logits (B, V) of the network."""
        if isinstance(cursor, OneCursor):
            return self._mixed_one(logits[0], cursor)[None]
        p: Array = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
        np.exp(p, out=p)
        share = self._weights.take(cursor.nodes)
        p *= (share / np.add.reduce(p, axis=1))[:, None]
        p += cursor.p(1 - share)
        np.maximum(p, TINY, out=p)
        return np.log(p, out=p)

    def _mixed_one(self, logits: Array, cursor: OneCursor) -> Array:
        """Do what ``mixed`` does, (V,), to the same last bit but faster."""
        p: Array = logits - np.maximum.reduce(logits)
        np.exp(p, out=p)
        share = self._weights[cursor.node]
        p *= share / np.add.reduce(p)
        p += cursor.p(1 - share)
        np.maximum(p, TINY, out=p)
        return np.log(p, out=p)


class _MixtureDecoder:
    """The network's decoder, and where its samples stand in the table."""

    def __init__(self, mixture: Mixture, count: int) -> None:
        self._mixture, self._decoder = mixture, Decoder(mixture.network, count)
        self._cursor = mixture.cursor(mixture.table.start(count))

    def start(self, state: ModelState) -> None:
        self._decoder.start(state[:-1])
        self._cursor.start(self._mixture.nodes(state))

    def feed(self, ids: NDArray[np.integer[Any]]) -> Array:
        logits = self._decoder.feed(ids)
        self._cursor.feed(ids)
        return self._mixture.mixed(logits, self._cursor)

    def logits(self) -> Array:
        return self._mixture.mixed(self._decoder.logits(), self._cursor)

    def select(self, rows: NDArray[np.integer[Any]]) -> None:
        self._decoder.select(rows)
        self._cursor.select(rows)

    def state(self) -> ModelState:
        return [*self._decoder.state(), _layer(self._mixture.table.sound(self._cursor.nodes))]


# What predicts the next character of a text.
AnyLanguageModel = LanguageModel | Mixture


def _layer(nodes: States) -> tuple[NDArray[Any]]:
    """Return nodes (B,) as the state of a layer."""
    return (nodes[:, None].copy(),)


def fit_weights(
    network: LanguageModel, table: NGramTable, ids: Ids, line_break: int | None = None
) -> tuple[Weights, float]:
    """Return the weights of a mixture that predicts a text best, and its nats per character.

    network, table   of the mixture
    ids              a text that neither was made from, (N,), at least two characters
    line_break       id of the line break, if the text is one of flat lines, each from a zero state
    """
    own, others, groups = _both(network, table, ids[:MAX_FITTED], line_break)
    alike = np.zeros_like(groups)
    whole = np.full(GROUPS, _expected(own, others, alike, np.full(1, DEFAULT_WEIGHT), 0)[0])
    weights = _expected(own, others, groups, whole, CAUTION)
    share = weights[groups]
    return weights, -float(np.log(share * own + (1 - share) * others).mean())


def _expected(
    own: Array, others: Array, groups: NDArray[np.int64], start: Weights, caution: float
) -> Weights:
    """Return the weights of all groups by expectation maximization; see the top of this file."""
    count, weights = len(start), start
    sizes = np.bincount(groups, minlength=count) + caution
    for _ in range(ROUNDS):
        share = weights[groups]
        work = share * own / (share * own + (1 - share) * others)
        weights = (np.bincount(groups, work, count) + caution * start) / np.maximum(sizes, 1)
    return weights


def _both(
    network: LanguageModel, table: NGramTable, ids: Ids, line_break: int | None
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return p of each character under both models, and the group of its context, (N,) each."""
    inputs, targets = streams(ids)
    count, workspaces, log_p = inputs.shape[1], network.workspaces(), []
    state = network.zero_state(count)
    for at in range(0, len(inputs), WINDOW):
        part = inputs[at : at + WINDOW]
        starts = None if line_break is None else part == line_break
        logits, state, _ = network.forward(part, state, starts=starts, workspaces=workspaces)
        log_p.append(target_log_probabilities(logits, targets[at : at + WINDOW]))
    nodes = table.read(table.start(count), inputs)
    own = np.exp(np.concatenate(log_p), dtype=np.float64).ravel()
    others = table.probabilities(nodes, targets).astype(np.float64).ravel()
    return own, np.maximum(others, TINY), table.groups[nodes].ravel()
