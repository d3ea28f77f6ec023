"""A regular expression as a control: the text is steered so that all of it matches in the end.

The deterministic automaton is built while it is used, state by state (Thompson 1968, as in RE2): a
text of N characters visits at most N + 1 states. Of each set of states of the nondeterministic one
it is known how many characters are still needed, at least, to a complete match. So with a largest
length, a character is allowed if a complete match can be reached within what is left after it.
"""

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.inference.endings import StopTable
from charrnn.inference.regex import UNREACHABLE, Mask, Nfa, compile_nfa, reachable
from charrnn.nn.cells import Array

# More states than this are forgotten, and built again if they are needed.
REMEMBERED = 500


class MatchState:
    """A state of the deterministic automaton.

    members     states of the nondeterministic one that have edges, or accept
    accepting   the text so far is a complete match
    needs       for each character, the number of characters to a complete match, with it, (V,)
    may_end     the text may end here, and the end of a line says that it does
    """

    __slots__ = ("_bias", "accepting", "after", "least", "may_end", "members", "most", "needs")

    def __init__(
        self, members: frozenset[int], needs: NDArray[np.int64], *, accepting: bool
    ) -> None:
        self.members, self.needs, self.accepting = members, needs, accepting
        self.after: dict[int, MatchState] = {}
        self.may_end = False
        self.least = int(needs.min())
        self.most = int(np.where(needs < UNREACHABLE, needs, 0).max())
        self._bias: Array | None = None

    def bias(self, left: int, end: int | None) -> Array:
        """Return what to add to the logits, (V,), with ``left`` characters left."""
        if left >= self.most:
            if self._bias is None:
                self._bias = self._bias_within(self.most, end)
            return self._bias
        return self._bias_within(left, end)

    def _bias_within(self, left: int, end: int | None) -> Array:
        bias: Array = np.where(self.needs <= left, 0.0, -np.inf)
        if self.may_end:
            bias[end] = 0
        return bias


class Automaton:
    """The deterministic automaton of a regular expression over V characters.

    nfa   the nondeterministic one
    end   id of the character whose probability is that of ending, the end of a line; None: if
          the model does not know it, a text ends where nothing can follow
    """

    def __init__(self, nfa: Nfa, end: int | None) -> None:
        self._nfa, self.end = nfa, end
        self._distances = nfa.distances()
        # Characters that every edge takes or leaves alike are one class.
        masks, self._class_of = np.unique(nfa.masks, axis=1, return_inverse=True)
        self._class_of = self._class_of.reshape(-1)
        self._masks: Mask = masks
        self._states: dict[frozenset[int], MatchState] = {}
        self.start = self._state(reachable(nfa, [0]))

    @classmethod
    def of(
        cls,
        pattern: str,
        characters: str,
        allowed: Mask | None = None,
        stops: StopTable | None = None,
        end: int | None = None,
    ) -> "Automaton":
        """Return the automaton of the texts that match and contain no stop text.

        The arguments are those of ``compile_nfa`` and of the class. Raises ConfigError for an
        expression that is damaged, not supported or too large.
        """
        nfa = compile_nfa(pattern, characters, allowed)
        if stops is not None:
            nfa = nfa.without(stops)
        nfa.new()  # a state of its own for a class with all characters, so that there is one
        nfa.link(len(nfa.edges) - 1, np.ones(len(characters), bool), nfa.accept)
        return cls(nfa, end)

    def require_text(self, length: int) -> None:
        """Raise ConfigError if no text of at most this many characters matches."""
        needed = self._distances[0]
        if needed >= UNREACHABLE:
            raise ConfigError(
                "no text matches that has only characters the model knows",
                hint="'charrnn inspect-vocab' lists them",
            )
        if needed > length:
            raise ConfigError(
                f"no text of {length} characters or less matches", hint=f"--length {needed} or more"
            )

    def step(self, state: MatchState, chosen: int) -> MatchState:
        """Return the state after a character that is allowed."""
        group = int(self._class_of[chosen])
        after = state.after.get(group)
        if after is None:
            edges, taken = self._nfa.edges, self._masks[:, group]
            targets = {
                target for origin in state.members for number, target in edges[origin]
                if taken[number]
            }  # fmt: skip
            after = state.after[group] = self._state(reachable(self._nfa, targets))
        return after

    def is_over(self, state: MatchState, left: int) -> bool:
        """Return True if nothing may follow."""
        return state.accepting and state.least > left

    def _state(self, reached: frozenset[int]) -> MatchState:
        nfa = self._nfa
        members = frozenset(at for at in reached if nfa.edges[at] or at == nfa.accept)
        if (known := self._states.get(members)) is not None:
            return known
        needs = np.full(self._masks.shape[1], UNREACHABLE)
        for origin in members:
            for number, target in nfa.edges[origin]:
                needed = self._distances[target] + 1
                np.minimum(needs, needed, out=needs, where=self._masks[number])
        accepting = nfa.accept in members
        state = MatchState(members, needs[self._class_of], accepting=accepting)
        state.may_end = accepting and self.end is not None and state.needs[self.end] >= UNREACHABLE
        if len(self._states) >= REMEMBERED:
            self._forget()
        self._states[members] = state
        return state

    def _forget(self) -> None:
        for state in self._states.values():
            state.after.clear()
        self._states.clear()


class MatchCursor:
    """Ends a text as a complete match of at most ``length`` characters."""

    held = 0

    def __init__(self, automaton: Automaton, length: int) -> None:
        self._automaton, self._state, self._left = automaton, automaton.start, length
        self.ended, self.cut = automaton.is_over(automaton.start, length), 0

    def allowed(self) -> Array:
        """See ``Cursor.allowed``."""
        return self._state.bias(self._left, self._automaton.end)

    def advance(self, chosen: int) -> None:
        """See ``Cursor.advance``."""
        if chosen == self._automaton.end and self._state.may_end:
            self.ended, self.cut = True, 1
            return
        self._state = self._automaton.step(self._state, chosen)
        self._left -= 1
        self.ended = self._automaton.is_over(self._state, self._left)
