r"""From a regular expression to a nondeterministic finite automaton over a vocabulary.

Python's own parser reads the expression, and Python's own engine says which characters each class,
category or literal matches, flags included. The rest is Thompson's construction (1968).

Supported is what is regular: literals, ``.``, classes with ranges, negation and categories, ``|``,
groups of any kind, ``?``, ``*``, ``+``, ``{m,n}`` and their lazy variants, which match the same
texts; flags, for all or for a group; ``^`` or ``\A`` at the beginning and ``$`` or ``\Z`` at the
end, where they say what is true anyway. Refused are back-references, lookaround, atomic groups,
possessive repetition, conditions, word boundaries, and anchors elsewhere.
"""

import re
import warnings
from collections import deque
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.inference.endings import StopTable

# A repetition {m,n} repeats its states, so an expression of a few characters can ask for millions.
MAX_STATES = 50_000

# More than any path through an automaton has.
UNREACHABLE = np.iinfo(np.int64).max // 2

Mask = NDArray[np.bool_]

_HINT = "supported: literals, classes, ., |, groups, ?, *, +, {m,n}; the whole text has to match"
_REFUSED = {
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a condition on a group",
    "ASSERT": "lookaround",
    "ASSERT_NOT": "lookaround",
    "FAILURE": "lookaround",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "possessive repetition",
}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT"}
_AT_START = {"AT_BEGINNING", "AT_BEGINNING_STRING"}
_AT_END = {"AT_END", "AT_END_STRING"}


class Nfa:
    """An automaton that reads ids from state 0 to state ``accept``.

    epsilon   for each state, those that it reaches without a character
    edges     for each state, pairs of a class of characters and the state after one of them
    """

    def __init__(self) -> None:
        self.epsilon: list[list[int]] = []
        self.edges: list[list[tuple[int, int]]] = []
        self.accept = 0
        self._masks: list[Mask] = []
        self._numbers: dict[bytes, int] = {}

    @property
    def masks(self) -> Mask:
        """The characters of each class, (classes, V)."""
        return np.array(self._masks)

    def new(self) -> int:
        """Add a state. Raises ConfigError if there are too many."""
        if len(self.epsilon) >= MAX_STATES:
            raise ConfigError(
                f"the regular expression needs more than {MAX_STATES:,} states",
                hint="repeat less: x{1000}{1000} repeats x a million times",
            )
        self.epsilon.append([])
        self.edges.append([])
        return len(self.epsilon) - 1

    def link(self, state: int, mask: Mask, after: int) -> None:
        """Add an edge for these characters (V,), if there are any."""
        if mask.any():
            number = self._numbers.setdefault(mask.tobytes(), len(self._masks))
            if number == len(self._masks):
                self._masks.append(mask)
            self.edges[state].append((number, after))

    def distances(self) -> NDArray[np.int64]:
        """Return how many characters each state is from acceptance, at least; see UNREACHABLE."""
        before: list[list[tuple[int, int]]] = [[] for _ in self.epsilon]
        for state, targets in enumerate(self.epsilon):
            for target in targets:
                before[target].append((state, 0))
            for _, target in self.edges[state]:
                before[target].append((state, 1))
        found = np.full(len(self.epsilon), UNREACHABLE)
        queue = deque([(self.accept, 0)])
        while queue:
            state, steps = queue.popleft()
            if steps < found[state]:
                found[state] = steps
                for origin, cost in before[state]:
                    # Edges without a character first, so that the nearest state is always next.
                    (queue.append if cost else queue.appendleft)((origin, steps + cost))
        return found

    def without(self, stops: StopTable) -> "Nfa":
        """Return the automaton of the same texts less those that contain a stop text."""
        product, masks = Nfa(), self.masks
        numbers: dict[tuple[int, int], int] = {(0, 0): product.new()}
        queue = deque(numbers)

        def number_of(pair: tuple[int, int]) -> int:
            if pair not in numbers:
                numbers[pair] = product.new()
                queue.append(pair)
            return numbers[pair]

        while queue:
            state, held = pair = queue.popleft()
            here = numbers[pair]
            for target in self.epsilon[state]:
                product.epsilon[here].append(number_of((target, held)))
            for number, target in self.edges[state]:
                after = np.where(masks[number] & (stops.found[stops.after[held]] == 0),
                                 stops.after[held], -1)  # fmt: skip
                for next_held in np.unique(after[after >= 0]).tolist():
                    product.link(here, after == next_held, number_of((target, next_held)))
        product.accept = product.new()
        for (state, _), number in numbers.items():
            if state == self.accept:
                product.epsilon[number].append(product.accept)
        return product


def compile_nfa(pattern: str, characters: str, allowed: Mask | None) -> Nfa:
    """Return the automaton of the texts that a regular expression matches as a whole.

    pattern      the expression, as Python writes it
    characters   of the model, V of them
    allowed      those that the text may have, (V,); None: all

    Raises ConfigError for an expression that is damaged, not supported or too large.
    """
    parsed = _parse(pattern)
    builder = _Builder(characters, allowed)
    nfa = builder.nfa
    try:
        nfa.accept = builder.sequence(parsed, parsed.state.flags, nfa.new(), (True, True))
    except RecursionError:
        raise ConfigError("the regular expression is nested too deeply", hint=_HINT) from None
    return nfa


