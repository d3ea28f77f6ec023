"""Text that copies no long passage of the training text, and repeats none of its own."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charrnn
from charrnn import ConfigError, TrainingError, Vocabulary
from charrnn.config import ControlConfig
from charrnn.generate.originality import Drafts
from charrnn.generate.seen import SPAN, STRIDE, longest_copy, seen_spans
from tests.support import call, fails_in

_RNG = np.random.default_rng(1)
WORDS = ["".join(_RNG.choice([*letters], 5)) for letters in ["abdeilnorst"] * 250]
SOURCE, SLACK = " ".join(WORDS), 2 * (STRIDE - 1)
VOCABULARY = Vocabulary.from_text(SOURCE)
FEW = [first + second for first in ("bar", "col", "den") for second in ("at", "en", "il", "os")]


def longest_shared(text: str, source: str) -> int:
    """Return the length of the longest passage of one text in another, by search."""
    longest = 0
    for end in range(1, len(text) + 1):
        while text[max(0, end - longest - 1) : end] in source and longest < end:
            longest += 1
    return longest


def repeats(text: str, size: int) -> bool:
    """Return whether a passage of so many characters occurs twice within 900."""
    begins = range(len(text) - size + 1)
    return any(text[at : at + size] in text[max(0, at - 900) : at + size - 1] for at in begins)


@pytest.fixture(scope="module")
def model() -> charrnn.Model:
    """Return a model that knows its text by heart."""
    settings: Any = {"dropout": 0.0, "weight_drop": 0.0, "base": "none", "random_seed": 1}
    return charrnn.train(text=SOURCE, hidden_size=64, steps=250, **settings)


@given(st.integers(0, 1400), st.integers(0, 120), st.text("abc ", max_size=9))
def test_a_copy_is_found_wherever_it_begins(at: int, size: int, around: str) -> None:
    bits = seen_spans(VOCABULARY.encode(SOURCE), VOCABULARY)
    assert bits is not None
    found = longest_copy(bits, f"{around}{SOURCE[at : at + size]}{around}")
    copied = len(SOURCE[at : at + size])
    assert found >= copied - SLACK if copied >= SPAN + STRIDE - 1 else found >= 0


def test_the_filter_has_two_bytes_for_eight_characters_and_is_rarely_wrong() -> None:
    bits = seen_spans(VOCABULARY.encode(SOURCE), VOCABULARY)
    assert bits is not None
    assert len(bits) <= len(SOURCE) / 4
    assert 55 - SLACK <= longest_copy(bits, SOURCE[5:60] + SOURCE[300:355]) <= 56
    rng = np.random.default_rng(2)
    others = ("".join(rng.choice([*"abcdefgh"], SPAN)) for _ in range(3000))
    assert sum(longest_copy(bits, text) > 0 for text in others) < 10  # 0.06 % are expected: 1.8


@pytest.mark.parametrize("size", [22, 30, 45])
@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_no_passage_that_is_longer_than_asked_for_is_copied(
    model: charrnn.Model, size: int, temperature: float
) -> None:
    write = partial(model.sample, "", 400, temperature=temperature, random_seed=1)
    assert longest_shared(write(), SOURCE) > 45
    for contain in (None, WORDS[77], WORDS[78]):
        text = write(max_copied=size, contain=contain)
        assert len(text) == 400
        assert contain is None or contain in text
        assert longest_shared(text, SOURCE) <= size
    with pytest.raises(TrainingError, match="cannot go on without a passage that is copied"):
        write(max_copied=size, contain=SOURCE[50:120])


def test_no_passage_is_repeated_and_no_word_is_torn() -> None:
    text = " ".join(np.random.default_rng(1).choice(FEW, 400))
    looping = charrnn.train(text=text, hidden_size=32, steps=100, base="none", random_seed=1)
    write = partial(looping.sample, "", 800, temperature=0.3, random_seed=1)
    assert repeats(write(), 21)
    text = write(no_repeat=20)
    assert not repeats(text, 20)
    assert not repeats(write(no_repeat=20, contain=FEW[0]), 20)
    assert np.mean([word in FEW for word in text.split()[1:-1]]) > 0.9
    with pytest.raises(TrainingError, match="cannot go on without a passage that is copied"):
        write(no_repeat=2)
    drafts = Drafts(ControlConfig(no_repeat=3), None, VOCABULARY, 1)
    assert not drafts.accepts("taaaa", 1)
    assert drafts.accepts("taaab", 2)


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


def test_other_controls_hold_as_well(model: charrnn.Model) -> None:
    write = partial(model.sample, "", max_copied=22, random_seed=1)
    assert "t" not in write(200, stop="t")
    text = write(100, charset="a-z ")
    assert len(text) == 100
    assert not set(text) - set("abcdefghijklmnopqrstuvwxyz ")


def test_each_json_line_says_what_it_copied(model: charrnn.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.npz")
    common = ("sample", "-c", "m.npz", "--jsonl", "-n", "300", "--random-seed", "1", "-t", "0.2")
    free = json.loads(call(*common, cwd=tmp_path).out)
    held = json.loads(call(*common, "--max-copied", "30", cwd=tmp_path).out)
    assert held["copied"] <= 30 < free["copied"]
    assert free["copied"] <= longest_shared(free["text"], SOURCE) <= free["copied"] + SLACK


def test_what_cannot_be_promised_is_refused(model: charrnn.Model, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max-copied must be 22 or more, not 21"):
        model.sample("", 9, max_copied=21)
    with pytest.raises(ConfigError, match="match and no-repeat contradict each other"):
        model.sample("", 9, match="[a-z]+", no_repeat=9)
    unknown = "the model does not know which passages its text has"
    with pytest.raises(ConfigError, match=unknown):
        charrnn.load("english").longest_copy("a passage")
    fails_in(2, unknown, "sample", "-c", "english", "--max-copied", "30", cwd=tmp_path)
