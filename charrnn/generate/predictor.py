"""What predicts the next character of a text that is read: a network, and what is mixed with it."""

from typing import NamedTuple

import numpy as np

from charrnn.ngrams.contexts import Floats
from charrnn.ngrams.mixture import (
    Component,
    Mixture,
    MixtureDecoder,
    exp_logits,
    log_normalized,
)
from charrnn.nn.ensemble import AnyLanguageModel, as_ensemble
from charrnn.nn.network import LayerStates
from charrnn.scoring.likelihood import require_ids
from charrnn.text.vocabulary import Ids

# Characters of a prompt that are read at once.
_AT_ONCE = 256
# The end of a longer prompt says as much: a state has forgotten what was before.
MAX_PROMPT = 100_000


class Prediction(NamedTuple):
    """A model after a text.

    p        of all characters, up to a factor, (V,)
    state    of one sample, arrays (1, H)
    memory   what is mixed with the model after this text only
    """

    p: Floats
    state: LayerStates
    memory: tuple[Component, ...] = ()

    @property
    def log_p(self) -> Floats:
        """Log probabilities of all characters, (V,)."""
        log_p: Floats = log_normalized(self.p[None])[0]
        return log_p


class Predictor:
    """A language model that reads a text, and predicts how it goes on.

    model   a language model; of a ``Model``, its ``distribution()``
    """

    def __init__(self, model: AnyLanguageModel) -> None:
        self.model, self.vocab_size = as_ensemble(model), model.vocab_size
        self._components: list[Component] = []
        if isinstance(model, Mixture):
            self._components.append(model.ngrams.tree)
        self._decoders: dict[int, MixtureDecoder] = {}
        self._last: tuple[list[int], Prediction] | None = None

    def read(self, ids: Ids, state: LayerStates | None = None) -> Prediction:
        """Return the prediction after a text (N,), of which MAX_PROMPT ids are read at most.

        From a state, all of the text is read.

        Raises ValueError if the text is empty, VocabularyError for ids out of range.
        """
        if not len(ids):
            raise ValueError("the prompt must have at least one id; start_ids gives one")
        require_ids(ids, self.vocab_size)
        prompt = np.asarray(ids)[:, None]
        if state is None:
            prompt, state = prompt[-MAX_PROMPT:], self.model.zero_state(1)
        for at in range(0, len(prompt), _AT_ONCE):
            logits, state, _ = self.model.forward(prompt[at : at + _AT_ONCE], state)
        return Prediction(exp_logits(logits[-1])[0], state)

    def read_on(self, ids: Ids) -> Prediction:
        """Return the prediction after a text that may continue the last one read so.

        Only what is new is read: the last digits may differ from those of ``read``.
        """
        text = ids.tolist()
        before, prediction = self._last or ([], None)
        if prediction is None or text[: len(before)] != before:
            prediction = self.read(ids)
        elif len(text) > len(before):
            prediction = self.read(ids[len(before) :], prediction.state)
        self._last = text, prediction
        return prediction

    def decoder(self, count: int, memory: tuple[Component, ...] = ()) -> MixtureDecoder:
        """Return a new decoder for this many samples, with the memory of a prediction."""
        return MixtureDecoder(self.model, [*self._components, *memory], count)

    def reuse_decoder(self, count: int, memory: tuple[Component, ...] = ()) -> MixtureDecoder:
        """Return the same decoder at every call: what used it before must be done with it."""
        if count not in self._decoders:
            self._decoders[count] = self.decoder(count)
        self._decoders[count].components = [*self._components, *memory]
        return self._decoders[count]
