"""Beam search against all continuations there are, and a text found by its end."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import ConfigError, LanguageModel, SamplingConfig, TrainingError
from charrnn.config import ControlConfig
from charrnn.inference import suffix as suffix_module
from charrnn.inference.beam import Continuation, likeliest
from charrnn.inference.controls import Controls
from charrnn.inference.endings import StopTable
from charrnn.inference.predictor import NetworkPredictor, RememberingPredictor
from charrnn.inference.sampling import Randomness, SamplingRun
from charrnn.inference.suffix import write_with_suffix
from tests.inference.models import MODEL, VOCABULARY, controlled, make_model

V, START = 4, np.array([1, 2])
MODELS = [make_model("abcd", number, cell=cell) for number, cell in enumerate(("lstm", "gru"))]


def log_p(model: LanguageModel, text: tuple[int, ...]) -> float:
    ids = np.concatenate([START, np.array(text, np.int64)])[:, None]
    found, _ = model.log_probabilities(ids[:-1], ids[1:])
    return float(found[len(START) - 1 :].sum(dtype=np.float64))


def found(model: LanguageModel, **settings: object) -> list[Continuation]:
    predictor = NetworkPredictor(model)
    return likeliest(predictor, predictor.read(START), **settings)  # type: ignore[arg-type]


@given(st.sampled_from(MODELS), st.integers(1, 4), st.integers(1, 9))
def test_a_beam_of_all_texts_finds_the_likeliest_of_all(
    model: LanguageModel, length: int, count: int
) -> None:
    every = sorted(product(range(V), repeat=length), key=lambda text: -log_p(model, text))
    best = found(model, count=count, length=length, width=V ** (length - 1) + count)
    assert len(best) == min(count, V**length)
    for continuation, text in zip(best, every, strict=False):
        assert continuation.log_p == pytest.approx(log_p(model, text), abs=1e-4)
        assert continuation.log_p == pytest.approx(log_p(model, continuation.ids), abs=1e-4)


STOPS = st.lists(st.text(st.sampled_from("abcd"), min_size=1, max_size=2), min_size=1, max_size=3)


@given(st.sampled_from(MODELS), STOPS)
def test_what_a_stop_text_ends_has_the_probability_of_all_its_ends(
    model: LanguageModel, stops: list[str]
) -> None:
    length, expected = 4, dict[tuple[tuple[int, ...], bool], float]()
    for size in range(1, length + 1):
        for text in product(range(V), repeat=size):
            written = "".join("abcd"[chosen] for chosen in text)
            ends = [len(stop) for stop in stops if written.endswith(stop)]
            before = any(stop in written[:-1] for stop in stops)
            if before or not (ends or size == length):
                continue
            key = (text[: size - max(ends)], True) if ends else (text, False)
            expected[key] = expected.get(key, 0) + math.exp(log_p(model, text))
    every = found(model, count=999, length=length, width=999, stops=StopTable(stops, "abcd"))
    assert {(it.ids, it.ended) for it in every} == expected.keys()
    for it in every:
        assert math.exp(it.log_p) == pytest.approx(expected[it.ids, it.ended], rel=1e-3, abs=1e-9)
    assert sum(math.exp(it.log_p) for it in every) == pytest.approx(1, abs=1e-4)


@given(st.sampled_from(MODELS), st.integers(1, 12))
def test_a_beam_of_one_is_the_greedy_text(model: LanguageModel, length: int) -> None:
    (best,) = found(model, count=1, length=length, width=1)
    text: tuple[int, ...] = ()
    for _ in range(length):
        text += (max(range(V), key=lambda chosen: log_p(model, (*text, chosen))),)
    assert best.ids == text


def test_a_wider_beam_finds_nothing_less_likely() -> None:
    best = [
        found(model, count=1, length=9, width=width)[0].log_p
        for model in MODELS for width in (1, 4, 64)
    ]  # fmt: skip
    assert best[0] <= best[1] <= best[2]
    assert best[3] <= best[4] <= best[5]


def test_outputs_that_are_not_finite_are_an_error() -> None:
    model = make_model("abcd")
    model.flat[...] = np.nan
    with pytest.raises(TrainingError, match="not finite"):
        found(model, count=1, length=2, width=2)


@given(st.lists(st.lists(st.integers(0, V - 1), min_size=1, max_size=9), min_size=1, max_size=6))
def test_a_predictor_that_remembers_predicts_the_same(prompts: list[list[int]]) -> None:
    plain = NetworkPredictor(MODELS[0])
    remembering = RememberingPredictor(plain)
    for prompt in (part for text in prompts for part in (text, [*text, 0], [*text, 0], text)):
        got, expected = remembering.read(np.array(prompt)), plain.read(np.array(prompt))
        np.testing.assert_allclose(got.logits, expected.logits, atol=1e-4)
    assert remembering.decoder(3) is remembering.decoder(3)


# Suffix


def run_of(random_seed: int, temperature: float = 0.8) -> SamplingRun:
    config = SamplingConfig(temperature=temperature)
    return SamplingRun.of(MODEL, np.array([0]), config, Randomness(random_seed), log_p=True)


@given(
    st.text(st.sampled_from(VOCABULARY.characters), min_size=1, max_size=4),
    st.integers(4, 20), st.integers(0, 100), st.sampled_from([0.0, 0.8]),
)  # fmt: skip
def test_a_text_with_a_suffix_ends_so_and_has_its_own_probability(
    suffix: str, length: int, random_seed: int, temperature: float
) -> None:
    run = run_of(random_seed, temperature)
    ids, nats = write_with_suffix(run, VOCABULARY.encode(suffix), length)
    text = VOCABULARY.decode(ids)
    assert text.endswith(suffix)
    assert len(text) <= length
    again, _ = write_with_suffix(
        run_of(random_seed, temperature), VOCABULARY.encode(suffix), length
    )
    assert again.tolist() == ids.tolist()
    fed = np.concatenate([[0], ids])[:, None]
    log_p, _ = MODEL.log_probabilities(fed[:-1], fed[1:])
    assert nats == pytest.approx(float(log_p.sum()), rel=1e-4, abs=1e-4)


def test_places_are_drawn_by_how_well_the_suffix_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one candidate, the places are drawn with the probability of the suffix after each."""
    monkeypatch.setattr(suffix_module, "CANDIDATES", 1)
    suffix, steps = VOCABULARY.encode("a."), 4
    middle = VOCABULARY.encode(controlled(steps, random_seed=0))
    weights = []
    for place in range(steps + 1):
        fed = np.concatenate([[0], middle[:place], suffix])[:, None]
        log_p, _ = MODEL.log_probabilities(fed[:-1], fed[1:])
        weights.append(math.exp(float(log_p[-2:].sum())))
    sizes = []
    for draw in (np.arange(400) + 0.5) / 400:
        monkeypatch.setattr(suffix_module, "generator", lambda *_, d=draw: _Fixed(1 - d))
        ids, _ = write_with_suffix(run_of(0), suffix, steps + 2)
        sizes.append(len(ids) - 2)
    shares = np.bincount(sizes, minlength=steps + 1) / len(sizes)
    np.testing.assert_allclose(shares, np.array(weights) / sum(weights), atol=0.01)


