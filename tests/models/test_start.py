"""Where a run starts: which model, and its weights on a new alphabet."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import Config, LanguageModel, ModelConfig, Vocabulary
from charrnn.models.start import choose_start, measure_loss, transfer_weights
from charrnn.text.corpus import corpus_of
from tests.support import ROOT


def test_a_base_model_starts_a_run_on_a_text_that_it_predicts_and_no_other() -> None:
    prose = "The old man walked down to the sea, and he said that it was a good day. " * 30
    letters = np.random.default_rng(1).choice([*"qwzxkj \n"], 2000)
    english, noise = corpus_of(prose), corpus_of("".join(letters))
    found = choose_start(None, Config(), set(), english)
    assert found.source is not None
    assert "english" in found.notes[0]
    assert choose_start("none", Config(), set(), english).source is None
    assert choose_start(None, Config(), {"hidden_size"}, english).source is None
    assert choose_start(None, Config(), {"steps"}, english).source is None
    foreign = corpus_of("Старик спустился к морю и сказал, что день хорош. " * 30)
    assert choose_start(None, Config(), set(), noise).source is None
    assert choose_start(None, Config(), set(), foreign).source is None
    both = [
        (ROOT / f"corpora/{it}.txt").read_text(encoding="utf-8") for it in ("harbour", "moulin")
    ]
    bilingual = corpus_of("".join(text[:2500] for text in both))  # better than nothing, not enough
    told = choose_start("english", Config(), set(), bilingual)
    assert told.source is None
    assert "random weights, because english predicts this text at" in told.notes[0]
    assert choose_start("english", Config(), set(), english).source is not None
    other = Config(model=ModelConfig(layers=3, dropout=0.5))
    with pytest.raises(charrnn.ConfigError, match=r"another --layers\n"):
        choose_start("english", other, {"layers", "dropout"}, english)
    started = choose_start("english", other, {"dropout"}, english)
    assert started.config.model == replace(found.config.model, dropout=0.5)


def test_a_model_of_lines_is_measured_line_by_line() -> None:
    text = "anna\nbob\ncarla\ndora\n" * 20
    settings: Any = {"steps": 60, "hidden_size": 8, "ngram": 0, "random_seed": 1}
    model = charrnn.train(text=text, lines=True, base="none", **settings)
    nats, _ = measure_loss(model, corpus_of(text, model.config.data), "\n")
    assert nats == pytest.approx(model.score(text).nats_per_char, rel=1e-5)


def make(characters: str, seed: int) -> tuple[LanguageModel, Vocabulary]:
    config = ModelConfig(hidden_size=6, layers=2, dtype="float64")
    model = LanguageModel(config, len(characters)).init(np.random.default_rng(seed))
    return model, Vocabulary(characters)


def test_a_known_character_keeps_its_logit_wherever_its_index_moved() -> None:
    (old, known), (new, wanted) = make("bdf", seed=0), make("abcdefg", seed=1)
    fresh = {name: param.copy() for name, param in new.params.items()}
    transfer_weights(old, known, new, wanted)
    before, after = (
        model.forward(vocabulary.encode("bdffdb")[:, None], model.zero_state(1))[0][:, 0]
        for model, vocabulary in ((old, known), (new, wanted))
    )
    np.testing.assert_array_equal(before, after[:, wanted.encode("bdf")])
    added = wanted.encode("aceg")  # which keep the values that they began with
    for name in ("output.weight", "output.bias"):
        np.testing.assert_array_equal(new.params[name][added], fresh[name][added])
    columns = "weight_ih_l0"
    np.testing.assert_array_equal(new.params[columns][:, added], fresh[columns][:, added])
