"""Beam search against all continuations there are."""

import math
from collections import defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import Model
from tests.generate.models import make_model, make_network

LETTERS, PROMPT = "abcd", "bc"
MODELS = [make_model(LETTERS, make_network(4, cell=cell)) for cell in ("lstm", "gru")]
STOPS = st.lists(st.text(st.sampled_from(LETTERS), min_size=1, max_size=2), max_size=3)
PROMPTS = st.lists(st.text(st.sampled_from(LETTERS), max_size=9), min_size=1, max_size=6)


def probability(model: Model, text: str) -> float:
    """Return the probability that the prompt goes on so."""
    return math.exp(model.score(PROMPT).nats - model.score(PROMPT + text).nats)


@given(st.sampled_from(MODELS), st.integers(1, 3), st.integers(1, 9), STOPS)
def test_a_beam_of_all_texts_finds_the_likeliest_with_the_probability_of_all_their_ends(
    model: Model, length: int, count: int, stops: list[str]
) -> None:
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for size in range(1, length + 1):
        for text in map("".join, product(LETTERS, repeat=size)):
            ends = [len(stop) for stop in stops if text.endswith(stop)]
            before = any(stop in text[:-1] for stop in stops)
            if before or not (ends or size == length):
                continue
            key = (text[: size - max(ends)], "stop") if ends else (text, "length")
            expected[key] += probability(model, text)
    every = model.complete(PROMPT, count=99, length=length, beam=99, stop=[*stops, "é"])
    assert {(it.text, it.ended) for it in every} == expected.keys()
    for it in every:
        assert it.probability == pytest.approx(expected[it.text, it.ended], rel=1e-3, abs=1e-9)
    assert [it.log_p for it in every] == sorted((it.log_p for it in every), reverse=True)
    best = model.complete(PROMPT, count=count, length=length, beam=16, stop=stops)
    assert [it.log_p for it in best] == pytest.approx([it.log_p for it in every[:count]], abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_a_beam_of_one_is_the_greedy_text_and_as_wide_as_what_is_asked_for(model: Model) -> None:
    (best,) = model.complete(PROMPT, count=1, length=30, beam=1)
    assert PROMPT + best.text == model.sample(PROMPT, 30, greedy=True)
    assert best.probability == pytest.approx(probability(model, best.text), rel=1e-3)
    assert len(model.complete(PROMPT, count=3, length=30, beam=1)) == 3


@pytest.mark.parametrize("memory", [False, True])
@given(PROMPTS)
def test_a_prompt_that_goes_on_is_predicted_as_if_read_from_its_beginning(
    memory: bool, prompts: list[str]
) -> None:
    model, other = (make_model(LETTERS) for _ in range(2))
    if memory:
        model, other = (each.with_memory("abcdacbdbadc") for each in (model, other))
    for prompt in (part for text in prompts for part in (text, f"{text}a", f"{text}a", text)):
        ids = model.encode_prompt(prompt)
        expected = other.predictor.read(ids).log_p
        np.testing.assert_allclose(model.predictor.read_on(ids).log_p, expected, atol=1e-4)
