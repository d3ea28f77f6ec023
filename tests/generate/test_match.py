"""A text that must match a regular expression always does, and Python's own engine is the judge."""

import gc
import re
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import ConfigError
from charrnn.generate import match as match_module
from charrnn.generate.match import Automaton
from tests.generate.models import MODEL, make_model, write

pytest.importorskip("interegular")

ALPHABET = "\n1Aab"
WITHOUT_LINES = make_model("abc")
ATOMS = [r"\d", r"\w", r"\s", r"\W", r"\n", r"\.", r"\x41", *"abA1.é", ""]
CLASSES = ["[ab]", "[^a]", "[a-b1]", "[é-ü]", "[]a]"]
REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,3}?", "{2,}"]
STRINGS = ["".join(chars) for n in range(5) for chars in product(ALPHABET, repeat=n)]


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.builds("{}{}".format, inner, inner)
        | st.builds("{}|{}".format, inner, inner)
        | st.builds("({})".format, inner)
        | st.builds("(?:{}){}".format, inner, st.sampled_from(REPEATS))
    )


EXPRESSIONS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "(?i)", "(?s)", "(?ia)", "^", r"\A"]),
    st.recursive(st.sampled_from(ATOMS + CLASSES), _combined, max_leaves=6),
    st.sampled_from(["", "", "$", r"\Z"]),
)


def automaton_of(pattern: str, characters: str = ALPHABET) -> Automaton:
    return Automaton(pattern, characters, np.ones(len(characters), bool), end="")


def accepted(automaton: Automaton, text: str) -> bool:
    state = automaton.start
    for left, char in zip(range(len(text), 0, -1), text, strict=True):
        if not automaton.allowed(state, left)[ALPHABET.index(char)]:
            return False
        state = automaton.follow(state, char)
    return automaton.is_over(state, 0)


@given(EXPRESSIONS)
def test_a_text_may_be_written_to_its_end_if_python_matches_it(pattern: str) -> None:
    expression, automaton = re.compile(pattern), automaton_of(pattern)
    matching = [text for text in STRINGS if expression.fullmatch(text)]
    assert [text for text in STRINGS if accepted(automaton, text)] == matching
    for left in range(5):
        allowed = automaton.allowed(automaton.start, left)
        begins = {text[0] for text in matching if text and len(text) <= left}
        assert begins == {*np.array([*ALPHABET])[allowed]}


def test_a_match_ends_where_the_model_ends_the_line_or_is_as_long_as_it_may_be() -> None:
    texts = [write(MODEL, 200, random_seed=seed, match=".*")[0] for seed in range(20)]
    free = [write(MODEL, 200, random_seed=seed, stop=("\n",))[0] for seed in range(20)]
    assert texts == free  # the end of a line is as probable as without the expression
    assert len({len(text) for text in texts}) > 3
    text, _ = write(MODEL, 30, match=r"[\s\S]*")  # where a line break belongs to the text
    assert len(text) == 30
    text, ended = write(MODEL, 99, match="([abc]|9|A){99}", charset="^b-c", temperature=3)
    assert set(text) == set("a9A")
    assert ended == "match"
    assert len(write(WITHOUT_LINES, 17, match="[ab]*")[0]) == 17
    assert write(WITHOUT_LINES, 17, match="(?P<n>a)b?")[0] == "ab"


UNUSABLE = {
    "cannot use": r"(a)\1 (a)?(?(1)b|c) a(?=b) (?<!a)b a\b a^b (a$)+ (?>a)b (?i:a)b (?x)ab a*+",
    "not a regular expression": "(a [a a{99999999999}",
    "not a regular expression|cannot use": "(" * 5000 + ")" * 5000,
    "only characters the model knows": r"é [^\s\S]",
    "40 characters or less": "a{41}",
}


def test_what_cannot_be_used_is_refused() -> None:
    pairs = ((it, complaint) for complaint, every in UNUSABLE.items() for it in every.split())
    for pattern, complaint in pairs:
        with pytest.raises(ConfigError, match=complaint) as caught:
            write(MODEL, 40, match=pattern)
        assert caught.value.hint


def test_an_expression_that_takes_too_long_to_prepare_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(match_module, "SECONDS", 0.1)
    # An error in what runs in between would be ignored, and most of the time passes there.
    gc.callbacks.append(slow := lambda *_: sum(range(10_000_000)))
    try:
        with pytest.raises(ConfigError, match="too long to prepare"):
            write(MODEL, 40, match="(((a{100}){100}){100}){100}")
    finally:
        gc.callbacks.remove(slow)
    assert sys.getprofile() is None


def test_a_text_of_the_length_that_a_repetition_needs_is_written() -> None:
    for pattern, length in (("a{40}", 40), ("(?:(?:){4000000000}){4000000000}", 0)):
        assert write(MODEL, 40, match=pattern)[0] == "a" * length


def test_every_character_is_matched_as_python_does() -> None:
    characters = "".join(sorted({*map(chr, range(0x250)), *"İıſKẞ春"}))
    for pattern in (r"\w", r"\d", r"\s", "(?i)k", "(?i)[i-s]", "(?i)ß", r"(?a)\W", ".", "(?s)."):
        automaton = automaton_of(pattern, characters)
        expected = [bool(re.fullmatch(pattern, char)) for char in characters]
        np.testing.assert_array_equal(automaton.allowed(automaton.start, 1), expected)
