"""A regular expression as tables: which characters may follow so that all of the text matches.

Python's own engine says which characters each class, escape or literal matches, flags included.
Characters that none of them tells apart are one symbol. ``interegular`` makes a deterministic
automaton of the expression over these symbols.
"""

import re
import sys
import time
import warnings
from functools import lru_cache
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.errors import ConfigError
from charrnn.extras import require_extra

# More characters than any text has.
UNREACHABLE = 1 << 40
SECONDS = 1.0

Flags = NDArray[np.bool_]

_CLASS = r"\[\^?\]?(?:\\.|[^\]\\])*\]"
_TOKEN = re.compile(
    rf"""(?P<repeat>(?:[*+?]|\{{(?:\d+(?:,\d*)?|,\d*)\}})\??(?!\+))
    |(?P<group>\((?:\?:|\?P<\w+>|(?!\?))|\)|\|)
    |(?P<anchor>\^|\\A|\$|\\Z)
    |(?P<atom>{_CLASS}|[^\\[()|*+?]
      |\\(?:x..|u.{{4}}|U.{{8}}|N\{{[^}}]*\}}|0[0-7]{{0,2}}|[0-7]{{3}}|[^bB1-9]))""",
    re.VERBOSE | re.DOTALL,
)
_HINT = "supported: literals, classes, ., |, groups, ?, *, +, {m,n}; the whole text has to match"
# Symbols are characters from here on; the last is that of no character.
_FIRST, _NONE = 0x10000, chr(sys.maxunicode)


def select_characters(charset: str | None, characters: str) -> Flags:
    """Return which characters (V,) a set has, given as inside [...]; None: all.

    Raises ConfigError if it is not a set, and if it has none of them.
    """
    if charset is None:
        return np.ones(len(characters), bool)
    hint = r"a backslash quotes: \] or \-"
    try:
        found = _find_members(f"[{charset}]", characters)
    except re.error as error:
        raise ConfigError(f"'{charset}' is not a set of characters: {error}", hint=hint) from None
    if not re.fullmatch(_CLASS, f"[{charset}]", re.DOTALL):
        raise ConfigError(f"'{charset}' is not a set of characters", hint=hint)
    if not found.any():
        raise ConfigError(
            "the model knows none of these characters",
            hint="'charrnn inspect-vocab' lists those it knows",
        )
    return found


class Automaton:
    """The texts that match a regular expression as a whole. State 0 is the start.

    pattern      the expression
    characters   of the model, V of them
    allowed      those that the text may have, (V,)
    end          a character that ends a match, where it cannot be part of one

    Raises ConfigError for an expression that is damaged, is not supported or takes more than a
    second to prepare, and if the package for it is missing.
    """

    start = 0

    def __init__(self, pattern: str, characters: str, allowed: Flags, end: str) -> None:
        library = require_extra("interegular", "match")
        is_end = np.array([char == end for char in characters])
        tokens, atoms = _tokenize(pattern, characters)
        masks = np.array([*(allowed & atom for atom in atoms), allowed, is_end])
        groups, symbols = np.unique(masks, axis=1, return_inverse=True)
        self._symbols = symbols = symbols.reshape(-1)
        members = ["".join(chr(_FIRST + it) for it in np.flatnonzero(row)) for row in groups]
        text = "".join(f"[{members[it]}{_NONE}]" if isinstance(it, int) else it for it in tokens)
        try:
            machine = _compile(text)
        except (library.InvalidSyntax, library.Unsupported, RecursionError):
            raise ConfigError(f"--match cannot use '{pattern}'", hint=_HINT) from None
        count = len(machine.states)  # the state from which no match can follow
        # State after each of C symbols, (S + 1, C); whether the text is a complete match, (S + 1,).
        self._after = after = np.full((count + 1, groups.shape[1]), count)
        for symbol in range(groups.shape[1]):
            key = machine.alphabet[chr(_FIRST + symbol)]
            for state, targets in machine.map.items():
                after[state, symbol] = targets.get(key, count)
        self._accepting = np.zeros(count + 1, bool)
        self._accepting[list(machine.finals)] = True
        # The fewest characters to a complete match, from each state and with each next symbol.
        needs = np.where(self._accepting, 0, UNREACHABLE)
        while not np.array_equal(fewer := np.minimum(needs, 1 + needs[after].min(axis=1)), needs):
            needs = fewer
        self._needs, self._needs_with = needs, 1 + needs[after]
        self._needs_more = self._needs_with.min(axis=1)
        # The end has a symbol of its own, if the model knows it.
        column = symbols[is_end]
        ends = self._accepting[:, None] & (self._needs_with[:, column] >= UNREACHABLE)
        self._needs_with[:, column] -= ends * UNREACHABLE
        self._end, self._may_end = end, ends.any(axis=1)
        self._symbol_of = dict(zip(characters, symbols.tolist(), strict=True))

    def require_text(self, length: int) -> None:
        """Raise ConfigError if no text of at most this many characters matches."""
        needed = int(self._needs[0])
        if needed >= UNREACHABLE:
            raise ConfigError(
                "no text matches that has only characters the model knows",
                hint="'charrnn inspect-vocab' lists them",
            )
        if needed > length:
            raise ConfigError(
                f"no text of {length} characters or less matches", hint=f"--length {needed} or more"
            )

    def allowed(self, state: int, left: int) -> Flags:
        """Return which characters may be next, (V,), if at most ``left`` may follow."""
        allowed: Flags = (self._needs_with[state] <= left)[self._symbols]
        return allowed

    def ends_with(self, state: int, char: str) -> bool:
        """Return True if a next character ends the text, and does not belong to it."""
        return char == self._end and bool(self._may_end[state])

    def is_over(self, state: int, left: int) -> bool:
        """Return True if the text is a complete match that nothing may follow."""
        return bool(self._accepting[state] and self._needs_more[state] > left)

    def follow(self, state: int, char: str) -> int:
        """Return the state after a character."""
        return int(self._after[state, self._symbol_of[char]])


