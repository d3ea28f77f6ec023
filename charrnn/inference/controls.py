"""Controls: what new text must obey, whatever the model would write.

A sampling step is distribution -> mask -> choice. A control is asked before the choice which
characters it allows, is told what was chosen, and says when the text is complete. Each sample has a
cursor of its own for each of its controls; ``Draft`` puts them together.
"""

from collections import deque
from typing import NamedTuple, Protocol

import numpy as np

from charrnn.config import ControlConfig
from charrnn.errors import ConfigError
from charrnn.inference.automaton import Automaton, MatchCursor
from charrnn.inference.endings import LengthCursor, SentenceCursor, StopCursor, StopTable
from charrnn.inference.regex import charset_mask
from charrnn.nn.cells import Array
from charrnn.text.vocabulary import Vocabulary

# With --until-sentence, a text goes on at most this far after its length.
SENTENCE_REACH = 500


class Cursor(Protocol):
    """How far one sample is under one control.

    ended   the text is complete
    cut     once it is: the number of characters at its end that do not belong to it
    held    the number of characters at its end that may yet be cut
    """

    @property
    def ended(self) -> bool:
        """See the class."""

    @property
    def cut(self) -> int:
        """See the class."""

    @property
    def held(self) -> int:
        """See the class."""

    def allowed(self) -> Array | None:
        """Return what to add to the logits, (V,): 0, or -inf for what is excluded; None: all 0."""

    def advance(self, chosen: int) -> None:
        """Take note of the id of the next character."""


class CharsetCursor:
    """Allows the same characters everywhere, given as what to add to the logits (V,)."""

    ended, cut, held = False, 0, 0

    def __init__(self, bias: Array) -> None:
        self._bias = bias

    def allowed(self) -> Array:
        """See ``Cursor.allowed``."""
        return self._bias

    def advance(self, chosen: int) -> None:
        """See ``Cursor.advance``."""


class Released(NamedTuple):
    """A character that certainly belongs to the text.

    id      of the character
    log_p   its log probability under the model, in nats; 0 unless requested
    """

    id: int
    log_p: float


class Draft:
    """One sample while it is written.

    ended   the text is complete
    drawn   number of characters chosen so far, those that were cut included
    """

    def __init__(self, cursors: list[Cursor]) -> None:
        self._cursors = cursors
        self._masking = [cursor for cursor in cursors if cursor.allowed() is not None]
        self._pending: deque[Released] = deque()
        self.drawn = 0
        self.ended = any(cursor.ended for cursor in cursors)

    def allowed(self) -> Array | None:
        """Return what to add to the logits, (V,); None: nothing."""
        total: Array | None = None
        for cursor in self._masking:
            bias = cursor.allowed()
            total = bias if total is None or bias is None else total + bias
        return total

    def add(self, chosen: int, log_p: float) -> list[Released]:
        """Add the next character, and return those that are certain now."""
        pending = self._pending
        pending.append(Released(chosen, log_p))
        self.drawn += 1
        held = cut = 0
        for cursor in self._cursors:
            cursor.advance(chosen)
            held = max(held, cursor.held)
            if cursor.ended:
                self.ended, cut = True, max(cut, cursor.cut)
        keep = len(pending) - (cut if self.ended else held)
        return [pending.popleft() for _ in range(keep)]


class Controls:
    """The controls of a text, prepared for a vocabulary.

    config       what the text must obey
    vocabulary   the characters of the model, V of them
    length       new characters: their number or, with ``match``, the largest number; None: no end

    Attributes: ``bound``, the largest number of new characters, or None.

    Raises ConfigError for a regular expression that is not supported, for characters of which the
    model knows none, and if no text can obey.
    """

    def __init__(self, config: ControlConfig, vocabulary: Vocabulary, length: int | None) -> None:
        characters = vocabulary.characters
        self._length, self._kinds = length, None
        self._stops = StopTable(config.stop, characters) if config.stop else None
        allowed = None if config.charset is None else charset_mask(config.charset, characters)
        if allowed is not None and not allowed.any():
            raise ConfigError(
                "the model knows none of these characters",
                hint="'charrnn inspect-vocab' lists those it knows",
            )
        self._bias = None if allowed is None else np.where(allowed, 0.0, -np.inf)
        self._automaton, self.bound = None, length
        if config.match is not None:
            if length is None:
                raise ConfigError("match needs a length, the most characters of the text")
            end = vocabulary.index.get("\n")
            self._automaton = Automaton.of(config.match, characters, allowed, self._stops, end)
            self._automaton.require_text(length)
        if config.until_sentence:
            if length is None:
                raise ConfigError("until-sentence needs a length, after which the sentence ends")
            self._kinds, self.bound = SentenceCursor.kinds(characters), length + SENTENCE_REACH

    def drawn(self, size: int) -> int:
        """Return the number of draws, at least, after which no draw of a text of this size remains.

        A text that ended before its bound may have had characters that were cut.
        """
        cut = 1 if self._stops is None else max(1, int(self._stops.held.max()))
        return size if size == self.bound else size + cut

    def begin(self) -> Draft:
        """Return the draft of a new sample."""
        if self._automaton is not None:
            assert self._length is not None  # noqa: S101  # checked when it was made
            # The automaton has the length, the characters and the stop texts in it already.
            return Draft([MatchCursor(self._automaton, self._length)])
        cursors: list[Cursor] = []
        if self.bound is not None:
            cursors.append(LengthCursor(self.bound))
        if self._kinds is not None:
            assert self._length is not None  # noqa: S101  # checked when it was made
            cursors.append(SentenceCursor(self._kinds, self._length))
        if self._stops is not None:
            cursors.append(StopCursor(self._stops))
        if self._bias is not None:
            cursors.append(CharsetCursor(self._bias))
        return Draft(cursors)


class Drafts:
    """The drafts of a batch of samples.

    controls     what they obey
    count        number of samples N
    vocab_size   number of characters V
    """

    def __init__(self, controls: Controls, count: int, vocab_size: int) -> None:
        self.rows = [controls.begin() for _ in range(count)]
        self._shape = count, vocab_size
        self._bias: Array | None = None
        self._masked = np.empty(self._shape)

    @property
    def ended(self) -> bool:
        """True if all texts are complete."""
        return all(row.ended for row in self.rows)

    def mask(self, logits: Array) -> Array:
        """Return the logits (N, V) with -inf for what the next characters may not be."""
        for number, row in enumerate(self.rows):
            bias = None if row.ended else row.allowed()
            if bias is not None and self._bias is None:
                self._bias = np.zeros(self._shape)
            if self._bias is not None:
                self._bias[number] = 0 if bias is None else bias
        return logits if self._bias is None else np.add(logits, self._bias, out=self._masked)
