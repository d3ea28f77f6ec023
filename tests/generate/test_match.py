"""A text that must match a regular expression always does, and Python's own engine is the judge."""

import gc
import re
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charrnn import ConfigError, SamplingConfig, Vocabulary
from charrnn.generate import match as match_module
from charrnn.generate.match import Automaton
from tests.generate.models import controlled, make_model, write

pytest.importorskip("interegular")

ALPHABET = "\n1Aab"
_ATOMS = st.sampled_from(
    ["a", "b", "A", "1", ".", "[ab]", "[^a]", r"\d", r"\w", r"\s", r"\W", "[a-b1]", r"\n", "",
     "é", "[é-ü]", r"\.", "[]a]", r"\x41"]
)  # fmt: skip
_REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,3}?", "{2,}"]


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.builds(lambda a, b: a + b, inner, inner)
        | st.builds(lambda a, b: f"{a}|{b}", inner, inner)
        | st.builds(lambda a: f"({a})", inner)
        | st.builds(lambda a, b: f"(?:{a}){b}", inner, st.sampled_from(_REPEATS))
    )


EXPRESSIONS = st.builds(
    lambda flags, a, end: f"{flags}{a}{end}",
    st.sampled_from(["", "", "(?i)", "(?s)", "(?ia)", "^", r"\A"]),
    st.recursive(_ATOMS, _combined, max_leaves=6),
    st.sampled_from(["", "", "$", r"\Z"]),
)
STRINGS = ["".join(chars) for n in range(5) for chars in product(ALPHABET, repeat=n)]


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


@given(
    EXPRESSIONS,
    st.sampled_from([None, "^b", "a1"]),
    st.integers(0, 12),
    st.integers(0, 1000),
    st.sampled_from([0.0, 0.8, 3.0]),
)
def test_a_sample_always_matches_as_a_whole(
    pattern: str, charset: str | None, length: int, random_seed: int, temperature: float
) -> None:
    sampling = SamplingConfig(temperature=temperature, top_p=0.9)
    try:
        text, ended = write(
            length, random_seed=random_seed, model=make_model(ALPHABET), match=pattern,
            vocabulary=Vocabulary(ALPHABET), sampling=sampling, charset=charset,
        )  # fmt: skip
    except ConfigError:
        assume(condition=False)
    assert re.fullmatch(pattern, text)
    assert ended == "match"
    assert len(text) <= length
    assert charset is None or re.fullmatch(f"[{charset}]*", text)


def test_a_match_ends_where_the_model_ends_the_line() -> None:
    texts = [controlled(200, random_seed=seed, match=".*") for seed in range(20)]
    free = [controlled(200, random_seed=seed, stop=("\n",)) for seed in range(20)]
    assert texts == free  # the end of a line is as probable as without the expression
    assert len({len(text) for text in texts}) > 3


def test_without_an_end_of_line_a_match_is_as_long_as_it_may_be() -> None:
    vocabulary = Vocabulary("abc")
    text = controlled(17, model=make_model("abc"), vocabulary=vocabulary, match="[ab]*")
    assert len(text) == 17
    assert (
        controlled(17, model=make_model("abc"), vocabulary=vocabulary, match="(?P<n>a)b?") in "ab"
    )
    text = controlled(30, match=r"[\s\S]*")  # where a line break belongs to the text
    assert len(text) == 30


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (r"(a)\1", r"cannot use '\\\\1'"), (r"(a)?(?(1)b|c)", "cannot use '[(][?][(]'"),
        ("a(?=b)", "cannot use"), ("(?<!a)b", "cannot use"), (r"a\b", "cannot use"),
        ("a^b", r"cannot use '\^'"), ("(a$)+", "cannot use"), ("(?>a)b", "cannot use"),
        ("(?i:a)b", "cannot use"), ("(?x)a b", "cannot use"), ("a*+", "cannot use"),
        ("(a", "not a regular expression"), ("[a", "not a regular expression"),
        ("a{99999999999}", "not a regular expression"),
        ("(" * 5000 + ")" * 5000, "not a regular expression|cannot use"),
        ("é", "only characters the model knows"), (r"[^\s\S]", "only characters the model knows"),
        ("a{50}", "40 characters or less"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(pattern: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        controlled(40, match=pattern)
    assert caught.value.hint


def test_an_expression_that_takes_too_long_to_prepare_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(match_module, "SECONDS", 0.1)
    # An error in what runs in between would be ignored, and most of the time passes there.
    gc.callbacks.append(slow := lambda *_: sum(range(10_000_000)))
    try:
        with pytest.raises(ConfigError, match="too long to prepare"):
            controlled(40, match="(((a{100}){100}){100}){100}")
    finally:
        gc.callbacks.remove(slow)


def test_a_repetition_of_nothing_takes_no_time() -> None:
    assert controlled(5, match="(?:(?:){4000000000}){4000000000}") == ""


def test_every_character_is_matched_as_python_does() -> None:
    characters = "".join(sorted({*map(chr, range(0x250)), *"İıſKẞ春"}))
    for pattern in (r"\w", r"\d", r"\s", "(?i)k", "(?i)[i-s]", "(?i)ß", r"(?a)\W", ".", "(?s)."):
        automaton = automaton_of(pattern, characters)
        expected = [bool(re.fullmatch(pattern, char)) for char in characters]
        np.testing.assert_array_equal(automaton.allowed(automaton.start, 1), expected)
