"""A model with a memory: scores, samples and prompts see one and the same distribution."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import ConfigError, CorpusError, SamplingConfig, VocabularyError, sample_steps, score
from charrnn.generate import remembering as remembering_module
from charrnn.generate.remembering import MemoryPredictor, score_with_memory
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.ngrams.mixture import Mixture, log_normalized
from charrnn.nn.ensemble import AnyLanguageModel
from tests.generate.models import MODEL, VOCABULARY

V = len(VOCABULARY)
IDS: Any = np.random.default_rng(0).integers(V, size=60)
LIKE = np.tile(IDS, 4)
NOISY = np.where(np.arange(len(LIKE)) % 7, LIKE, LIKE[::-1])
MIXTURE = Mixture(MODEL, build_ngrams((np.arange(40) % V).astype(np.uint8), V, 3))
MODELS = pytest.mark.parametrize("model", [MODEL, MIXTURE], ids=["network", "mixture"])


@MODELS
def test_prompts_and_samples_have_the_distribution_that_texts_are_scored_with(
    model: AnyLanguageModel,
) -> None:
    text = np.concatenate([LIKE, IDS[:20]])
    log_p = MemoryPredictor(model).observe(text)
    predictor = MemoryPredictor(model, LIKE)
    start = predictor.read(text[240:250])
    assert start.log_p[text[250]] == pytest.approx(log_p[250], abs=1e-4)
    for count in (1, 3):
        decoder = predictor.decoder(count)
        decoder.start(start.state)
        for at in range(250, 253):
            next_p = log_normalized(decoder.feed(text[at].repeat(count)))
            assert next_p[-1, text[at + 1]] == pytest.approx(log_p[at + 1], abs=1e-4)


@MODELS
def test_a_text_is_scored_alike_in_whatever_pieces(
    model: AnyLanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_p = MemoryPredictor(model).observe(LIKE)
    monkeypatch.setattr(remembering_module, "CHUNK", 7)
    done: list[int] = []
    found = score_with_memory(model, LIKE, on_progress=done.append)
    assert found.nats == pytest.approx(-log_p.sum(), rel=1e-4)
    assert found.chars == len(LIKE) - 1
    assert sum(done) == len(LIKE)
    assert found.nats < score(model, LIKE).nats - 100


def test_samples_are_not_read() -> None:
    predictor, config = MemoryPredictor(MIXTURE, LIKE), SamplingConfig(temperature=1)
    texts = []
    for _ in range(2):
        steps = islice(sample_steps(predictor, IDS[:3], config, random_seed=1), 80)
        texts.append([int(step.ids[0]) for step in steps])
    assert texts[0] == texts[1]
    assert sum(np.isin(texts[0][at : at + 4], IDS).all() for at in range(77)) > 10


def test_each_prompt_is_read_after_the_same_text() -> None:
    predictor = MemoryPredictor(MODEL, LIKE)
    first = predictor.read(IDS[:9])
    predictor.read(np.tile(IDS[::-1], 3))
    np.testing.assert_array_equal(predictor.read(IDS[:9]).log_p, first.log_p)
    for size in (3, 4, 9):
        found = predictor.read_on(IDS[:size])
    np.testing.assert_allclose(found.log_p, first.log_p, atol=1e-5)
    predictor.read(NOISY)  # another prompt between
    np.testing.assert_allclose(predictor.read_on(IDS[:9]).log_p, first.log_p, atol=1e-5)
    np.testing.assert_allclose(predictor.read_on(IDS[:10]).log_p, predictor.read(IDS[:10]).log_p,
                               atol=1e-5)  # fmt: skip


@pytest.mark.parametrize(("size", "like", "near"), [(1000, NOISY, 1e-5), (60, LIKE, 0.02)])
@MODELS
def test_a_text_to_write_like_is_read_in_streams_nearly_as_in_one(
    model: AnyLanguageModel, size: int, like: Any, near: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering_module, "MIN_STREAM", size)
    found = MemoryPredictor(model, like).read(IDS[:9])
    whole = MemoryPredictor(model)
    whole.observe(like)
    exact = whole.read(IDS[:9], found.state)
    np.testing.assert_allclose(np.exp(found.log_p), np.exp(exact.log_p), atol=near)


def test_lines_are_read_each_from_a_zero_state() -> None:
    end = VOCABULARY.index["\n"]
    line = np.concatenate([[end], IDS[end != IDS][:5], [end]])
    found = MemoryPredictor(MODEL, end=end).observe(np.tile(line[:-1], 3))
    alone = -score(MODEL, line).nats
    assert found[1:7].sum() == pytest.approx(alone, rel=1e-5)
    flat = np.append(np.tile(line[:-1], 3), end)
    start = MemoryPredictor(MODEL, flat, end).read(line[:3])
    straight = MemoryPredictor(MODEL, end=end)
    straight.observe(flat)
    exact = straight.read(line[:3], start.state)
    np.testing.assert_allclose(start.log_p, exact.log_p, atol=0.02)
    unlike = MemoryPredictor(MODEL).observe(np.tile(line[:-1], 2))
    assert unlike[6:12].sum() != pytest.approx(found[6:12].sum(), rel=1e-3)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one id"):
        MemoryPredictor(MODEL).read(IDS[:0])
    with pytest.raises(VocabularyError, match="ids must be"):
        MemoryPredictor(MODEL, np.array([V]))
    with pytest.raises(CorpusError, match="nothing to score"):
        score_with_memory(MODEL, IDS[:1])


def test_a_model_writes_scores_and_completes_in_the_world_of_a_text() -> None:
    model = charrnn.train(text="the cat sat on the mat and ate ham\n" * 60, steps=40, hidden_size=8)
    like = "a hen met the ant and a hen met the ant and then a hen met the ant on the mat"
    text = model.sample("a hen", 300, like=like, random_seed=1, temperature=0.7)
    assert text.startswith("a hen")
    assert "met the" in text
    assert "met the" not in model.sample("a hen", 300, random_seed=1, temperature=0.5)
    assert model.score(like, memory=True).nats < model.score(like).nats - 10
    with pytest.raises(ConfigError, match="not in windows"):
        model.score(like, window=10, memory=True)
    (found,) = model.with_memory(like).complete("and a hen m", count=1, length=5)
    assert found.text == "et th"
    (found,) = model.with_memory().complete(f"{like} and a hen m", count=1, length=5)
    assert found.text == "et th"
    (found,) = model.complete(f"{like} and a hen m", count=1, length=5)
    assert found.text != "et th"
