"""A language model with a memory of the text that it reads, for scores and for samples."""

from collections.abc import Callable
from copy import copy

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import CorpusError
from charrnn.generate.predictor import Prediction, Predictor
from charrnn.ngrams.memory import CHUNK, Memory
from charrnn.nn.ensemble import AnyLanguageModel
from charrnn.nn.network import LayerStates
from charrnn.nn.recurrent import Workspace
from charrnn.scoring.likelihood import (
    MAX_WINDOW,
    Score,
    require_finite,
    require_ids,
    score_sequences,
)
from charrnn.text.pieces import piece_bounds
from charrnn.text.split import STREAMS
from charrnn.text.vocabulary import Ids

# The fewest characters of a stream of a text to write like; a state depends on no more before it.
MIN_STREAM = 1000


class MemoryPredictor(Predictor):
    """A language model with a memory of what it reads; see ``ngrams.memory``. Samples are not read.

    model        the language model, of V characters
    like         a text (N,) to read before each prompt, in streams like a held-out text; of a model
                 of pieces, flat pieces. None: nothing
    end          id of the END, if the model reads each piece from a zero state
    """

    def __init__(
        self, model: AnyLanguageModel, like: Ids | None = None, end: int | None = None
    ) -> None:
        super().__init__(model)
        self._end, self._workspace = end, Workspace()
        self._memory, self._plain = Memory(model.vocab_size), Prediction(np.empty(0), [])
        if like is not None and len(like):
            self._skim(like)
        self._start = self._memory, self._plain

    def _skim(self, ids: Ids) -> None:
        """Read a text from several places at once."""
        require_ids(ids, self.vocab_size)
        size = max(-(-len(ids) // STREAMS), MIN_STREAM)
        starts = np.arange(0, len(ids) - 1, size)
        steps = np.minimum(size, len(ids) - 1 - starts)
        if self._end is not None:
            starts, lengths = piece_bounds(ids)
            steps = lengths + 1
        log_p = np.zeros(len(ids))
        for it in score_sequences(self.model, ids, starts, steps):
            places = starts[it.rows] + it.begin + 1 + np.arange(len(it.nats))[:, None]
            log_p[places[it.inside]] = -it.nats[it.inside]
        self._memory.read(ids, log_p)
        self._plain = super().read(ids[-MIN_STREAM:] if self._end is None else ids[-1:])

    def observe(self, ids: Ids) -> NDArray[np.float64]:
        """Read on, and return log p of each character, (N,); 0 for the first of all.

        Raises VocabularyError for ids out of range, TrainingError if the outputs of the model are
        not finite.
        """
        if not len(ids):
            return np.empty(0)
        require_ids(ids, self.vocab_size)
        log_p, state = np.zeros(len(ids)), self._plain.state or self.model.zero_state(1)
        if self._plain.state:
            log_p[0] = self._plain.log_p[ids[0]]
        ends = np.flatnonzero(ids == (-1 if self._end is None else self._end))
        begins = np.union1d(np.arange(0, len(ids), MAX_WINDOW), ends).tolist()
        for begin, end in zip(begins, [*begins[1:], len(ids) - 1], strict=True):
            if ids[begin] == self._end:
                state = self.model.zero_state(1)
            if begin < end:
                inputs, targets = (ids[begin + ahead : end + ahead, None] for ahead in (0, 1))
                found, state = self.model.log_probabilities(inputs, targets, state, self._workspace)
                log_p[begin + 1 : end + 1] = found[:, 0]
        require_finite(log_p)
        self._plain = super().read(ids[-1:], state)
        return self._memory.read(ids, log_p)

    def read(self, ids: Ids, state: LayerStates | None = None) -> Prediction:
        """Return the prediction after a text (N,). A state must be that of what was read last."""
        if state is None:
            self._memory, self._plain = self._start
            self._last = None  # what ``read_on`` read is forgotten
        self._memory = copy(self._memory)
        self.observe(ids)
        if not self._plain.state:
            raise ValueError("the prompt must have at least one id; start_ids gives one")
        context = np.array([self._memory.context])
        p = self._plain.p[None].copy()
        self._memory.mix(p, context)
        return Prediction(p[0], [*self._plain.state, (context,)], (self._memory,))


def score_with_memory(
    model: AnyLanguageModel,
    ids: Ids,
    *,
    end: int | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Score:
    """Return the likelihood of a text (N,) under a language model that remembers what it has read.

    The parameters are those of ``MemoryPredictor`` and ``likelihood.score``. Raises CorpusError for
    fewer than two characters, and what ``MemoryPredictor.observe`` raises.
    """
    if not len(ids) > 1:
        raise CorpusError("there is nothing to score: it takes two characters")
    reader, nats = MemoryPredictor(model, end=end), 0.0
    for at in range(0, len(ids), CHUNK):
        log_p = reader.observe(ids[at : at + CHUNK])
        nats -= float(log_p.sum())
        on_progress(len(log_p))
    return Score(nats, len(ids) - 1)
