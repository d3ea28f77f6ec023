"""Nothing copied, nothing repeated: words that break a rule are drawn anew.

A sample is written word by word. When a character completes a passage that is copied from the
training text, or that the sample had shortly before, the sampler goes back to the beginning of the
word, and draws it anew without its first character. So the text turns away where words begin, and
no word is torn.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ControlConfig
from charrnn.errors import TrainingError
from charrnn.generate.bloom import Bits, has_hashes
from charrnn.generate.predictor import StepDecoder
from charrnn.generate.spans import SPAN, STRIDE, allowed_run, hash_spans, require_spans
from charrnn.nn.kernels import Array
from charrnn.text.vocabulary import Vocabulary, code_points

if TYPE_CHECKING:
    from charrnn.nn.stack import LayerStates

# Within so many characters no passage occurs twice.
REACH = 1000

# A word in a script without spaces ends here. What is remembered must reach further back than that
# and the spans together.
LONGEST_WORD = 16
_KEPT = 64

Rows = NDArray[np.bool_]


class Drafts:
    """The words that N samples are writing, each with the state of the model before it.

    config       with ``max_copied`` or ``no_repeat``
    seen         filter of the spans of the training text, for ``max_copied``
    vocabulary   the characters of the model
    count        number of samples (N)

    words      of each sample, the ids of the word so far, each with its log probability
    complete   (N,), True where the last character completed a word
    refused    (N,), True where it completed a passage that must not be

    Raises ConfigError for ``max_copied`` without a filter.
    """

    def __init__(
        self, config: ControlConfig, seen: Bits | None, vocabulary: Vocabulary, count: int
    ) -> None:
        self._seen = None if config.max_copied is None else require_spans(seen)
        self._allowed_run = allowed_run(config.max_copied or 0)
        self._no_repeat = config.no_repeat
        self.words: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        self.complete, self.refused = np.zeros(count, bool), np.zeros(count, bool)
        self._characters = vocabulary.characters
        self._points = code_points(vocabulary.characters)
        self._is_letter = np.array([char.isalnum() for char in vocabulary.characters])
        self._rows = np.arange(count)
        self._first_excluded: list[set[int]] = [set() for _ in range(count)]
        self._texts = [""] * count
        # The last characters of each sample and the run that each ends, in rings.
        self._sizes = np.zeros(count, int)
        self._last = np.zeros((count, _KEPT), np.uint32)
        self._runs = np.zeros((count, _KEPT), int)
        self._saved: LayerStates = []

    def begin(self, decoder: StepDecoder) -> None:
        """Save the state before the first words."""
        self._saved = decoder.state()

    def mask(self, logits: Array) -> Array:
        """Return logits (N, V) without the characters that a word must not begin with.

        Raises TrainingError if a word can begin with none.
        """
        rows = [row for row, ids in enumerate(self._first_excluded) if ids and not self.words[row]]
        if rows:
            logits = logits.copy()
        for row in rows:
            logits[row, [*self._first_excluded[row]]] = -np.inf
            if not (logits[row] > -np.inf).any():
                raise TrainingError(
                    "the text cannot go on without a passage that is copied or repeated",
                    hint="allow longer ones: --max-copied or --no-repeat",
                )
        return logits

    def add(self, ids: NDArray[np.int64], nats: list[float]) -> None:
        """Add the next character of each sample, (N,), with its log probability, and judge it."""
        for word, chosen, log_p in zip(self.words, ids.tolist(), nats, strict=True):
            word.append((chosen, log_p))
        sizes = np.array([len(word) for word in self.words])
        self.refused = self._copies(ids) | self._repeats(ids)
        self.complete = ~self.refused & (~self._is_letter[ids] | (sizes >= LONGEST_WORD))
        self._sizes += 1
        for row in np.flatnonzero(self.refused).tolist():
            self._sizes[row] -= sizes[row]
            self._texts[row] = self._texts[row][: -int(sizes[row])]
            self._first_excluded[row].add(self.words[row][0][0])
            self.words[row].clear()

    def take(self, row: int) -> list[tuple[int, float]]:
        """Return the word of a sample if it is complete, and begin the next one."""
        if not self.complete[row]:
            return []
        word, self.words[row] = self.words[row], []
        self._first_excluded[row].clear()
        return word

    def settle(self, decoder: StepDecoder, logits: Array) -> Array:
        """Save the states after words, go back to those before refused words; return the logits."""
        if not (self.complete | self.refused).any():
            return logits
        state = decoder.state()
        for layer, saved in zip(state, self._saved, strict=True):
            for part, before in zip(layer, saved, strict=True):
                before[self.complete] = part[self.complete]
                part[self.refused] = before[self.refused]
        if not self.refused.any():
            return logits
        decoder.start(state)
        return decoder.logits()

    def _copies(self, ids: NDArray[np.int64]) -> Rows:
        """Return where the longest copy that ends here is too long."""
        if self._seen is None:
            return np.zeros(len(ids), bool)
        rows, at = self._rows, self._sizes % _KEPT
        self._last[rows, at] = self._points[ids]
        places = (at[:, None] + np.arange(1 - SPAN, 1)) % _KEPT
        hits = has_hashes(self._seen, hash_spans(self._last[rows[:, None], places]))
        hits &= self._sizes >= SPAN - 1
        before = np.where(self._sizes >= STRIDE, self._runs[rows, at - STRIDE], 0)
        self._runs[rows, at] = run = np.where(hits, before + 1, 0)
        return run > self._allowed_run

    def _repeats(self, ids: NDArray[np.int64]) -> Rows:
        """Return where the last ``no_repeat`` characters occurred shortly before."""
        found, size = np.zeros(len(ids), bool), self._no_repeat
        if size is None:
            return found
        for row, chosen in enumerate(ids.tolist()):
            text = (self._texts[row] + self._characters[chosen])[-REACH:]
            self._texts[row] = text
            found[row] = len(text) > size and text.find(text[-size:], 0, len(text) - 1) >= 0
        return found
