"""Nothing copied, nothing repeated: words that break a rule are drawn anew.

A sample is written word by word. When a character completes a passage that is copied from the
training text, or that the sample had shortly before, the sampler goes back to the beginning of the
word, and draws it anew with another first character. So the text turns away where words begin. If
that fails a few times, the character alone is drawn anew.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ControlConfig
from charrnn.errors import TrainingError
from charrnn.generate.bloom import Bits, has_hashes
from charrnn.generate.predictor import StepDecoder
from charrnn.generate.spans import SPAN, STRIDE, allowed_run, hash_spans, require_spans
from charrnn.nn.cell import Array
from charrnn.text.vocabulary import Vocabulary, code_points

if TYPE_CHECKING:
    from charrnn.nn.network import LayerStates

# Within so many characters no passage occurs twice.
REACH = 1000

# A word in a script without spaces ends here. What is remembered must reach further back than that
# and the spans together.
LONGEST_WORD = 16
_KEPT = 64

# First characters of a word that are tried.
_TRIES = 4

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
    torn       (N,), True where only that character was taken back, not the word

    Raises ConfigError for ``max_copied`` without a filter.
    """

    def __init__(
        self, config: ControlConfig, seen: Bits | None, vocabulary: Vocabulary, count: int
    ) -> None:
        self._seen = None if config.max_copied is None else require_spans(seen)
        self._allowed_run = allowed_run(config.max_copied or 0)
        self._no_repeat = config.no_repeat
        self.words: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        self.complete, self.refused, self.torn = (np.zeros(count, bool) for _ in range(3))
        self._characters = vocabulary.characters
        self._points = code_points(vocabulary.characters)
        self._is_letter = np.array([char.isalnum() for char in vocabulary.characters])
        self._rows = np.arange(count)
        # Which characters must not stand at a position in the word.
        self._excluded: list[dict[int, set[int]]] = [{} for _ in range(count)]
        self._texts = [""] * count
        # The last characters of each sample and the run that each ends, in rings.
        self._sizes = np.zeros(count, int)
        self._last = np.zeros((count, _KEPT), np.uint32)
        self._runs = np.zeros((count, _KEPT), int)
        self._before_word: LayerStates = []
        self._before_character: LayerStates = []

    def begin(self, decoder: StepDecoder) -> None:
        """Save the state before the first characters."""
        self._before_word, self._before_character = decoder.state(), decoder.state()

    def mask(self, logits: Array) -> Array:
        """Return logits (N, V) without the characters that must not come next.

        Raises TrainingError if none is left.
        """
        for row, (excluded, word) in enumerate(zip(self._excluded, self.words, strict=True)):
            if ids := excluded.get(len(word)):
                logits = logits.copy()
                logits[row, [*ids]] = -np.inf
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
        self._sizes += 1
        self.refused = self._copies(ids) | self._repeats(ids)
        self.complete = ~self.refused & (~self._is_letter[ids] | (sizes >= LONGEST_WORD))
        for row in np.flatnonzero(self.refused).tolist():
            self._go_back(row)

    def _go_back(self, row: int) -> None:
        """Take back the word of a sample, or only its last character after a few words."""
        word, excluded = self.words[row], self._excluded[row]
        tried = excluded.setdefault(0, set())
        self.torn[row] = len(tried) >= _TRIES
        kept = len(word) - 1 if self.torn[row] else 0
        excluded.setdefault(kept, set()).add(word[kept][0])
        self._sizes[row] -= len(word) - kept
        self._texts[row] = self._texts[row][: kept - len(word)]
        del word[kept:]
        if not kept:
            self._excluded[row] = {0: tried}

    def take(self, row: int) -> list[tuple[int, float]]:
        """Return the word of a sample if it is complete, and begin the next one."""
        if not self.complete[row]:
            return []
        word, self.words[row] = self.words[row], []
        self._excluded[row].clear()
        return word

    def settle(self, decoder: StepDecoder, logits: Array) -> Array:
        """Return the logits of the next characters, after going back where words were refused."""
        state, refused = decoder.state(), self.refused
        befores = zip(self._before_word, self._before_character, strict=True)
        for layer, before in zip(state, befores, strict=True):
            for part, word, character in zip(layer, *before, strict=True):
                word[self.complete] = part[self.complete]
                part[refused] = np.where(
                    self.torn[refused, None], character[refused], word[refused]
                )
        self._before_character = state
        if not refused.any():
            return logits
        decoder.start(state)
        return decoder.logits()

    def _copies(self, ids: NDArray[np.int64]) -> Rows:
        """Return where the longest copy that ends here is too long."""
        if self._seen is None:
            return np.zeros(len(ids), bool)
        rows, at = self._rows, (self._sizes - 1) % _KEPT
        self._last[rows, at] = self._points[ids]
        places = (at[:, None] + np.arange(1 - SPAN, 1)) % _KEPT
        hits = has_hashes(self._seen, hash_spans(self._last[rows[:, None], places]))
        hits &= self._sizes >= SPAN
        before = np.where(self._sizes > STRIDE, self._runs[rows, at - STRIDE], 0)
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