class _Fixed:
    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value


def test_a_text_with_a_suffix_is_likelier_than_a_free_one_with_the_suffix_behind_it() -> None:
    suffix = VOCABULARY.encode("ab?")
    ours, cut = [], []
    for seed in range(20):
        ours.append(write_with_suffix(run_of(seed), suffix, 12)[1])
        ids = np.concatenate([[0], VOCABULARY.encode(controlled(9, random_seed=seed)), suffix])
        log_p, _ = MODEL.log_probabilities(ids[:-1, None], ids[1:, None])
        cut.append(float(log_p.sum()))
    assert np.mean(ours) > np.mean(cut)


def test_a_suffix_obeys_the_charset_and_needs_room() -> None:
    controls = Controls(ControlConfig(charset="abc"), VOCABULARY, None)
    suffix = VOCABULARY.encode("!")
    for seed in range(5):
        ids, _ = write_with_suffix(run_of(seed), suffix, 12, controls=controls)
        assert set(VOCABULARY.decode(ids[:-1])) <= set("abc")
    assert write_with_suffix(run_of(0), suffix, 1)[0].tolist() == suffix.tolist()
    with pytest.raises(ConfigError, match="does not fit into 2"):
        write_with_suffix(run_of(0), VOCABULARY.encode("abc"), 2)
