"""A text that must match a regular expression always does, and Python's own engine is the judge."""

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from charrnn import ConfigError, SamplingConfig, Vocabulary
from charrnn.config import ControlConfig
from charrnn.inference import automaton as automaton_module
from charrnn.inference import regex
from charrnn.inference.automaton import Automaton
from charrnn.inference.controls import Controls
from charrnn.inference.endings import StopTable
from charrnn.inference.regex import UNREACHABLE
from tests.inference.models import VOCABULARY, controlled, make_model

ALPHABET = "\n1Aab"
_ATOMS = st.sampled_from(
    ["a", "b", "A", "1", ".", "[ab]", "[^a]", r"\d", r"\w", r"\s", r"\W", "[a-b1]", r"\n", "",
     "(?i:a)", "(?s:.)", "(?a:\\w)", "é", "[é-ü]"]
)  # fmt: skip
_REPEATS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,3}?", "{2,}"]


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.builds(lambda a, b: a + b, inner, inner)
        | st.builds(lambda a, b: f"{a}|{b}", inner, inner)
        | st.builds(lambda a: f"({a})", inner)
        | st.builds(lambda a, b: f"(?:{a}){b}", inner, st.sampled_from(_REPEATS))
        | st.builds(lambda a, b: f"(?i:{a}){b}", inner, inner)
        | st.builds(lambda a: f"^(?:{a})$", inner)
    )


EXPRESSIONS = st.recursive(_ATOMS, _combined, max_leaves=6)
STRINGS = ["".join(chars) for n in range(5) for chars in product(ALPHABET, repeat=n)]


def accepted(automaton: Automaton, text: str) -> bool:
    state = automaton.start
    for char in text:
        chosen = ALPHABET.index(char)
        if state.needs[chosen] >= UNREACHABLE:
            return False
        state = automaton.step(state, chosen)
    return state.accepting


def compiled(pattern: str) -> re.Pattern[str]:
    """Return what Python makes of an expression, if charrnn supports it."""
    assume(not re.search(r"[^|(:]\^|\$[^)|]", pattern.replace("[^", "[")))
    try:
        return re.compile(pattern)
    except re.error:
        assume(condition=False)
        raise


def automaton_of(pattern: str, stops: tuple[str, ...] = ()) -> Automaton:
    """Return the automaton, if the expression is supported."""
    try:
        table = StopTable(stops, ALPHABET) if stops else None
        return Automaton.of(pattern, ALPHABET, stops=table)
    except ConfigError:
        assume(condition=False)
        raise


@given(EXPRESSIONS)
def test_the_automaton_accepts_what_python_matches(pattern: str) -> None:
    expression, automaton = compiled(pattern), automaton_of(pattern)
    for text in STRINGS:
        assert accepted(automaton, text) == bool(expression.fullmatch(text)), (pattern, text)


@given(EXPRESSIONS, st.sampled_from([("a",), ("ab", "1"), ("aa", "b\n", "ba"), ("é",)]))
def test_the_automaton_without_stop_texts_accepts_what_contains_none(
    pattern: str, stops: tuple[str, ...]
) -> None:
    expression, automaton = compiled(pattern), automaton_of(pattern, stops)
    for text in STRINGS:
        expected = expression.fullmatch(text) and not any(stop in text for stop in stops)
        assert accepted(automaton, text) == bool(expected), (pattern, text)


@given(EXPRESSIONS)
def test_a_state_knows_how_many_characters_a_match_still_needs(pattern: str) -> None:
    expression, automaton = compiled(pattern), automaton_of(pattern)
    matching = [text for text in STRINGS if expression.fullmatch(text)]
    for char in ALPHABET:
        shortest = min((len(text) for text in matching if text[:1] == char), default=UNREACHABLE)
        needed = automaton.start.needs[ALPHABET.index(char)]
        assert needed == shortest or (shortest == UNREACHABLE and needed > 4)


RULES = st.fixed_dictionaries(
    {
        "match": EXPRESSIONS,
        "charset": st.sampled_from([None, "^b", "a1"]),
        "stop": st.sampled_from([(), ("a1",), ("11", "b")]),
    }
)


@given(RULES, st.integers(0, 12), st.integers(0, 1000), st.sampled_from([0.0, 0.8, 3.0]))
def test_a_sample_always_matches_as_a_whole(
    rules: dict[str, Any], length: int, random_seed: int, temperature: float
) -> None:
    vocabulary = Vocabulary(ALPHABET)
    expression = compiled(rules["match"])
    try:
        Controls(ControlConfig(**rules), vocabulary, length)
    except ConfigError:
        assume(condition=False)
    text = controlled(
        length, random_seed=random_seed, model=make_model(ALPHABET), vocabulary=vocabulary,
        sampling=SamplingConfig(temperature=temperature, top_p=0.9), **rules,
    )  # fmt: skip
    assert expression.fullmatch(text)
    assert len(text) <= length
    assert not any(part in text for part in rules["stop"])
    assert rules["charset"] is None or re.fullmatch(f"[{rules['charset']}]*", text)


