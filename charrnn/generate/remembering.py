"""A language model with a memory of the text that it reads, for scores and for samples."""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError, VocabularyError
from charrnn.generate.predictor import NetworkPredictor, Prediction
from charrnn.ngrams.contexts import ContextDecoder, Contexts, Floats, combine, context_layer
from charrnn.ngrams.count import Keys
from charrnn.ngrams.memory import CHUNK, Memory
from charrnn.ngrams.mixture import Mixture
from charrnn.nn.decoder import Decoder
from charrnn.nn.ensemble import AnyLanguageModel, as_ensemble
from charrnn.nn.network import LayerStates, log_softmax
from charrnn.nn.recurrent import Workspace
from charrnn.scoring.likelihood import MAX_WINDOW, require_finite, score_sequences
from charrnn.scoring.scores import Score
from charrnn.text.pieces import piece_bounds
from charrnn.text.split import STREAMS
from charrnn.text.vocabulary import Ids

# The fewest characters of a stream of a text to write like; a state depends on no more before it.
MIN_STREAM = 1000


class MemoryPredictor:
    """A language model with a memory of what it reads; see ``ngrams.memory``. Samples are not read.

    model        the language model, of V characters
    like         a text (N,) to read before each prompt, in streams like a held-out text; of a model
                 of pieces, flat pieces. None: nothing
    end          id of the END, if the model reads each piece from a zero state
    """

    def __init__(
        self, model: AnyLanguageModel, like: Ids | None = None, end: int | None = None
    ) -> None:
        self._model, self.vocab_size = as_ensemble(model), model.vocab_size
        self._end = end
        self._plain, self._workspace = NetworkPredictor(model), Workspace()
        self._memory = Memory(model.vocab_size)
        self._last: Prediction | None = None
        if like is not None and len(like):
            self._skim(like)
        self._start = self._memory, self._last

    def _skim(self, ids: Ids) -> None:
        """Read a text from several places at once."""
        self._require_known(ids)
        size = max(-(-len(ids) // STREAMS), MIN_STREAM)
        starts = np.arange(0, len(ids) - 1, size)
        steps = np.minimum(size, len(ids) - 1 - starts)
        if self._end is not None:
            starts, lengths = piece_bounds(ids)
            steps = lengths + 1
        log_p = np.zeros(len(ids))
        for it in score_sequences(self._model, ids, starts, steps):
            places = starts[it.rows] + it.begin + 1 + np.arange(len(it.nats))[:, None]
            log_p[places[it.inside]] = -it.nats[it.inside]
        self._memory.read(ids, log_p)
        last = ids[-MIN_STREAM:] if self._end is None else ids[-1:]
        self._last = self._plain.read(last)

    def _require_known(self, ids: Ids) -> None:
        if int(ids.min()) < 0 or int(ids.max()) >= self.vocab_size:
            raise VocabularyError(f"ids must be from 0 to {self.vocab_size - 1}")

    def observe(self, ids: Ids) -> NDArray[np.float64]:
        """Read on, and return log p of each character, (N,); 0 for the first of all.

        Raises VocabularyError for ids out of range, TrainingError if the outputs of the model are
        not finite.
        """
        if not len(ids):
            return np.empty(0)
        self._require_known(ids)
        log_p, state = np.zeros(len(ids)), self._model.zero_state(1)
        if self._last is not None:
            log_p[0] = log_softmax(self._last.logits)[ids[0]]
            state = self._last.state
        ends = np.flatnonzero(ids == (-1 if self._end is None else self._end))
        begins = np.union1d(np.arange(0, len(ids), MAX_WINDOW), ends).tolist()
        for begin, end in zip(begins, [*begins[1:], len(ids) - 1], strict=True):
            if ids[begin] == self._end:
                state = self._model.zero_state(1)
            text = ids[begin : end + 1, None]
            if len(text) > 1:
                found, state = self._model.log_probabilities(
                    text[:-1], text[1:], state, self._workspace
                )
                log_p[begin + 1 : end + 1] = found[:, 0]
        require_finite(log_p)
        self._last = self._plain.read(ids[-1:], state)
        return self._memory.read(ids, log_p)

    def read(self, ids: Ids, state: LayerStates | None = None) -> Prediction:
        """See ``Predictor.read``. A state must be that of the text that was read last."""
        if state is None:
            memory, self._last = self._start
            self._memory = copy(memory)
        self.observe(ids)
        if self._last is None:
            raise ValueError("the seed must have at least one id; start_ids gives one")
        context = np.array([self._memory.context])
        logits = combine(self._last.logits[None], (self, context))[0]
        return Prediction(logits, [*self._last.state, context_layer(context)])

    def decoder(self, count: int) -> ContextDecoder:
        """See ``Predictor.decoder``."""
        parts: list[Contexts] = [self]
        if isinstance(self._model, Mixture):
            parts.insert(0, self._model.ngrams)
        return ContextDecoder(Decoder(self._model, count), parts, count)

    def feed(self, contexts: Keys, ids: NDArray[np.integer[Any]]) -> Keys:
        """See ``Contexts.feed``."""
        return self._memory.feed(contexts, ids)

    def predict(self, contexts: Keys) -> tuple[Floats, Floats]:
        """See ``Contexts.predict``."""
        return self._memory.predict(contexts)


def score_with_memory(
    model: AnyLanguageModel,
    ids: Ids,
    *,
    end: int | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Score:
    """Return the likelihood of a text (N,) under a language model that remembers what it has read.

    The parameters are those of ``MemoryPredictor`` and ``scoring.scores.score``. Raises CorpusError
    for fewer than two characters, and what ``MemoryPredictor.observe`` raises.
    """
    if not len(ids) > 1:
        raise CorpusError("there is nothing to score: it takes two characters")
    reader, nats = MemoryPredictor(model, end=end), 0.0
    for at in range(0, len(ids), CHUNK):
        log_p = reader.observe(ids[at : at + CHUNK])
        nats -= float(log_p.sum())
        on_progress(len(log_p))
    return Score(nats, len(ids) - 1)
