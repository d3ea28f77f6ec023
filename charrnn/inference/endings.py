"""Controls that say where a text ends: at a length, before a stop text, after a sentence."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# What ends a sentence: in scripts with spaces, only before one; in those without, anywhere.
TERMINATORS = ".!?…"
FULL_WIDTH_TERMINATORS = "。！？"
# What may follow a terminator and still belongs to the sentence.
CLOSERS = "\"'”’»›)]}」』）】》〉"

_OTHER, _SPACE, _CLOSER, _TERMINATOR, _FULL_WIDTH = range(5)
_IN_SENTENCE, _TERMINATED, _TERMINATED_FULL_WIDTH, _BETWEEN = range(4)


class LengthCursor:
    """Ends a text after this many characters."""

    cut = held = 0

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = length == 0

    def allowed(self) -> None:
        """See ``Cursor.allowed``."""

    def advance(self, chosen: int) -> None:  # noqa: ARG002
        """See ``Cursor.advance``."""
        self._left -= 1
        self.ended = self._left <= 0


class StopTable:
    """The automaton of Aho & Corasick (1975) that finds stop texts, as tables over the ids.

    stops        the texts; one with an unknown character cannot occur and is left out
    characters   of the model, V of them

    Attributes, for S states, of which 0 is the start: ``after`` (S, V), the state after a
    character; ``held`` (S,), how much of the end of a text in this state may begin a stop text;
    ``found`` (S,), the length of the longest stop text at its end, or 0.
    """

    def __init__(self, stops: Sequence[str], characters: str) -> None:
        index = {char: number for number, char in enumerate(characters)}
        children: list[dict[int, int]] = [{}]
        held, found = [0], [0]
        for stop in stops:
            if not set(stop) <= index.keys():
                continue
            state = 0
            for chosen in map(index.__getitem__, stop):
                if chosen not in children[state]:
                    children[state][chosen] = len(children)
                    children.append({})
                    held.append(held[state] + 1)
                    found.append(0)
                state = children[state][chosen]
            found[state] = len(stop)
        self.after = np.zeros((len(children), len(characters)), np.int32)
        self.held, self.found = np.array(held), np.array(found)
        self._complete(children)

    def _complete(self, children: list[dict[int, int]]) -> None:
        """Fill the tables from the tree of all stop texts, states near its root first.

        A state whose text goes on otherwise than any stop text falls back to the longest part of
        its end that begins one.
        """
        queue, fallback = deque([0]), [0] * len(children)
        while queue:
            state = queue.popleft()
            if state:
                self.after[state] = self.after[fallback[state]]
                self.found[state] = max(self.found[state], self.found[fallback[state]])
            for chosen, child in children[state].items():
                fallback[child] = int(self.after[state, chosen])
                self.after[state, chosen] = child
                queue.append(child)


class StopCursor:
    """Ends a text before a stop text."""

    def __init__(self, table: StopTable) -> None:
        self._table, self._state = table, 0
        self.ended, self.cut, self.held = False, 0, 0

    def allowed(self) -> None:
        """See ``Cursor.allowed``."""

    def advance(self, chosen: int) -> None:
        """See ``Cursor.advance``."""
        table = self._table
        self._state = int(table.after[self._state, chosen])
        self.held, self.cut = int(table.held[self._state]), int(table.found[self._state])
        self.ended = self.cut > 0


class SentenceCursor:
    """Ends a text with the first sentence that ends at its length or later.

    kinds    what each character is, (V,), from ``kinds``
    length   number of characters before which the text does not end

    A sentence ends after a terminator and what closes it, if a space or a line break follows.
    After a full-width terminator, anything may follow. So "3.14" does not end one, and "Mr. Smith"
    does. What follows shows that the sentence has ended, and is cut.
    """

    held = 0

    def __init__(self, kinds: NDArray[np.int8], length: int) -> None:
        self._kinds, self._left, self._state = kinds, length, _IN_SENTENCE
        self.ended, self.cut = False, 0

    @staticmethod
    def kinds(characters: str) -> NDArray[np.int8]:
        """Return what each character is to a sentence, (V,)."""
        return np.array([_kind(char) for char in characters], np.int8)

    def allowed(self) -> None:
        """See ``Cursor.allowed``."""

    def advance(self, chosen: int) -> None:
        """See ``Cursor.advance``."""
        self._left -= 1
        before, kind = self._state, self._kinds[chosen]
        terminated = before in {_TERMINATED, _TERMINATED_FULL_WIDTH}
        if kind == _TERMINATOR:
            self._state = _TERMINATED
        elif kind == _FULL_WIDTH:
            self._state = _TERMINATED_FULL_WIDTH
        elif not (kind == _CLOSER and terminated):
            between = kind == _SPACE and before != _IN_SENTENCE
            self._state = _BETWEEN if between else _IN_SENTENCE
            follows = between or before == _TERMINATED_FULL_WIDTH
            if terminated and follows and self._left < 0:
                self.ended, self.cut = True, 1
        if self._left == 0 and self._state == _BETWEEN:
            self.ended = True


def _kind(char: str) -> int:
    for kind, members in (
        (_CLOSER, CLOSERS),
        (_TERMINATOR, TERMINATORS),
        (_FULL_WIDTH, FULL_WIDTH_TERMINATORS),
    ):
        if char in members:
            return kind
    return _SPACE if char.isspace() else _OTHER
