"""Beam search against all continuations there are."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import LanguageModel, TrainingError
from charrnn.generate.beam import Continuation, find_likeliest
from charrnn.generate.predictor import Predictor
from charrnn.nn.ensemble import Ensemble
from tests.generate.models import make_model

LETTERS, START = "abcd", np.array([1, 2])
V = len(LETTERS)
MODELS = [make_model(LETTERS, number, cell=cell) for number, cell in enumerate(("lstm", "gru"))]
STOPS = st.lists(st.text(st.sampled_from("abcd"), min_size=1, max_size=2), max_size=3)


def log_p(model: LanguageModel, text: str) -> float:
    ids = np.array([*START, *map(LETTERS.index, text)])[:, None]
    found, _ = Ensemble([model]).log_probabilities(ids[:-1], ids[1:])
    return float(found[len(START) - 1 :].sum(dtype=np.float64))


def found(model: LanguageModel, **settings: object) -> list[Continuation]:
    predictor = Predictor(model)
    return find_likeliest(predictor, predictor.read(START), LETTERS, **settings)  # type: ignore[arg-type]


@given(st.sampled_from(MODELS), st.integers(1, 4), st.integers(1, 9), STOPS)
def test_a_beam_of_all_texts_finds_the_likeliest_with_the_probability_of_all_their_ends(
    model: LanguageModel, length: int, count: int, stops: list[str]
) -> None:
    expected = dict[tuple[str, str], float]()
    for size in range(1, length + 1):
        for text in map("".join, product(LETTERS, repeat=size)):
            ends = [len(stop) for stop in stops if text.endswith(stop)]
            before = any(stop in text[:-1] for stop in stops)
            if before or not (ends or size == length):
                continue
            key = (text[: size - max(ends)], "stop") if ends else (text, "length")
            expected[key] = expected.get(key, 0) + math.exp(log_p(model, text))
    every = found(model, count=999, length=length, width=999, stops=[*stops, "é"])
    assert {(it.text, it.ended) for it in every} == expected.keys()
    for it in every:
        assert it.probability == pytest.approx(expected[it.text, it.ended], rel=1e-3, abs=1e-9)
    assert sum(it.probability for it in every) == pytest.approx(1, abs=1e-4)
    assert [it.log_p for it in every] == sorted((it.log_p for it in every), reverse=True)
    best = found(model, count=count, length=length, width=V**length, stops=stops)
    likeliest = pytest.approx([it.log_p for it in every[:count]], abs=1e-4)
    assert [it.log_p for it in best] == likeliest


@given(st.sampled_from(MODELS), st.integers(1, 12))
def test_a_beam_of_one_is_the_greedy_text(model: LanguageModel, length: int) -> None:
    (best,) = found(model, count=1, length=length, width=1)
    text = ""
    for _ in range(length):
        text = max((text + letter for letter in LETTERS), key=lambda it: log_p(model, it))
    assert best.text == text
    assert len(found(model, count=3, length=length, width=1)) == 3


def test_outputs_that_are_not_finite_are_an_error() -> None:
    model = make_model("abcd")
    model.flat[...] = np.nan
    with pytest.raises(TrainingError, match="not finite"):
        found(model, count=1, length=2, width=2)


@given(st.lists(st.lists(st.integers(0, V - 1), min_size=1, max_size=9), min_size=1, max_size=6))
def test_a_text_that_goes_on_is_predicted_as_if_read_from_its_beginning(
    prompts: list[list[int]],
) -> None:
    plain, remembering = Predictor(MODELS[0]), Predictor(MODELS[0])
    for prompt in (part for text in prompts for part in (text, [*text, 0], [*text, 0], text)):
        got, expected = remembering.read_on(np.array(prompt)), plain.read(np.array(prompt))
        np.testing.assert_allclose(got.log_p, expected.log_p, atol=1e-4)
    assert remembering.reuse_decoder(3) is remembering.reuse_decoder(3)
