"""What predicts the next character: the part of a model that sampling and search need."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import VocabularyError
from charrnn.ngrams.contexts import ContextDecoder
from charrnn.ngrams.mixture import Mixture
from charrnn.nn.cell import Array
from charrnn.nn.decoder import Decoder
from charrnn.nn.ensemble import AnyLanguageModel, Ensemble
from charrnn.nn.network import LanguageModel, LayerStates
from charrnn.text.vocabulary import Ids

_SEED_PIECE = 256
# The end of a longer prompt says as much: a state has forgotten what was before.
MAX_PROMPT = 100_000


class Prediction(NamedTuple):
    """A model after a text.

    logits   of the next character, (V,)
    state    of one sample, arrays (1, H)
    """

    logits: Array
    state: LayerStates


class StepDecoder(Protocol):
    """A batch of N samples that are fed one character at a time; see ``Decoder``."""

    def start(self, state: LayerStates) -> None:
        """Start from a state, arrays (N, H), or from that of one sample, (1, H)."""

    def feed(self, ids: NDArray[np.integer[Any]]) -> Array:
        """Feed the next character of each sample, ids (N,), and return logits (N, V)."""

    def logits(self) -> Array:
        """Return the logits (N, V) that belong to the state, as ``feed`` does."""

    def select(self, rows: NDArray[np.integer[Any]]) -> None:
        """Give sample i the state of sample ``rows[i]``, rows (N,)."""

    def state(self) -> LayerStates:
        """Return a copy of the state, arrays (N, H)."""


class Predictor(Protocol):
    """A language model, or several that predict together, over V characters."""

    @property
    def vocab_size(self) -> int:
        """The number of characters V."""

    def read(self, ids: Ids, state: LayerStates | None = None) -> Prediction:
        """Return the prediction after a text (N,), which continues from ``state`` if given."""

    def decoder(self, count: int) -> StepDecoder:
        """Return a decoder for this many samples."""


class NetworkPredictor:
    """One language model as a predictor.

    model   a language model; of a ``Model``, its ``network()``
    """

    def __init__(self, model: AnyLanguageModel) -> None:
        self.model, self.vocab_size = model, model.vocab_size

    def read(self, ids: Ids, state: LayerStates | None = None) -> Prediction:
        """Return the prediction after a text (N,), of which MAX_PROMPT ids are read at most.

        From a state, all of the text is read.

        Raises ValueError if the text is empty, VocabularyError for ids out of range.
        """
        if not len(ids):
            raise ValueError("the seed must have at least one id; start_ids gives one")
        seed = np.asarray(ids)[:, None]
        if int(seed.min()) < 0 or int(seed.max()) >= self.vocab_size:
            raise VocabularyError(f"ids must be from 0 to {self.vocab_size - 1}")
        if state is None:
            seed, state = seed[-MAX_PROMPT:], self.model.zero_state(1)
        for at in range(0, len(seed), _SEED_PIECE):
            logits, state, _ = self.model.forward(seed[at : at + _SEED_PIECE], state)
        return Prediction(logits[-1, 0], state)

    def decoder(self, count: int) -> Decoder | ContextDecoder:
        """Return a decoder for this many samples."""
        decoder = Decoder(self.model, count)
        if isinstance(self.model, Mixture):
            return ContextDecoder(decoder, [self.model.ngrams], count)
        return decoder


class IncrementalPredictor:
    """A predictor for prompts that often continue the one before: it reads only what is new.

    predictor   predicts; what it says may differ in the last digits from reading all at once

    There is one decoder for each number of samples: what used it before must be done with it.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor, self.vocab_size = predictor, predictor.vocab_size
        self._decoders: dict[int, StepDecoder] = {}
        self._last: tuple[list[int], Prediction] | None = None

    def read(self, ids: Ids, state: LayerStates | None = None) -> Prediction:
        """Return the prediction after a text (N,), which continues from ``state`` if given."""
        if state is not None:
            return self._predictor.read(ids, state)
        text = ids.tolist()
        before, prediction = self._last or ([], None)
        if prediction is None or text[: len(before)] != before:
            prediction = self._predictor.read(ids)
        elif len(text) > len(before):
            prediction = self._predictor.read(ids[len(before) :], prediction.state)
        self._last = text, prediction
        return prediction

    def decoder(self, count: int) -> StepDecoder:
        """Return a decoder for this many samples."""
        if count not in self._decoders:
            self._decoders[count] = self._predictor.decoder(count)
        return self._decoders[count]


def as_predictor(model: AnyLanguageModel | Predictor) -> Predictor:
    """Return a language model as a predictor; a predictor is returned as it is."""
    if isinstance(model, LanguageModel | Ensemble):
        return NetworkPredictor(model)
    return model
