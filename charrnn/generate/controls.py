"""Controls: where a text ends, and which characters it may have.

A rule is a generator: it yields a ``Verdict`` on the text so far and is sent the next character.
A ``Text`` asks all rules of a sample. Characters that are excluded everywhere are one vector.
"""

import re
from collections import deque
from collections.abc import Generator, Sequence
from copy import copy
from typing import Literal, NamedTuple

import numpy as np

from charrnn.config import ControlConfig
from charrnn.errors import ConfigError
from charrnn.generate.match import Automaton, Flags, select_characters
from charrnn.generate.originality import Drafts, Word
from charrnn.generate.seen import Bits, require_spans
from charrnn.text.vocabulary import Vocabulary, escape

Ended = Literal["stop", "sentence", "match", "piece", "length"]

# The limit of a text that something else should end: a stop text, a sentence.
FAR = 10_000

# A sentence ends after one of the first with closing quotes if a space follows, and after one of
# the second whatever follows. The last character matched is the one that follows.
_CLOSERS = r"\"'”’»›)\]}」』）】》〉"
_SENTENCE = re.compile(
    rf"[.!?…؟۔][{_CLOSERS}]*\s\Z|[。！？।॥][{_CLOSERS}]*[^{_CLOSERS}.!?…؟۔。！？।॥]\Z"
)
_SENTENCE_TAIL = 12


class Verdict(NamedTuple):
    """What a rule says of a text.

    uncertain   how many characters at its end may yet be cut; of a complete text, are cut
    ended       why it is complete; None: it goes on
    allowed     which characters may be next, (V,) bool; None: all
    """

    uncertain: int = 0
    ended: Ended | None = None
    allowed: Flags | None = None


Rule = Generator[Verdict, str, None]


def end_at(length: int) -> Rule:
    """End after this many characters."""
    for _ in range(length):
        yield Verdict()
    yield Verdict(ended="length")


def end_before(stops: Sequence[str], ended: Ended) -> Rule:
    """End before any of these texts, the longest if several are complete at once."""
    longest = max(map(len, stops))
    beginnings = {stop[:size] for stop in stops for size in range(1, len(stop))}
    tail, cut = "", 0
    while not cut:
        begun = next((len(tail) - at for at in range(len(tail)) if tail[at:] in beginnings), 0)
        tail = (tail + (yield Verdict(begun)))[-longest:]
        cut = max((len(stop) for stop in stops if tail.endswith(stop)), default=0)
    yield Verdict(cut, ended)


def end_of_sentence(length: int, limit: int) -> Rule:
    """End with the first sentence that ends at ``length`` or later, or else with the last one.

    limit   number of characters after which no further sentence end is waited for
    """
    tail, between, complete = "", False, 0  # the last: characters of all complete sentences
    for size in range(limit):
        char = yield Verdict(size - complete)
        tail = (tail + char)[-_SENTENCE_TAIL:]
        between = between and char.isspace()
        if _SENTENCE.search(tail):
            complete, between = size, char.isspace()
            if size >= length:
                yield Verdict(1, "sentence")
        if size + 1 == length and between:
            yield Verdict(ended="sentence")
    yield Verdict(limit - complete if complete else 0, "length")


def end_of_match(automaton: Automaton, length: int) -> Rule:
    """Allow what leads to a complete match of at most ``length`` characters, and end with it."""
    state = automaton.start
    for left in range(length, -1, -1):
        if automaton.is_over(state, left):
            break
        char = yield Verdict(allowed=automaton.allowed(state, left))
        if automaton.ends_with(state, char):
            yield Verdict(1, "match")
        state = automaton.follow(state, char)
    yield Verdict(ended="match")


class Text:
    """One sample while it is written.

    ended     why it is complete; None: it is not
    allowed   which characters may be next, (V,) bool; None: all
    """

    def __init__(self, rules: list[Rule], characters: str, allowed: Flags | None = None) -> None:
        self.ended: Ended | None = None
        self.allowed = self._allowed = allowed
        self._rules, self._characters = rules, characters
        self._pending: deque[tuple[int, float]] = deque()
        self._judge([next(rule) for rule in rules])

    def add(self, word: Word) -> None:
        """Add the next characters, up to the end of the text."""
        for drawn in word:
            if self.ended is None:
                self._pending.append(drawn)
                self._judge([rule.send(self._characters[drawn[0]]) for rule in self._rules])

    def release(self) -> Word:
        """Return the characters that certainly belong to the text now, and did not before."""
        certain = len(self._pending) - self._uncertain
        return [self._pending.popleft() for _ in range(certain)]

    def _judge(self, verdicts: list[Verdict]) -> None:
        allowed = (verdict.allowed for verdict in verdicts if verdict.allowed is not None)
        self.allowed = next(allowed, self._allowed)
        final = [verdict for verdict in verdicts if verdict.ended]
        self._uncertain, self.ended, _ = max(final or verdicts, key=lambda it: it.uncertain)


