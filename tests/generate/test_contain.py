"""Samples that contain a given text."""

import re
from functools import partial

import numpy as np
import pytest

import charrnn
from charrnn import ConfigError, Model, VocabularyError
from charrnn.generate import contain as contain_module

ANIMALS, PLACES = ("cat", "dog", "hen", "pig"), ("barn", "yard", "field")


@pytest.fixture(scope="module")
def model() -> Model:
    """Return a model of sentences in which places stand at their end only."""
    rng = np.random.default_rng(1)
    sentences = [
        f"the {rng.choice(ANIMALS)} and the {rng.choice(ANIMALS)} sat in the {rng.choice(PLACES)}."
        for _ in range(300)
    ]
    text = "\n".join(sentences)
    return charrnn.train(text=text, hidden_size=48, steps=150, base="none", random_seed=1)


@pytest.fixture(scope="module")
def names() -> Model:
    """Return a model of lines that are words, with a few spaces."""
    text = "".join(f"{a}{b}{c}\n" for a in ANIMALS for b in PLACES for c in "bcd") + "the end\n"
    return charrnn.train(text=text, lines=True, hidden_size=16, steps=50, random_seed=1)


@pytest.mark.parametrize(
    ("text", "before"),
    [("pig", "the "), ("field", "in the "), ("and the hen", " "), ("at", ""), ("and the ", " ")],
)
def test_the_text_stands_where_the_model_would_say_it(model: Model, text: str, before: str) -> None:
    for seed in range(4):
        written = model.sample("", 200, contain=text, random_seed=seed)
        assert len(written) == 200
        end = r"(?!\w)" if text[-1].isalpha() else r"(?=\w)"
        found = re.search(rf"(?<!\w){text}{end}", written)
        assert found, "not in the middle of a word"
        assert written[: found.start()].endswith(before)


def test_words_that_spaces_do_not_separate_have_no_borders(names: Model) -> None:
    drawn = list(names.samples("", 9, contain="dbar", random_seed=1))
    assert any(re.search(r"\wdbar\w", sample.text) for sample in drawn)
    assert not any("\n" in sample.text for sample in drawn)


def test_a_text_may_be_all_there_is(model: Model) -> None:
    assert model.sample("", 3, contain="the", random_seed=1) == "the"


def test_its_log_probability_is_that_of_the_whole_text(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = partial(model.samples, "the ", contain="dog", length=60, random_seed=2)
    drawn = list(draw(3, log_p=True))
    for sample in drawn:
        whole, prompt = model.score("\nthe " + sample.text), model.score("\nthe ")
        assert sample.log_p == pytest.approx(prompt.nats - whole.nats, abs=1e-3)
    assert len({sample.text.partition("dog")[0] for sample in drawn}) == 3
    (last,) = draw(1, first=2)
    assert last.text == drawn[2].text
    monkeypatch.setattr(contain_module, "_AT_ONCE", 5)
    assert [sample.text for sample in draw(3)] == [sample.text for sample in drawn]


@pytest.mark.parametrize(
    ("length", "rules", "complaint"),
    [
        (2, {"contain": "cat"}, "longer than the 2 characters of a sample"),
        (20, {"contain": "Q"}, "unknown character"),
        (20, {"contain": "cat", "match": "[a-z]+"}, "match and contain contradict each other"),
        (20, {"contain": ""}, "at least one character"),
    ],
)
def test_what_cannot_be_contained_is_refused(
    model: Model, length: int, rules: dict[str, str], complaint: str
) -> None:
    with pytest.raises((ConfigError, VocabularyError), match=complaint):
        model.sample("", length, **rules)  # type: ignore[arg-type]