@pytest.mark.parametrize(
    "pattern",
    [r"[A-C][a-c]{2,5}( [A-C][a-c]+)*\.", r"\d{4}", "(a|bc)*!", "(?i)abc+|9.?", r"(?x) a b | c",
     r"\Aab*\Z", "^a$|^b$", "a{3}b{0,2}", "(?:a?){5}", r".*\?", "(?P<name>a)b"],
)  # fmt: skip
def test_samples_of_usual_expressions_match(pattern: str) -> None:
    texts = {controlled(20, random_seed=seed, match=pattern) for seed in range(8)}
    assert all(re.fullmatch(pattern, text) for text in texts), texts


@pytest.mark.parametrize("length", range(1, 7))
def test_a_match_is_never_longer_than_it_may_be(length: int) -> None:
    texts = [controlled(length, random_seed=seed, match="[a-c ]*!") for seed in range(30)]
    assert all(re.fullmatch("[a-c ]*!", text) for text in texts)
    assert max(map(len, texts)) == length


def test_a_match_ends_where_the_model_ends_the_line() -> None:
    texts = [controlled(200, random_seed=seed, match=".*") for seed in range(20)]
    free = [controlled(200, random_seed=seed, stop=("\n",)) for seed in range(20)]
    assert texts == free  # the end of a line is as probable as without the expression
    assert len({len(text) for text in texts}) > 3


def test_without_an_end_of_line_a_match_is_as_long_as_it_may_be() -> None:
    vocabulary = Vocabulary("abc")
    text = controlled(17, model=make_model("abc"), vocabulary=vocabulary, match="[ab]*")
    assert len(text) == 17
    assert controlled(17, model=make_model("abc"), vocabulary=vocabulary, match="ab?") in "ab"
    text = controlled(30, match=r"[\s\S]*")  # where a line break belongs to the text
    assert len(text) == 30


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (r"(a)\1", "a back-reference"),
        (r"(a)?(?(1)b|c)", "a condition"),
        ("a(?=b)", "lookaround"),
        ("(?<!a)b", "lookaround"),
        ("(?!)", "lookaround"),
        (r"a\b", "an anchor inside"),
        ("a^b", "an anchor inside"),
        ("(a$)+", "an anchor inside"),
        ("(?>a)b", "an atomic group"),
        ("a*+", "possessive"),
        ("(a", "no regular expression"),
        ("[a", "no regular expression"),
        ("(((a{100}){100}){100}){100}", "more than 50,000 states"),
        ("a{99999999999}", "no regular expression"),
        ("(" * 5000 + ")" * 5000, "no regular expression|nested too deeply"),
        ("é", "only characters the model knows"),
        ("[^\\s\\S]", "only characters the model knows"),
        ("a{50}", "40 characters or less"),
    ],
)
def test_what_cannot_be_steered_is_refused(pattern: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        controlled(40, match=pattern)
    assert caught.value.hint


def test_a_repetition_of_nothing_takes_no_time() -> None:
    assert controlled(5, match="(?:(?:){4000000000}){4000000000}") == ""


def test_states_that_are_forgotten_are_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = "(a|b)*a(a|b){9}"
    texts = [controlled(100, random_seed=seed, match=pattern) for seed in range(3)]
    monkeypatch.setattr(automaton_module, "REMEMBERED", 2)
    assert texts == [controlled(100, random_seed=seed, match=pattern) for seed in range(3)]


def test_every_character_is_matched_as_python_does() -> None:
    characters = "".join(map(chr, range(0x250))) + "İıſKẞ"
    characters = "".join(sorted(set(characters)))
    for pattern in (
        r"\w",
        r"\d",
        r"\s",
        "(?i)k",
        "(?i)[i-s]",
        "(?i)ß",
        "(?a)\\W",
        "(?a:\\w)",
        ".",
        "(?s).",
    ):
        nfa = regex.compile_nfa(pattern, characters, None)
        ((_, mask),) = enumerate(nfa.masks)
        expected = [bool(re.fullmatch(pattern, char)) for char in characters]
        np.testing.assert_array_equal(mask, expected)


def test_a_match_is_steered_for_a_vocabulary_of_any_size() -> None:
    assert re.fullmatch("[a-c]+!", controlled(9, vocabulary=VOCABULARY, match="[a-c]+!"))