class Controls:
    """The controls of a text, prepared for a vocabulary.

    config       what the text must obey
    vocabulary   the characters of the model, V of them
    length       new characters; with ``match`` or ``stop`` the largest number, with
                 ``until_sentence`` the smallest
    end          a character that ends the text, such as that of a piece; None: nothing does
    seen_spans   filter of the spans of the training text, for ``max_copied``

    Attributes: ``vocabulary``; ``limit``, the largest number of new characters; ``allowed``, the
    characters that are, (V,); ``is_free``, True if only the length or ``end`` ends the text and all
    characters are allowed; ``end_id``, the id of ``end``, or -1.

    Raises ConfigError for a set of characters or a regular expression that cannot be used, and if
    no text can obey.
    """

    def __init__(
        self,
        config: ControlConfig,
        vocabulary: Vocabulary,
        length: int,
        *,
        end: str | None = None,
        seen_spans: Bits | None = None,
    ) -> None:
        if config.max_copied is not None:
            require_spans(seen_spans)
        self._seen_spans = seen_spans
        self.config, self.end, self.length = config, end, length
        self.vocabulary, characters = vocabulary, vocabulary.characters
        self._stops = [stop for stop in config.stop if not vocabulary.unknown(stop)]
        self.limit = length + FAR if config.until_sentence else length
        self.allowed = allowed = select_characters(config.charset, characters)
        self.end_id = -1 if end is None else vocabulary.index[end]
        if end is not None:
            allowed[self.end_id] = config.match is None
        self._automaton: Automaton | None = None
        if config.match is not None:
            self._automaton = Automaton(config.match, characters, allowed, end or "\n")
            self._automaton.require_text(length)
        if config.contain is not None:
            self._require_possible(config.contain)
        self.is_free = config == ControlConfig()
        self.beginning, self.next = Word(), allowed

    def _require_possible(self, text: str) -> None:
        """Raise ConfigError if no sample can contain a text."""
        if unknown := self.vocabulary.unknown(text):
            error = f"no sample contains {text!r}: the model does not know {escape(unknown)!r}"
            raise ConfigError(error, hint="'charrnn inspect-vocab' lists the characters it knows")
        ids = self.vocabulary.encode(text)
        if len(ids) > self.limit:
            error = f"{text!r} is longer than the {self.limit:,} characters of a sample"
            raise ConfigError(error, hint=f"--length {len(ids)} or more")
        wrong = [it for it in (*self._stops, self.end or "") if it and it in text]
        wrong += [text[at] for at in np.flatnonzero(~self.allowed[ids])]
        if wrong:
            raise ConfigError(
                f"no sample contains {text!r}: {wrong[0]!r} ends one, or is not in the charset",
                hint="contain a text without it",
            )

    def begin(self) -> Text:
        """Return a new sample."""
        rules: list[Rule] = []
        characters = self.vocabulary.characters
        if self._automaton is not None:
            rules.append(end_of_match(self._automaton, self.length))
            return Text(rules, characters, self.allowed)
        if self._stops:
            rules.append(end_before(self._stops, "stop"))
        if self.end is not None:
            rules.append(end_before([self.end], "piece"))
        if self.config.until_sentence:
            rules.append(end_of_sentence(self.length, self.limit))
        else:
            rules.append(end_at(self.length))
        text = Text(rules, characters, None if self.allowed.all() else self.allowed)
        if self.beginning:
            text.add(self.beginning)
            text.allowed = self.next
        return text

    def after(self, beginning: Word, allowed: Flags) -> "Controls":
        """Return the controls of samples that begin so; characters that are allowed follow."""
        rest = copy(self)
        rest.beginning, rest.next = beginning, allowed
        return rest

    def drafts(self, count: int) -> Drafts | None:
        """Return the drafts of this many samples, or None if nothing is drawn anew."""
        if self.config.max_copied is None and self.config.no_repeat is None:
            return None
        written = "".join(self.vocabulary.characters[chosen] for chosen, _ in self.beginning)
        return Drafts(self.config, self._seen_spans, self.vocabulary, count, written)