def charset_mask(charset: str, characters: str) -> Mask:
    """Return which characters (V,) a class matches, given as inside [...].

    Raises ConfigError if that is no class.
    """
    parsed = _parse(f"[{charset}]")
    if len(parsed) != 1:
        raise ConfigError(
            f"{charset!r} is no set of characters", hint="a ] in it needs a backslash: \\]"
        )
    return _Builder(characters, None).mask(parsed[0], parsed.state.flags)


def _parse(pattern: str) -> Any:  # noqa: ANN401  # Python's parser has no types
    try:
        with warnings.catch_warnings():  # of what a class may mean in the future
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return import_module("re._parser").parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{pattern!r} is no regular expression: {error}", hint="a backslash quotes: \\. or \\("
        ) from None


class _Builder:
    """Adds what Python's parser found to an automaton: each method from a state to a new one."""

    def __init__(self, characters: str, allowed: Mask | None) -> None:
        self.nfa = Nfa()
        self._characters, self._allowed = characters, allowed
        self._known: dict[tuple[str, int], Mask] = {}

    def mask(self, item: Any, flags: int) -> Mask:  # noqa: ANN401
        """Return the characters that a literal, class or category matches, (V,)."""
        key = repr(item), flags
        if key not in self._known:
            parser, compiler = import_module("re._parser"), import_module("re._compiler")
            state = parser.State()
            state.flags = flags
            matches = compiler.compile(parser.SubPattern(state, [item])).match
            mask = np.array([matches(char) is not None for char in self._characters], bool)
            self._known[key] = mask if self._allowed is None else mask & self._allowed
        return self._known[key]

    def sequence(self, items: Any, flags: int, at: int, edge: tuple[bool, bool]) -> int:  # noqa: ANN401
        """Add items one after the other.

        edge   are they at the beginning of the whole expression, and at its end?
        """
        items = list(items)
        first, last = edge
        for number, item in enumerate(items):
            at = self._item(item, flags, at, (first, last and number == len(items) - 1))
            first = first and item[0].name == "AT"
        return at

    def _item(self, item: Any, flags: int, at: int, edge: tuple[bool, bool]) -> int:  # noqa: ANN401
        name, argument = item[0].name, item[1]
        if name in _REFUSED:
            _refuse(_REFUSED[name])
        if name in _REPEATS:
            return self._repeat(argument, flags, at)
        if name == "SUBPATTERN":
            _, added, removed, inner = argument
            return self.sequence(inner, _combined(flags, added, removed), at, edge)
        if name == "BRANCH":
            return self._branch(argument[1], flags, at, edge)
        if name == "AT":
            place = argument.name
            if not ((edge[0] and place in _AT_START) or (edge[1] and place in _AT_END)):
                _refuse("an anchor inside")
            return at
        after = self.nfa.new()
        self.nfa.link(at, self.mask(item, flags), after)
        return after

    def _branch(self, choices: Any, flags: int, at: int, edge: tuple[bool, bool]) -> int:  # noqa: ANN401
        after = self.nfa.new()
        for choice in choices:
            begin = self.nfa.new()
            self.nfa.epsilon[at].append(begin)
            self.nfa.epsilon[self.sequence(choice, flags, begin, edge)].append(after)
        return after

    def _repeat(self, argument: Any, flags: int, at: int) -> int:  # noqa: ANN401
        low, high, body = argument
        inside, epsilon, new = (False, False), self.nfa.epsilon, self.nfa.new

        def once(begin: int) -> int:
            return self.sequence(body, flags, begin, inside)

        if body.getwidth()[1] == 0:  # nothing, however often
            return once(at)
        for _ in range(low):
            at = once(at)
        after = new()
        if high is import_module("re._constants").MAXREPEAT:
            loop = new()
            epsilon[at].append(loop)
            epsilon[loop].append(after)
            epsilon[once(loop)].append(loop)
            return after

        for _ in range(high - low):
            inner = new()
            epsilon[at] += [after, inner]
            at = once(inner)
        epsilon[at].append(after)
        return after


def _combined(flags: int, added: int, removed: int) -> int:
    """Return the flags inside a group, as Python's compiler has it."""
    kinds = re.ASCII | re.LOCALE | re.UNICODE
    if added & kinds:
        flags &= ~kinds
    return int((flags | added) & ~removed)


def _refuse(what: str) -> NoReturn:
    raise ConfigError(f"a text cannot be steered by {what}", hint=_HINT)


def reachable(nfa: Nfa, states: Iterator[int] | set[int] | list[int]) -> frozenset[int]:
    """Return these states and all that they reach without a character."""
    found, stack = set(states), list(states)
    while stack:
        for target in nfa.epsilon[stack.pop()]:
            if target not in found:
                found.add(target)
                stack.append(target)
    return frozenset(found)
