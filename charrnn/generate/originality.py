"""No copies and no repetitions: words that break a rule are drawn anew.

A sample is written word by word. When a character completes a passage that is copied from the
training text, or that the sample had shortly before, the sampler goes back to the beginning of the
word, and draws it anew with another first character. So the text turns away where words begin. If
that fails a few times, the character alone is drawn anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from charrnn.config import ControlConfig
from charrnn.errors import TrainingError
from charrnn.generate.seen import SHORTEST, SPAN, STRIDE, Bits, find_copies
from charrnn.ngrams.contexts import Floats
from charrnn.ngrams.mixture import MixtureDecoder
from charrnn.nn.network import LayerStates
from charrnn.text.vocabulary import Vocabulary

# With ``no_repeat``, a passage must not recur within this many characters.
REACH = 1000

# A word in a script without spaces ends here.
LONGEST_WORD = 16

# First characters of a word that are tried.
_TRIES = 4

# Ids, each with its log probability under the model in nats, 0 unless requested.
Word = list[tuple[int, float]]


def dead_end() -> TrainingError:
    """Return the error of a text that cannot go on."""
    return TrainingError(
        "the text cannot go on without a passage that is copied or repeated",
        hint="allow longer ones: --max-copied or --no-repeat",
    )


@dataclass
class _Draft:
    """A sample that is being written.

    text       its last characters, those of the word included
    word       its last word so far: ids, each with its log probability
    excluded   at each position in the word, the ids excluded there
    """

    text: str = ""
    word: Word = field(default_factory=list)
    excluded: dict[int, set[int]] = field(default_factory=dict)

    def go_back(self) -> bool:
        """Take back the word, or only its last character after a few words; return which."""
        is_torn = len(self.excluded.get(0, ())) >= _TRIES
        kept = len(self.word) - 1 if is_torn else 0
        self.excluded.setdefault(kept, set()).add(self.word[kept][0])
        self.text = self.text[: kept - len(self.word)]
        del self.word[kept:]
        return is_torn


class Drafts:
    """N samples that are written word by word, each with the state of the model before the word.

    config       with ``max_copied`` or ``no_repeat``
    seen         filter of the spans of the training text, for ``max_copied``
    vocabulary   the characters of the model
    count        number of samples (N)
    written      how each begins, whatever that copies
    """

    def __init__(
        self,
        config: ControlConfig,
        seen: Bits | None,
        vocabulary: Vocabulary,
        count: int,
        written: str = "",
    ) -> None:
        self._seen = None if config.max_copied is None else seen
        # Too long a copy ends with this many characters, at the latest, whose spans are all stored.
        self._copy_size = SPAN + ((config.max_copied or SHORTEST) - SHORTEST) // STRIDE * STRIDE
        self._no_repeat, self._characters = config.no_repeat, vocabulary.characters
        self._written, self._drafts = written, [_Draft(written) for _ in range(count)]
        # Rows whose word is complete, must be drawn anew, or must be without its last character.
        self._complete, self._refused, self._torn = list[int](), list[int](), list[int]()
        self._before_word, self._before_character = LayerStates(), LayerStates()

    def begin(self, decoder: MixtureDecoder) -> None:
        """Save the state before the first characters."""
        self._before_word, self._before_character = decoder.state(), decoder.state()

    def restart(self, row: int, state: LayerStates) -> None:
        """Begin another sample in a row, from the state of one sample."""
        self._drafts[row] = _Draft(self._written)
        for saved in (self._before_word, self._before_character):
            for part, (own,) in zip(*map(chain.from_iterable, (saved, state)), strict=True):
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
                    raise dead_end()
        return p

    def add(self, ids: NDArray[np.int64], nats: list[float]) -> list[Word]:
        """Add the next character of each sample, (N,), with its log probability, and judge it.

        Returns the word that it completes in each sample; empty if there is none.
        """
        for draft, chosen, log_p in zip(self._drafts, ids.tolist(), nats, strict=True):
            draft.word.append((chosen, log_p))
            draft.text = (draft.text + self._characters[chosen])[-max(REACH, self._copy_size) :]
        words: list[Word] = [[] for _ in self._drafts]
        self._complete, self._refused, self._torn = [], [], []
        is_old = self._end_in_old([draft.text for draft in self._drafts])
        for row, draft in enumerate(self._drafts):
            if is_old[row]:
                (self._torn if draft.go_back() else self._refused).append(row)
            elif not draft.text[-1].isalnum() or len(draft.word) >= LONGEST_WORD:
                self._complete.append(row)
                words[row], draft.word, draft.excluded = draft.word, [], {}
        return words

    def settle(self, decoder: MixtureDecoder, p: Floats) -> Floats:
        """Return p of the next characters, after going back where words were refused."""
        state = decoder.state()
        states = state, self._before_word, self._before_character
        for part, word, character in zip(*map(chain.from_iterable, states), strict=True):
            word[self._complete] = part[self._complete]
            part[self._refused] = word[self._refused]
            part[self._torn] = character[self._torn]
        self._before_character = state
        if not self._refused and not self._torn:
            return p
        decoder.start(state)
        return decoder.predict()

    def accepts(self, text: str, size: int) -> bool:
        """Return whether no passage that ends in the last ``size`` characters is old."""
        return not any(self._end_in_old([text[: len(text) - cut] for cut in range(size)]))

    def _end_in_old(self, texts: Sequence[str]) -> list[bool]:
        """Return which texts end with a passage that is copied, or that they had shortly before."""
        is_old = [self._no_repeat is not None and _repeats(it, self._no_repeat) for it in texts]
        size = self._copy_size
        rows = [row for row, text in enumerate(texts) if len(text) >= size]
        if self._seen is not None and rows:
            copies = find_copies(self._seen, [texts[row][-size:] for row in rows])
            for row in np.array(rows)[copies]:
                is_old[row] = True
        return is_old


def _repeats(text: str, size: int) -> bool:
    """Return whether the last ``size`` characters of a text occurred shortly before."""
    recent = text[-REACH:]
    return len(recent) > size and recent.find(recent[-size:], 0, len(recent) - 1) >= 0
