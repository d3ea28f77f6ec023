"""A model with a memory: scores, samples and prompts see one and the same distribution."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import ConfigError, CorpusError, VocabularyError, score
from charrnn.generate import remembering as remembering_module
from charrnn.generate.remembering import MemoryPredictor, score_with_memory
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.ngrams.mixture import Mixture, log_normalized
from tests.generate.models import CHARACTERS, make_model, make_network

V, END = len(CHARACTERS), CHARACTERS.index("\n")
NETWORK = make_network()
IDS: Any = np.random.default_rng(0).integers(V, size=60)
LIKE = np.tile(IDS, 4)
NOISY = np.where(np.arange(len(LIKE)) % 7, LIKE, LIKE[::-1])
MODEL = Mixture(NETWORK, build_ngrams((np.arange(40) % V).astype(np.uint8), V, 3))


def test_prompts_and_samples_have_the_distribution_that_texts_are_scored_with() -> None:
    text = np.concatenate([LIKE, IDS[:20]])
    log_p = MemoryPredictor(MODEL).observe(text)
    predictor = MemoryPredictor(MODEL, LIKE)
    start = predictor.read(text[240:250])
    assert start.log_p[text[250]] == pytest.approx(log_p[250], abs=1e-4)
    for count in (1, 3):
        decoder = predictor.decoder(count, start.memory)
        decoder.start(start.state)
        for at in range(250, 253):
            next_p = log_normalized(decoder.feed(text[at].repeat(count)))
            assert next_p[-1, text[at + 1]] == pytest.approx(log_p[at + 1], abs=1e-4)


def test_a_text_is_scored_alike_in_whatever_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    log_p = MemoryPredictor(MODEL).observe(LIKE)
    monkeypatch.setattr(remembering_module, "CHUNK", 7)
    done: list[int] = []
    found = score_with_memory(MODEL, LIKE, on_progress=done.append)
    assert found.nats == pytest.approx(-log_p.sum(), rel=1e-4)
    assert found.chars == len(LIKE) - 1
    assert sum(done) == len(LIKE)
    assert found.nats < score(MODEL, LIKE).nats - 100


def test_a_text_to_write_like_is_read_in_streams_or_lines_nearly_as_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: Any = np.array([END, 1, 2, 3, END, 4, 5, 6, 7, END, 1, 2, 3, END])
    for size, like, end, near in (
        (1000, NOISY, None, 1e-5),
        (60, LIKE, None, 0.02),  # in four streams
        (1000, lines, END, 1e-5),
    ):
        prompt = like[:9] if end is None else like[:4]
        monkeypatch.setattr(remembering_module, "MIN_STREAM", size)
        found = MemoryPredictor(MODEL, like, end).read(prompt)
        whole = MemoryPredictor(MODEL, end=end)
        whole.observe(like)
        exact = whole.read(prompt, found.state)
        np.testing.assert_allclose(np.exp(found.log_p), np.exp(exact.log_p), atol=near)


def test_a_model_of_lines_reads_a_text_to_write_like_as_lines() -> None:
    model = make_model(network=NETWORK, separator="\n")
    prompt, like = model.encode_prompt("abc"), "abcA\nca b\nabcA"
    expected = MemoryPredictor(NETWORK, model.encode(f"\n{like}\n"), END).read(prompt)
    for text in (like, f"{like}\n"):
        found = model.with_memory(text).predictor.read(prompt)
        np.testing.assert_array_equal(found.log_p, expected.log_p)


def test_lines_are_read_each_from_a_zero_state() -> None:
    lines = np.array([END, 1, 2, 3, END, 4, 5, END])  # in which nothing recurs
    found = score_with_memory(NETWORK, lines, end=END)
    assert found.nats == pytest.approx(score(NETWORK, lines, pieces=True).nats, rel=1e-5)


def test_each_sample_remembers_its_own_prompt_whatever_is_read_meanwhile() -> None:
    like, settings = "abc ca b. ABC 019 " * 9, dict[str, Any](length=30, random_seed=1)
    model, fresh = (make_model(network=NETWORK).with_memory(like) for _ in range(2))
    prompts = ("abc c", "019 019 CAB CAB CAB")
    for contain in (None, "b"):
        draw: Any = partial(model.samples, count=2, contain=contain, **settings)
        alone = [[*draw(prompt)] for prompt in prompts]
        assert [*zip(*map(draw, prompts), strict=True)] == [*zip(*alone, strict=True)]
        assert [*draw(prompts[0], count=1, first=1)] == alone[0][1:]
    stream = model.stream(prompts[0], **settings)
    text = next(stream)
    model.complete(prompts[1])
    model.sample(prompts[0], 2)
    found, expected = (each.complete(prompts[1] + " CAB", count=1) for each in (model, fresh))
    assert found[0].log_p == pytest.approx(expected[0].log_p, abs=1e-4)
    assert text + "".join(stream) == model.sample(prompts[0], **settings).removeprefix(prompts[0])


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one id"):
        MemoryPredictor(NETWORK).read(IDS[:0])
    with pytest.raises(VocabularyError, match="ids must be"):
        MemoryPredictor(NETWORK, np.array([V]))
    with pytest.raises(CorpusError, match="nothing to score"):
        score_with_memory(NETWORK, IDS[:1])


def test_a_model_writes_scores_and_completes_in_the_world_of_a_text() -> None:
    model = charrnn.train(text="the cat sat on the mat and ate ham\n" * 60, steps=40, hidden_size=8)
    like = "a hen met the ant and a hen met the ant and then a hen met the ant on the mat"
    write = partial(model.sample, "a hen", 300, random_seed=1, temperature=0.7)
    assert "met the" in (text := write(like=like))
    assert "met the" not in write()
    reader = model.with_memory(f"{like}\n")
    for _ in range(2):  # samples are not read
        assert reader.sample("a hen", 300, random_seed=1, temperature=0.7) == text
    assert model.score(like, memory=True).nats < model.score(like).nats - 10
    with pytest.raises(ConfigError, match="not in windows"):
        model.score(like, window=10, memory=True)
    prompt = f"{like} and a hen m"
    for each, knows in ((model.with_memory(), True), (model, False)):
        (found,) = each.complete(prompt, count=1, length=5)
        assert (found.text == "et th") is knows
