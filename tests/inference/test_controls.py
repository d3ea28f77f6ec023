"""Controls: where a text ends and what it is made of, whatever the model would write."""

import re
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import ConfigError, SamplingConfig, generate
from charrnn.config import ControlConfig
from charrnn.inference import controls as controls_module
from charrnn.inference.choice import choose, weights
from charrnn.inference.controls import SENTENCE_REACH, Controls
from charrnn.inference.endings import SentenceCursor, StopTable
from charrnn.inference.sampling import write_sample, write_samples
from charrnn.parallel.launch import can_fork
from tests.inference.models import CHARACTERS, MODEL, VOCABULARY, controlled

SEEDS = st.integers(0, 10_000)
TEXTS = st.text(st.sampled_from("ab."), min_size=1, max_size=3)


def free(length: int, random_seed: int, config: SamplingConfig | None = None) -> str:
    steps = generate(MODEL, np.array([0]), config or SamplingConfig(), random_seed=random_seed)
    return VOCABULARY.decode(np.array([step.ids[0] for step in islice(steps, length)], np.uint32))


# min-p


@given(
    st.lists(st.floats(-20, 20), min_size=2, max_size=9),
    st.floats(0, 1),
    st.sampled_from([0.3, 0.8, 1.5]),
    st.floats(1e-9, 1),
)
def test_min_p_never_picks_what_is_less_probable_than_its_share_of_the_likeliest(
    logits: list[float], min_p: float, temperature: float, draw: float
) -> None:
    config = SamplingConfig(temperature=temperature, min_p=min_p)
    rows = np.array([logits])
    p = np.exp((rows[0] - rows.max()) / temperature)
    kept = weights(rows, config)[0]
    np.testing.assert_allclose(kept[p > min_p * (1 + 1e-9)], p[p > min_p * (1 + 1e-9)])
    assert (kept[p < min_p * (1 - 1e-9)] == 0).all()
    (chosen,) = choose(rows, config, np.array([draw]))
    assert p[chosen] >= min_p * (1 - 1e-9)


def test_min_p_works_beside_top_k_and_top_p_and_zero_keeps_all() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.15, 0.1]]))
    both = weights(logits, SamplingConfig(temperature=1.0, min_p=0.4, top_k=3))
    assert np.flatnonzero(both[0]).tolist() == [0, 1]
    few = weights(logits, SamplingConfig(temperature=1.0, min_p=0.1, top_p=0.5))
    assert np.flatnonzero(few[0]).tolist() == [0]
    every = weights(logits, SamplingConfig(temperature=1.0, min_p=0.0))
    assert (every > 0).all()
    with pytest.raises(ConfigError, match="min-p must be from 0 to 1"):
        SamplingConfig(min_p=1.5)


# stop


@given(st.lists(TEXTS, min_size=1, max_size=3), SEEDS, st.integers(0, 60))
def test_a_text_is_the_free_one_up_to_the_first_stop_text(
    stops: list[str], random_seed: int, length: int
) -> None:
    text = controlled(length, random_seed=random_seed, stop=tuple(stops))
    whole = free(length, random_seed)
    ends = [
        end for end in range(length + 1) for stop in stops if whole[:end].endswith(stop)
    ]  # fmt: skip
    first = min(ends, default=None)
    cut = max((len(stop) for stop in stops if whole[:first].endswith(stop)), default=0)
    assert text == (whole if first is None else whole[: first - cut])
    assert not any(stop in text for stop in stops)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.text(st.sampled_from("ab."), max_size=12))
def test_the_table_of_stop_texts_knows_what_may_begin_one(stops: list[str], text: str) -> None:
    table, state = StopTable(stops, VOCABULARY.characters), 0
    for end in range(1, len(text) + 1):
        state = int(table.after[state, VOCABULARY.index[text[end - 1]]])
        tails = [text[at:end] for at in range(end + 1)]
        held = max(len(tail) for tail in tails if any(stop.startswith(tail) for stop in stops))
        found = max((len(tail) for tail in tails if tail in stops), default=0)
        assert (table.held[state], table.found[state]) == (held, found)


def test_nothing_is_released_that_a_stop_text_may_still_cut() -> None:
    draft = Controls(ControlConfig(stop=("abc",)), VOCABULARY, 50).begin()
    released = ""
    for char, known in zip("aababcc", ["", "a", "a", "aab", "aab", "aab"], strict=False):
        certain = draft.add(VOCABULARY.index[char], 0.0)
        released += "".join(VOCABULARY.characters[character.id] for character in certain)
        assert released == known
    assert draft.ended
    assert released == "aab"


def test_draws_that_were_cut_are_not_drawn_again() -> None:
    controls = Controls(ControlConfig(stop=("abc", "x")), VOCABULARY, 50)
    assert [controls.drawn(size) for size in (0, 10, 50)] == [3, 13, 50]
    assert Controls(ControlConfig(match="a*"), VOCABULARY, 50).drawn(7) == 8


def test_a_stop_text_with_unknown_characters_never_occurs_and_an_empty_one_is_refused() -> None:
    assert controlled(30, random_seed=3, stop=("é",)) == free(30, 3)
    with pytest.raises(ConfigError, match="at least one character"):
        ControlConfig(stop=("",))
    with pytest.raises(ConfigError, match="tuple"):
        ControlConfig(stop="abc")  # type: ignore[arg-type]