def _tokenize(pattern: str, characters: str) -> tuple[list[str | int], list[Flags]]:
    """Return an expression as syntax and numbers of atoms, and the characters (V,) of each atom."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what a class may mean in the future
            flags = re.compile(pattern).flags & ~re.DEBUG
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"'{pattern}' is not a regular expression: {error}",
            hint=r"a backslash quotes: \. or \(",
        ) from None
    rest = re.sub(r"\A\(\?[aiLmsu]+\)", "", pattern)
    tokens: list[str | int] = []
    atoms: dict[str, int] = {}
    at = 0
    while at < len(rest):
        found = _TOKEN.match(rest, at)
        token = found[0] if found else rest[at : at + 3]
        edge = at + len(token) == len(rest) if token in {"$", r"\Z"} else at == 0
        kind = found.lastgroup if found else None
        if kind is None or (kind == "anchor" and not edge):
            raise ConfigError(f"--match cannot use '{token}' in '{pattern}'", hint=_HINT)
        if kind == "atom":
            tokens.append(atoms.setdefault(token, len(atoms)))
        elif kind != "anchor":
            tokens.append(token)
        at += len(token)
    return tokens, [_find_members(atom, characters, flags) for atom in atoms]


def _find_members(atom: str, characters: str, flags: int = 0) -> Flags:
    """Return which characters (V,) a class, escape or literal matches."""
    with warnings.catch_warnings(action="ignore"):  # of what a class may mean in the future
        match = re.compile(atom, flags).fullmatch
    return np.array([match(char) is not None for char in characters])


@lru_cache(maxsize=8)  # each prompt asks for the same one
def _compile(text: str) -> Any:
    """Return the automaton of an expression over symbols.

    Raises ConfigError from within any call that the library makes after SECONDS.
    """
    library = require_extra("interegular", "match")
    end, before = time.thread_time() + SECONDS, sys.getprofile()

    def check(frame: FrameType, *_: object) -> None:
        # From a finalizer or a callback of the garbage collector, an error would not get through.
        is_library = frame.f_globals.get("__name__", "").startswith("interegular.")
        if is_library and time.thread_time() > end:
            raise ConfigError(
                "the regular expression takes too long to prepare", hint="repeat less in it"
            )

    sys.setprofile(check)
    try:
        return library.parse_pattern(text).to_fsm()
    finally:
        sys.setprofile(before)
