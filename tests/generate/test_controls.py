"""Controls: where a text ends and what it is made of, whatever the model would write."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import ConfigError, SamplingConfig
from charrnn.config import ControlConfig
from charrnn.generate import sample
from charrnn.generate.controls import Controls, Rule, default_length, end_before, end_of_sentence
from charrnn.generate.sample import Sampler
from charrnn.nn.ensemble import Ensemble
from charrnn.parallel.machine import can_fork
from tests.generate.models import (
    CHARACTERS,
    MODEL,
    VOCABULARY,
    controlled,
    make_model,
    read_stream,
    write,
)

SEEDS = st.integers(0, 10_000)
TEXTS = st.text(st.sampled_from("ab."), min_size=1, max_size=3)


def read(rule: Rule, text: str) -> tuple[str, str | None]:
    """Return what a rule lets pass of a text that goes on, and why it ends."""
    released, verdict = 0, next(rule)
    for size, char in enumerate(text, 1):
        verdict = rule.send(char)
        if verdict.ended:
            assert size - verdict.uncertain >= released, "what was released is cut"
            return text[: size - verdict.uncertain], verdict.ended
        released = size - verdict.uncertain
    return text[:released], None


@given(st.lists(TEXTS, min_size=1, max_size=3), SEEDS, st.integers(0, 60))
def test_a_text_is_the_free_one_up_to_the_first_stop_text(
    stops: list[str], random_seed: int, length: int
) -> None:
    text, ended = write(length, random_seed=random_seed, stop=(*stops, "é"))
    whole = controlled(length, random_seed=random_seed)
    first = min((whole.index(stop) + len(stop) for stop in stops if stop in whole), default=None)
    cut = max((len(stop) for stop in stops if whole[:first].endswith(stop)), default=0)
    assert text == (whole if first is None else whole[: first - cut])
    assert ended == ("length" if first is None else "stop")


def test_only_a_text_that_a_stop_text_ends_is_long_unless_said() -> None:
    rules: Any = ({}, {"stop": ("a",)}, {"stop": ("a",), "until_sentence": True})
    assert [default_length(ControlConfig(**it)) for it in rules] == [200, 10_000, 200]


def test_all_is_released_at_once_that_no_stop_text_can_cut() -> None:
    passed = [read(end_before(["abc"], "stop"), "aababcc"[:size])[0] for size in range(1, 8)]
    assert passed == ["", "a", "a", "aab", "aab", "aab", "aab"]


@given(st.sets(st.sampled_from(CHARACTERS), min_size=1), SEEDS, st.sampled_from([0.0, 0.8]))
def test_a_text_has_only_the_characters_of_the_set(
    members: set[str], random_seed: int, temperature: float
) -> None:
    charset = "".join(re.escape(char) for char in sorted(members))
    sampling = SamplingConfig(temperature=temperature, top_k=2)
    text = controlled(30, random_seed=random_seed, sampling=sampling, charset=charset)
    assert len(text) == 30
    assert set(text) <= members


def test_what_a_model_holds_impossible_is_written_if_nothing_else_may_be() -> None:
    sure = make_model(VOCABULARY.characters)
    sure.params["output.bias"][VOCABULARY.index["a"]] = 1e4
    assert set(controlled(30, model=sure)) == {"a"}
    assert set(controlled(30, model=sure, charset="bc")) == set("bc")


@pytest.mark.parametrize(
    ("charset", "members"),
    [
        ("a-c", "abc"), (r"\n.", "\n."), (r"\d", "019"), ("a-", "a"), (r"\x61", "a"),
        ("^a-zA-Z", "\n .019!?。”"), ("]a" , "a"), ("é-ëa", "a"),
    ],
)  # fmt: skip
def test_a_set_is_what_is_inside_the_brackets_of_a_class(charset: str, members: str) -> None:
    text = controlled(300, sampling=SamplingConfig(temperature=50), charset=charset)
    assert set(text) == set(members)


@pytest.mark.parametrize(
    ("charset", "complaint"),
    [("", "not a set"), ("z-a", "bad character range"), ("a]b", "not a set"), ("é", "knows none")],
)
def test_a_set_that_is_none_is_refused(charset: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        controlled(charset=charset)


@pytest.mark.parametrize(
    ("text", "length", "limit", "expected"),
    [
        ("ab cd. ef. gh", 3, 99, "ab cd."), ("ab. cd ef. gh", 5, 99, "ab. cd ef."),
        ("ab. cd", 3, 99, "ab."), ("ab. cd", 4, 99, "ab. "),
        ("ab 3.14 cd! ef", 3, 99, "ab 3.14 cd!"), ("ab.” cd", 1, 99, "ab.”"),
        ("ab。”cd", 1, 99, "ab。”"), ("ab。cd。ef", 4, 99, "ab。cd。"), ("ab?! cd", 0, 99, "ab?!"),
        ("ab.\n\ncd", 2, 99, "ab."), (" . a", 1, 99, " ."), ("كيف؟ لا", 1, 99, "كيف؟"),
        ("वह है। वह", 1, 99, "वह है।"), ("春の海。夏", 1, 99, "春の海。"),
        # A sentence that does not end within the limit is cut after the last one.
        ("ab. cd ef ghi", 9, 11, "ab."), ("ab. cd. ef ghi", 9, 11, "ab. cd."),
        ("abcdefghij", 9, 9, "abcdefghi"),
    ],
)  # fmt: skip
def test_a_text_goes_on_until_the_end_of_the_sentence(
    text: str, length: int, limit: int, expected: str
) -> None:
    ended = "sentence" if limit == 99 else "length"
    assert read(end_of_sentence(length, limit), text) == (expected, ended)


@given(SEEDS, st.integers(0, 30))
def test_a_text_until_the_end_of_a_sentence_is_the_free_one_cut_there(
    random_seed: int, length: int
) -> None:
    text, ended = write(length, random_seed=random_seed, until_sentence=True)
    assert controlled(len(text), random_seed=random_seed) == text
    assert ended == "sentence"
    assert len(text) >= length
    assert re.search(r"([.!?][”]*|。[”.!?。]*)\s*$", text)


@given(SEEDS)
def test_controls_compose(random_seed: int) -> None:
    text, ended = write(
        50, random_seed=random_seed, stop=("ab", "."), charset="a-c.", until_sentence=True
    )
    assert ended == "stop"
    assert set(text) <= set("abc")
    assert "ab" not in text


@given(SEEDS, st.sampled_from([{}, {"charset": "a-c"}, {"match": "[^x]*"}]))
def test_a_line_ends_at_a_line_break_whatever_its_characters(
    random_seed: int, rules: dict[str, Any]
) -> None:
    text, ended = write(1000, random_seed=random_seed, end="\n", **rules)
    assert "\n" not in text
    assert ended == ("match" if "match" in rules else "piece")


def test_controls_that_need_a_length_say_so() -> None:
    for rules in ({"until_sentence": True}, {"match": "a*"}, {"contain": "a"}):
        with pytest.raises(ConfigError, match="need a length"):
            Controls(ControlConfig(**rules), VOCABULARY, None)


@pytest.mark.parametrize(
    "rules",
    [{}, {"end": "a"}, {"stop": ("a",)}, {"stop": ("a",), "no_repeat": 2}, {"match": "[a-c ]*!"},
     {"charset": "^a"}],
)  # fmt: skip
def test_whole_samples_are_those_of_the_stream_from_any_number_of_processes(
    rules: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "AT_ONCE", 3)  # so that others begin where some have ended
    end, seed = rules.get("end"), np.array([0])
    config = ControlConfig(**{name: it for name, it in rules.items() if name != "end"})
    controls = Controls(config, VOCABULARY, 30, end=end)
    sampler = Sampler.of(MODEL, seed, SamplingConfig(), 3, log_p=True)
    for workers in (1, 2) if can_fork() else (1,):
        written = sampler.write(controls, 14, first=2, workers=workers)
        for index, whole in enumerate(written, 2):
            assert read_stream(sampler, controls, index) == (whole.text, whole.ended)
            fed = np.concatenate([seed, VOCABULARY.encode(whole.text)])[:, None]
            log_p, _ = Ensemble([MODEL]).log_probabilities(fed[:-1], fed[1:])
            assert whole.log_p == pytest.approx(float(log_p.sum()), rel=1e-4, abs=1e-5)
        assert index == 15