# charset


@given(st.sets(st.sampled_from(CHARACTERS), min_size=1), SEEDS, st.sampled_from([0.0, 0.8]))
def test_a_text_has_only_the_characters_of_the_set(
    members: set[str], random_seed: int, temperature: float
) -> None:
    charset = "".join(re.escape(char) for char in sorted(members))
    sampling = SamplingConfig(temperature=temperature, top_k=2)
    text = controlled(30, random_seed=random_seed, sampling=sampling, charset=charset)
    assert len(text) == 30
    assert set(text) <= members


@pytest.mark.parametrize(
    ("charset", "members"),
    [
        ("a-c", "abc"), (r"\n.", "\n."), (r"\d", "019"), ("a-", "a"), (r"\x61", "a"),
        ("^a-zA-Z", "\n .019!?。”"), ("]a" , "a"), ("é-ëa", "a"),
    ],
)  # fmt: skip
def test_a_set_is_what_stands_inside_the_brackets_of_a_class(charset: str, members: str) -> None:
    text = controlled(300, sampling=SamplingConfig(temperature=50), charset=charset)
    assert set(text) == set(members)


@pytest.mark.parametrize(
    ("charset", "complaint"),
    [("", "no regular expression"), ("z-a", "bad character range"), ("a]b", "no set"),
     ("é", "knows none")],
)  # fmt: skip
def test_a_set_that_is_none_is_refused(charset: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        controlled(charset=charset)


# until-sentence


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("ab cd. ef. gh", 3, "ab cd."),
        ("ab. cd ef. gh", 5, "ab. cd ef."),
        ("ab. cd", 3, "ab."),
        ("ab. cd", 4, "ab. "),
        ("ab 3.14 cd! ef", 3, "ab 3.14 cd!"),
        ("ab.” cd", 1, "ab.”"),
        ("ab。”cd", 1, "ab。”"),
        ("ab。cd。ef", 4, "ab。cd。"),
        ("ab?! cd", 0, "ab?!"),
        ("ab.\n\ncd", 2, "ab."),
        (" . a", 1, " ."),
    ],
)
def test_a_text_goes_on_until_the_end_of_the_sentence(
    text: str, length: int, expected: str
) -> None:
    characters = "".join(sorted(set(text) | set("abcdef")))
    cursor = SentenceCursor(SentenceCursor.kinds(characters), length)
    for end, char in enumerate(text, 1):
        cursor.advance(characters.index(char))
        if cursor.ended:
            assert text[: end - cursor.cut] == expected
            return
    raise AssertionError("it never ended")


@given(SEEDS, st.integers(0, 30))
def test_a_text_until_the_end_of_a_sentence_is_the_free_one_cut_there(
    random_seed: int, length: int
) -> None:
    text = controlled(length, random_seed=random_seed, until_sentence=True)
    assert length <= len(text) <= length + SENTENCE_REACH
    assert free(len(text), random_seed) == text
    assert re.search(r"([.!?][”]*|。[”.!?。]*)\s*$", text) or len(text) == length + SENTENCE_REACH


def test_a_sentence_that_does_not_end_ends_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls_module, "SENTENCE_REACH", 7)
    assert len(controlled(5, until_sentence=True, charset="abc")) == 12


# Together


@given(SEEDS)
def test_controls_compose(random_seed: int) -> None:
    text = controlled(
        50, random_seed=random_seed, stop=("ab", "."), charset="a-c.", until_sentence=True
    )
    assert set(text) <= set("abc")
    assert "ab" not in text


def test_controls_that_need_a_length_say_so() -> None:
    for rules in ({"until_sentence": True}, {"match": "a*"}):
        with pytest.raises(ConfigError, match="needs a length"):
            Controls(ControlConfig(**rules), VOCABULARY, None)
    with pytest.raises(ConfigError, match="contradict"):
        ControlConfig(match="a", until_sentence=True)


@pytest.mark.parametrize("rules", [{"stop": ("a",)}, {"match": "[a-c ]*!"}, {"charset": "^a"}])
def test_whole_samples_are_those_of_the_stream_from_any_number_of_processes(
    rules: dict[str, Any],
) -> None:
    controls = Controls(ControlConfig(**rules), VOCABULARY, 30)
    config, seed = SamplingConfig(), np.array([0])
    for workers in (1, 2) if can_fork() else (1,):
        written = write_samples(
            MODEL, seed, config, random_seed=3, count=9, length=30, log_p=True, workers=workers,
            controls=controls, first=2,
        )  # fmt: skip
        for sample, (ids, nats) in enumerate(written, 2):
            alone = write_sample(MODEL, seed, config, controls, random_seed=3, first=sample)
            assert [character.id for character in alone] == ids.tolist()
            fed = np.concatenate([seed, ids])[:, None]
            log_p, _ = MODEL.log_probabilities(fed[:-1], fed[1:])
            assert nats == pytest.approx(float(log_p.sum()), rel=1e-4, abs=1e-5)
        assert sample == 10
