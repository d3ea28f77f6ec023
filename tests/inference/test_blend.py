"""Models that predict together: a mixture of their distributions, matched by character."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import ConfigError, LanguageModel, SamplingConfig, Vocabulary, generate
from charrnn.inference.blend import Blend
from charrnn.inference.predictor import NetworkPredictor, prediction_of
from charrnn.nn.cells import Array
from charrnn.nn.loss import log_softmax
from tests.inference.models import make_model

ABC, BCD = Vocabulary("abc", np.array([3, 2, 1])), Vocabulary("bcde", np.array([1, 2, 2, 9]))
ONE, OTHER = make_model("abc", layers=2), make_model("bcde", number=1, cell="gru")


def blend(
    weights: list[float], models: list[LanguageModel], vocabularies: list[Vocabulary]
) -> Blend:
    parts = [
        (NetworkPredictor(model), vocabulary)
        for model, vocabulary in zip(models, vocabularies, strict=True)
    ]
    return Blend(parts, weights)


def texts(model: object, seed: list[int], temperature: float = 0.8) -> list[list[int]]:
    steps = generate(
        model,  # type: ignore[arg-type]
        np.array(seed), SamplingConfig(temperature=temperature), random_seed=4, count=3,
    )  # fmt: skip
    return [step.ids.tolist() for step in islice(steps, 60)]


def distribution(model: LanguageModel, ids: list[int]) -> Array:
    """Return p of the next character (V,), from the network itself."""
    logits, _, _ = model.forward(np.array(ids)[:, None], model.zero_state(1))
    p: Array = np.exp(log_softmax(logits[-1, 0].astype(np.float64)))
    return p


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@given(share=st.floats(0.01, 0.99))
def test_a_model_blended_with_itself_is_the_model(share: float, temperature: float) -> None:
    both = blend([share, 1 - share], [ONE, ONE], [ABC, ABC])
    assert texts(both, [0, 1], temperature) == texts(ONE, [0, 1], temperature)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.lists(st.integers(1, 2), min_size=1))
def test_the_distribution_is_the_weighted_mean(one: float, other: float, text: list[int]) -> None:
    both = blend([one, other], [ONE, OTHER], [ABC, BCD])
    assert both.vocabulary.characters == "abcde"
    assert both.vocabulary.counts.tolist() == [3, 3, 3, 2, 9]
    p = np.exp(both.read(np.array(text)).logits)
    expected = np.zeros(5)
    expected[:3] += one / (one + other) * distribution(ONE, text)
    expected[1:] += other / (one + other) * distribution(OTHER, [at - 1 for at in text])
    np.testing.assert_allclose(p, expected, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(p.sum(), 1)


def test_a_character_that_a_model_does_not_know_leaves_its_state_as_it_was() -> None:
    both = blend([0.5, 0.5], [ONE, OTHER], [ABC, BCD])
    decoder = both.decoder(2)
    decoder.start(both.read(np.array([1])).state)
    decoder.feed(np.array([0, 4]))  # a, which only the first knows, and e, which only the second
    logits = decoder.feed(np.array([2, 2]))
    after_ac, after_c = distribution(ONE, [1, 0, 2]), distribution(ONE, [1, 2])
    other_c, other_ec = distribution(OTHER, [0, 1]), distribution(OTHER, [0, 3, 1])
    expected = np.zeros((2, 5))
    expected[:, :3] += 0.5 * np.array([after_ac, after_c])
    expected[:, 1:] += 0.5 * np.array([other_c, other_ec])
    np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-4)
    np.testing.assert_array_equal(decoder.logits(), logits)
    decoder.select(np.array([1, 1]))
    np.testing.assert_array_equal(decoder.logits(), logits[[1, 1]])


def test_a_prompt_that_a_model_does_not_know_at_all_is_read_by_the_others() -> None:
    both = blend([0.5, 0.5], [ONE, OTHER], [ABC, BCD])
    p = np.exp(both.read(np.array([0, 0])).logits)
    np.testing.assert_allclose(p[0], 0.5 * distribution(ONE, [0, 0])[0], rtol=1e-5)
    # The other begins with its most frequent character.
    np.testing.assert_allclose(p[4], 0.5 * distribution(OTHER, [3])[3], rtol=1e-5)


def test_a_text_goes_on_from_the_state_of_a_blend() -> None:
    both = blend([0.5, 0.5], [ONE, OTHER], [ABC, BCD])
    whole = both.read(np.array([1, 2, 0, 4]))
    half = both.read(np.array([1, 2]))
    again = both.read(np.array([0, 4]), half.state)
    np.testing.assert_allclose(again.logits, whole.logits, rtol=1e-5)
    np.testing.assert_allclose(prediction_of(both, whole.state).logits, whole.logits, rtol=1e-5)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [float("nan"), 1], [np.inf, 1]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="must not be negative"):
        blend(weights, [ONE, OTHER], [ABC, BCD])
    with pytest.raises(ValueError, match="at least one id"):
        blend([1, 1], [ONE, OTHER], [ABC, BCD]).read(np.array([], np.uint8))
