"""Several language models that predict together: a mixture of their distributions.

    p(c) = sum_m w_m p_m(c)

Models are matched by character. A character that a model does not know has probability 0 in it; if
it is fed all the same, because another model wrote it, the state of this model stays as it is.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.inference.predictor import Prediction, Predictor, StepDecoder
from charrnn.nn.cells import Array
from charrnn.nn.language_model import ModelState
from charrnn.nn.loss import log_softmax
from charrnn.text.vocabulary import Ids, Vocabulary


class Part(NamedTuple):
    """One model of a blend of V characters.

    predictor   the model, of V_m characters
    log_weight  log of its weight
    columns     id in the blend of each of its characters, (V_m,)
    own         its id for each character of the blend, -1 for those it does not know, (V,)
    layers      number of layers, and so of states
    """

    predictor: Predictor
    log_weight: float
    columns: NDArray[np.int64]
    own: NDArray[np.int64]
    layers: int


class Blend:
    """A mixture of language models.

    models       pairs of a predictor and its vocabulary
    weights      of the models: not negative, at least one above 0

    Attributes: ``vocabulary``, the characters of all models with their counts together.

    Raises ConfigError for other weights.
    """

    def __init__(
        self, models: Sequence[tuple[Predictor, Vocabulary]], weights: Sequence[float]
    ) -> None:
        total = sum(weights)
        if not (all(weight >= 0 for weight in weights) and 0 < total < np.inf):
            raise ConfigError(
                "the weights of blended models must not be negative, and one must be above 0",
                hint="for example -c a.npz:0.7 -c b.npz:0.3",
            )
        self.vocabulary = _united([vocabulary for _, vocabulary in models])
        self.vocab_size = len(self.vocabulary)
        self._parts = [
            self._part(predictor, vocabulary, weight / total)
            for (predictor, vocabulary), weight in zip(models, weights, strict=True)
        ]

    def _part(self, predictor: Predictor, vocabulary: Vocabulary, weight: float) -> Part:
        columns = self.vocabulary.encode(vocabulary.characters).astype(np.int64)
        own = np.full(self.vocab_size, -1)
        own[columns] = np.arange(len(columns))
        layers = len(predictor.decoder(1).state())
        with np.errstate(divide="ignore"):
            return Part(predictor, float(np.log(weight)), columns, own, layers)

    def read(self, ids: Ids, state: ModelState | None = None) -> Prediction:
        """See ``Predictor.read``.

        A model that knows no character of the text and has no state yet begins with the most
        frequent of its own.
        """
        if not len(ids):
            raise ValueError("the seed must have at least one id; start_ids gives one")
        logits, states, at = [], [], 0
        for part in self._parts:
            own = part.own[np.asarray(ids)]
            known = own[own >= 0].astype(np.uint32)
            before = None if state is None else state[at : at + part.layers]
            at += part.layers
            if not len(known):
                most = int(self.vocabulary.counts[part.columns].argmax())
                known = np.array([most], np.uint32)
            prediction = part.predictor.read(known, before)
            logits.append(prediction.logits[None])
            states += prediction.state
        return Prediction(mixed(self._parts, logits, self.vocab_size)[0], states)

    def decoder(self, count: int) -> StepDecoder:
        """See ``Predictor.decoder``."""
        return _BlendDecoder(self._parts, count, self.vocab_size)


class _BlendDecoder:
    """Decoders of all parts, fed side by side."""

    def __init__(self, parts: Sequence[Part], count: int, vocab_size: int) -> None:
        self._parts, self._size = parts, vocab_size
        self._decoders = [part.predictor.decoder(count) for part in parts]

    def start(self, state: ModelState) -> None:
        at = 0
        for part, decoder in zip(self._parts, self._decoders, strict=True):
            decoder.start(state[at : at + part.layers])
            at += part.layers

    def feed(self, ids: NDArray[np.integer[Any]]) -> Array:
        logits = [
            _feed_known(decoder, part.own[ids])
            for part, decoder in zip(self._parts, self._decoders, strict=True)
        ]
        return mixed(self._parts, logits, self._size)

    def logits(self) -> Array:
        return mixed(self._parts, [decoder.logits() for decoder in self._decoders], self._size)

    def select(self, rows: NDArray[np.integer[Any]]) -> None:
        for decoder in self._decoders:
            decoder.select(rows)

    def state(self) -> ModelState:
        return [layer for decoder in self._decoders for layer in decoder.state()]


def _feed_known(decoder: StepDecoder, own: NDArray[np.int64]) -> Array:
    """Feed ids of which -1 is unknown, and leave the samples with that as they were."""
    unknown = own < 0
    if not unknown.any():
        return decoder.feed(own)
    before = decoder.state()
    decoder.feed(np.maximum(own, 0))
    keep = unknown[:, None]
    decoder.start(
        [
            tuple(np.where(keep, old, new) for old, new in zip(*layers, strict=True))
            for layers in zip(before, decoder.state(), strict=True)
        ]
    )
    return decoder.logits()


def mixed(parts: Sequence[Part], logits: Sequence[Array], vocab_size: int) -> Array:
    """Return log p of the mixture, (N, V), from the logits (N, V_m) of each part."""
    total: Array = np.full((len(logits[0]), vocab_size), -np.inf)
    for part, own in zip(parts, logits, strict=True):
        log_p = log_softmax(own.astype(np.float64)) + part.log_weight
        total[:, part.columns] = np.logaddexp(total[:, part.columns], log_p)
    return total


def _united(vocabularies: Sequence[Vocabulary]) -> Vocabulary:
    counts: dict[str, int] = {}
    for vocabulary in vocabularies:
        for char, count in zip(vocabulary.characters, vocabulary.counts.tolist(), strict=True):
            counts[char] = counts.get(char, 0) + count
    characters = "".join(sorted(counts))
    return Vocabulary(characters, np.array([counts[char] for char in characters], np.int64))
