"""No copies and no repetitions: words that break a rule are drawn anew.

A sample is written word by word. When a character completes a passage that is copied from the
training text, or that the sample had shortly before, the sampler goes back to the beginning of the
word, and draws it anew with another first character. So the text turns away where words begin. If
that fails a few times, the character alone is drawn anew.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ControlConfig
from charrnn.errors import TrainingError
from charrnn.generate.seen import SHORTEST, SPAN, STRIDE, Bits, has_hashes, hash_spans
from charrnn.ngrams.contexts import Floats
from charrnn.ngrams.mixture import MixtureDecoder
from charrnn.nn.network import LayerStates
from charrnn.text.vocabulary import Vocabulary, code_points

# With ``no_repeat``, a passage must not recur within this many characters.
REACH = 1000

# A word in a script without spaces ends here.
LONGEST_WORD = 16

# First characters of a word that are tried.
_TRIES = 4

Word = list[tuple[int, float]]


@dataclass
class _Draft:
    """A sample that is being written.

    text       its last characters, those of the word included
    word       its last word so far: ids, each with its log probability
    excluded   at each position in the word, the ids excluded there
    runs       of the last characters, the run of stored spans that ends with each
    """

    text: str = ""
    word: Word = field(default_factory=list)
    excluded: dict[int, set[int]] = field(default_factory=dict)
    runs: list[int] = field(default_factory=lambda: [0] * STRIDE)

    def go_back(self) -> bool:
        """Take back the word, or only its last character after a few words; return which."""
        tried = self.excluded.setdefault(0, set())
        is_torn = len(tried) >= _TRIES
        kept = len(self.word) - 1 if is_torn else 0
        self.excluded.setdefault(kept, set()).add(self.word[kept][0])
        cut = len(self.word) - kept
        del self.word[kept:], self.runs[-cut:]
        self.text = self.text[:-cut]
        if not kept:
            self.excluded = {0: tried}
        return is_torn

    def repeats(self, size: int) -> bool:
        """Return whether the last ``size`` characters occurred shortly before."""
        text = self.text
        return len(text) > size and text.find(text[-size:], 0, len(text) - 1) >= 0


class Drafts:
    """N samples that are written word by word, each with the state of the model before the word.

    config       with ``max_copied`` or ``no_repeat``
    seen         filter of the spans of the training text, for ``max_copied``
    vocabulary   the characters of the model
    count        number of samples (N)
    """

    def __init__(
        self, config: ControlConfig, seen: Bits | None, vocabulary: Vocabulary, count: int
    ) -> None:
        self._seen = None if config.max_copied is None else seen
        # The longest run of stored spans in a copy that is allowed.
        self._max_run = ((config.max_copied or 0) - SHORTEST) // STRIDE
        self._no_repeat, self._characters = config.no_repeat, vocabulary.characters
        self._drafts = [_Draft() for _ in range(count)]
        # Rows whose word is complete, must be drawn anew, or must be without its last character.
        self._complete, self._refused, self._torn = list[int](), list[int](), list[int]()
        self._before_word, self._before_character = LayerStates(), LayerStates()

    def begin(self, decoder: MixtureDecoder) -> None:
        """Save the state before the first characters."""
        self._before_word, self._before_character = decoder.state(), decoder.state()

    def restart(self, row: int, state: LayerStates) -> None:
        """Begin another sample in a row, from the state of one sample."""
        self._drafts[row] = _Draft()
        for saved in (self._before_word, self._before_character):
            for parts, layer in zip(saved, state, strict=True):
                for part, (own,) in zip(parts, layer, strict=True):
                    part[row] = own

    def mask(self, p: Floats) -> Floats:
        """Return p (N, V) with 0 for the characters that must not come next.

        Raises TrainingError if none is left.
        """
        for row, draft in enumerate(self._drafts):
            if ids := draft.excluded.get(len(draft.word)):
                p = p.copy()
                p[row, [*ids]] = 0
                if not p[row].any():
                    raise TrainingError(
                        "the text cannot go on without a passage that is copied or repeated",
                        hint="allow longer ones: --max-copied or --no-repeat",
                    )
        return p

    def add(self, ids: NDArray[np.int64], nats: list[float]) -> list[Word]:
        """Add the next character of each sample, (N,), with its log probability, and judge it.

        Returns the word that it completes in each sample; empty if there is none.
        """
        for draft, chosen, log_p in zip(self._drafts, ids.tolist(), nats, strict=True):
            draft.word.append((chosen, log_p))
            draft.text = (draft.text + self._characters[chosen])[-REACH:]
        words: list[Word] = [[] for _ in self._drafts]
        self._complete, self._refused, self._torn = [], [], []
        for row, (draft, run) in enumerate(zip(self._drafts, self._find_runs(), strict=True)):
            if run > self._max_run or (self._no_repeat and draft.repeats(self._no_repeat)):
                (self._torn if draft.go_back() else self._refused).append(row)
            elif not draft.text[-1].isalnum() or len(draft.word) >= LONGEST_WORD:
                self._complete.append(row)
                words[row], draft.word, draft.excluded = draft.word, [], {}
        return words

    def _find_runs(self) -> list[int]:
        """Return the run of stored spans that ends each text; 0 if copies are allowed."""
        if self._seen is None:
            return [self._max_run] * len(self._drafts)
        ends = "".join(draft.text[-SPAN:].rjust(SPAN) for draft in self._drafts)
        hits = has_hashes(self._seen, hash_spans(code_points(ends).reshape(-1, SPAN)))
        for draft, hit in zip(self._drafts, hits.tolist(), strict=True):
            run = draft.runs[-STRIDE] + 1 if hit and len(draft.text) >= SPAN else 0
            draft.runs = [*draft.runs[-LONGEST_WORD - STRIDE :], run]
        return [draft.runs[-1] for draft in self._drafts]

    def settle(self, decoder: MixtureDecoder, p: Floats) -> Floats:
        """Return p of the next characters, after going back where words were refused."""
        state = decoder.state()
        for layer, words, characters in zip(
            state, self._before_word, self._before_character, strict=True
        ):
            for part, word, character in zip(layer, words, characters, strict=True):
                word[self._complete] = part[self._complete]
                part[self._refused] = word[self._refused]
                part[self._torn] = character[self._torn]
        self._before_character = state
        if not self._refused and not self._torn:
            return p
        decoder.start(state)
        return decoder.predict()
