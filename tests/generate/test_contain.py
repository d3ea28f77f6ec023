"""Samples that contain a given text."""

import re

import numpy as np
import pytest

import charrnn
from charrnn import ConfigError, VocabularyError
from charrnn.config import ControlConfig
from charrnn.models import Model

ANIMALS, PLACES = ("cat", "dog", "hen", "pig"), ("barn", "yard", "field")


@pytest.fixture(scope="module")
def model() -> Model:
    """Return a model of sentences in which places stand at their end only."""
    rng = np.random.default_rng(1)
    sentences = [
        f"the {rng.choice(ANIMALS)} and the {rng.choice(ANIMALS)} sat in the {rng.choice(PLACES)}."
        for _ in range(300)
    ]
    return charrnn.train(
        text="\n".join(sentences), hidden_size=48, steps=150, base="none", random_seed=1
    )


@pytest.mark.parametrize("text", ["pig", "field", "and the hen"])
def test_the_text_stands_where_the_model_would_say_it(model: Model, text: str) -> None:
    for seed in range(5):
        written = model.sample("", 200, contain=text, random_seed=seed)
        assert len(written) == 200
        assert re.search(rf"(?<!\w){text}(?!\w)", written)
        before = written[: written.index(text)]
        assert before.endswith("in the " if text == "field" else "the " if text == "pig" else " ")


def test_it_reads_more_naturally_than_a_text_that_is_bent_to_it(model: Model) -> None:
    pytest.importorskip("interegular")
    found = [model.sample("", 80, contain="field", random_seed=seed) for seed in range(8)]
    bent = [model.sample("", 80, match=".*field.*", random_seed=seed) for seed in range(8)]
    nats = [np.mean([model.score(text).nats_per_char for text in texts]) for texts in (found, bent)]
    assert nats[0] < nats[1]


def test_its_log_probability_is_that_of_the_whole_text(model: Model) -> None:
    rules = ControlConfig(contain="dog")
    drawn = list(model.samples("the ", 3, controls=rules, length=60, random_seed=2, log_p=True))
    for sample in drawn:
        whole, prompt = model.score("\nthe " + sample.text), model.score("\nthe ")
        assert sample.log_p == pytest.approx(prompt.nats - whole.nats, abs=1e-3)
    (last,) = model.samples("the ", 1, controls=rules, length=60, random_seed=2, first=2)
    assert last.text == drawn[2].text


def test_what_cannot_be_contained_is_refused(model: Model) -> None:
    with pytest.raises(ConfigError, match="longer than the 2 characters of a sample"):
        model.sample("", 2, contain="cat")
    with pytest.raises(VocabularyError, match="unknown character"):
        model.sample("", 20, contain="Q")
    with pytest.raises(ConfigError, match="match and contain contradict each other"):
        model.sample("", 20, contain="cat", match="[a-z]+")
    with pytest.raises(ConfigError, match="at least one character"):
        model.sample("", 20, contain="")
