"""Text that copies no long passage of the training text, and repeats none of its own."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import ConfigError, TrainingError, Vocabulary
from charrnn.generate.seen import SPAN, STRIDE, longest_copy, seen_spans
from charrnn.nn.network import log_softmax
from charrnn.randomness import Purpose, generator
from tests.generate.models import MODEL, make_network, model_of, write

RNG = np.random.default_rng(1)
WORDS = ["".join(RNG.choice([*"abdeilnorst"], 5)) for _ in range(250)]
SOURCE, SLACK = " ".join(WORDS), 2 * (STRIDE - 1)
VOCABULARY = Vocabulary.from_text(SOURCE)
LETTERS = " abcdefg"
NETWORK = make_network(LETTERS, dtype="float64")
BABBLER = model_of(NETWORK, LETTERS)


def longest_shared(text: str, source: str) -> int:
    """Return the length of the longest passage of one text in another, by search."""
    longest = 0
    for end in range(1, len(text) + 1):
        while text[max(0, end - longest - 1) : end] in source and longest < end:
            longest += 1
    return longest


@pytest.fixture(scope="module")
def model() -> charrnn.Model:
    """Return a model that knows its text by heart."""
    settings: Any = {"dropout": 0.0, "weight_drop": 0.0, "base": "none", "random_seed": 1}
    return charrnn.train(text=SOURCE, hidden_size=64, steps=250, **settings)


def test_a_copy_is_found_wherever_it_begins_and_another_passage_rarely() -> None:
    bits = seen_spans(VOCABULARY.encode(SOURCE), VOCABULARY)
    assert bits is not None
    assert bits.size <= len(SOURCE) / 4  # two bytes for eight characters
    for size in (SPAN + STRIDE - 1, 55):
        for at in range(len(SOURCE) - size):
            assert longest_copy(bits, f"no {SOURCE[at : at + size]}") >= size - SLACK
    assert longest_copy(bits, SOURCE[5:60] + SOURCE[300:355]) <= 56
    others = ("".join(RNG.choice([*"abcdefgh"], SPAN)) for _ in range(3000))
    assert sum(longest_copy(bits, text) > 0 for text in others) < 10  # 0.06 % are expected: 1.8


@pytest.mark.parametrize(("size", "temperature"), [(22, 0.5), (30, 0.0), (45, 0.5)])
def test_no_passage_that_is_longer_than_asked_for_is_copied(
    model: charrnn.Model, size: int, temperature: float
) -> None:
    draw = partial(model.sample, "", 400, temperature=temperature, random_seed=1)
    shared = longest_shared(free := draw(), SOURCE)
    assert shared - SLACK <= model.longest_copy(free) <= shared
    assert shared > 45
    for contain in (None, WORDS[77], WORDS[78]):
        text = draw(max_copied=size, contain=contain)
        assert len(text) == 400
        assert contain is None or contain in text
        assert longest_shared(text, SOURCE) <= size
    assert not set(draw(max_copied=size, charset="a-m ")) - set("abcdefghijklm ")
    with pytest.raises(TrainingError, match="cannot go on without a passage that is copied"):
        draw(max_copied=size, contain=SOURCE[50:120])


def write_slowly(length: int, size: int, random_seed: int) -> str:
    """Write a text that repeats nothing, each character predicted from all that is before it."""
    rng, written, word = generator(random_seed, Purpose.SAMPLE, 0), "", ""
    excluded: dict[int, list[int]] = {}
    while len(written) < length:
        ids = np.array([0, *map(LETTERS.index, written + word)])  # it begins after a space
        logits, _, _ = NETWORK.forward(ids[:, None], NETWORK.zero_state(1))
        p = np.exp(log_softmax(logits[-1, 0]))
        p[[*excluded.get(len(word), ())]] = 0
        word += LETTERS[np.searchsorted(np.cumsum(p), (1 - rng.random()) * p.sum())]
        text = written + word
        if len(text) > size and text[-size:] in text[:-1]:
            tried = excluded.setdefault(0, [])
            kept = len(word) - 1 if len(tried) >= 4 else 0  # four words, then one character
            excluded.setdefault(kept, []).append(LETTERS.index(word[kept]))
            word = word[:kept]
            excluded = excluded if kept else {0: tried}
        elif not word[-1].isalpha() or len(word) >= 16:
            written, word, excluded = text, "", {}
    return written[:length]


@pytest.mark.parametrize("random_seed", range(4))
def test_a_word_that_repeats_something_is_drawn_anew_as_if_it_had_never_been(
    random_seed: int,
) -> None:
    text, _ = write(BABBLER, 150, random_seed=random_seed, temperature=1, no_repeat=3)
    assert text == write_slowly(150, 3, random_seed)


def test_a_text_that_contains_another_repeats_nothing_either_or_cannot_go_on() -> None:
    for seed in range(5):
        text, _ = write(BABBLER, 60, random_seed=seed, no_repeat=4, contain="abc")
        assert "abc" in text
        assert len({text[at : at + 4] for at in range(57)}) == 57
    for rules in ({"no_repeat": 2}, {"no_repeat": 3, "contain": "abcabcd"}):
        with pytest.raises(TrainingError, match="cannot go on without a passage that is copied"):
            write(BABBLER, 100, **rules)


def test_samples_do_not_depend_on_how_many_are_drawn_together(model: charrnn.Model) -> None:
    rules: dict[str, Any] = {"max_copied": 22, "no_repeat": 15}
    draw = partial(model.samples, "to", **rules, length=150, random_seed=7, log_p=True)
    together = list(draw(count=5))
    alone = [it.text for first in range(5) for it in draw(count=1, first=first)]
    assert [it.text for it in together] == alone
    assert len(set(alone)) == 5
    for sample in together:  # the model has read what is kept, and nothing else
        nats = model.score("to" + sample.text).nats - model.score("to").nats
        assert sample.log_p == pytest.approx(-nats, rel=1e-3)


def test_a_model_that_has_no_filter_promises_nothing() -> None:
    for ask in (partial(write, MODEL, max_copied=30), partial(MODEL.longest_copy, "a passage")):
        with pytest.raises(ConfigError, match="does not know which passages its text has"):
            ask()
