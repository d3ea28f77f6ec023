"""The Python API of a few lines: train, load, sample, score, save."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import CharRNNError, Model

TEXT = "the cat sat on the mat\n" * 60


def test_a_model_is_trained_saved_loaded_and_writes_the_same(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text(TEXT)
    steps: list[int] = []
    model = charrnn.train(
        str(tmp_path / "corpus.txt"), steps=80, hidden_size=24, random_seed=1, optimizer="rmsprop",
        on_event=lambda event: steps.append(event.step),
    )  # fmt: skip
    assert steps == list(range(1, 81))
    assert model.config.optimizer.name == "rmsprop"
    assert model.score(TEXT).nats_per_char < model.score(TEXT[::-1]).nats_per_char
    model.save(tmp_path / "m.npz")
    loaded = charrnn.load(tmp_path / "m.npz")
    assert isinstance(loaded, Model)
    sample = loaded.sample("the", 30, random_seed=7)
    assert sample == model.sample("the", 30, random_seed=7)
    assert sample.startswith("the")
    assert len(sample) == 33
    samples = [it.text for it in loaded.samples("the", 3, length=30, random_seed=7)]
    assert f"the{samples[0]}" == sample
    later = loaded.samples("the", 2, length=30, random_seed=7, first=1, log_p=True)
    for text, other in zip(samples[1:], later, strict=True):
        assert other.text == text
        expected = loaded.score(f"\nthe{text}").nats - loaded.score("\nthe").nats
        assert other.log_p == pytest.approx(-expected, rel=1e-3)
    greedy = loaded.sample("the", 10, greedy=True)
    assert greedy == loaded.sample("the", 10, temperature=0) == loaded.sample("the", 10, top_k=1)
    assert repr(loaded) == "Model(lstm 1 x 24, vocabulary of 11, n-grams up to 7, step 80)"
    assert repr(loaded.xray("the cat")).startswith("Trace(7 characters, ")


def test_a_prompt_is_read_as_if_a_line_began_there() -> None:
    text = "xa\nyxbyxb\n" * 60  # after x comes b, but a at the beginning of a line
    model = charrnn.train(text=text, steps=80, hidden_size=16, random_seed=1)
    likeliest, *_ = model.complete("x", length=1)
    nats = model.score("\nxa").nats - model.score("\nx").nats
    assert likeliest.text == "a"
    assert likeliest.log_p == pytest.approx(-nats, rel=1e-3)


def test_a_text_is_learned_like_a_file_that_holds_it(tmp_path: Path) -> None:
    text = "un café\r\n" * 60
    (tmp_path / "corpus.txt").write_bytes(text.encode())
    for settings in ({}, {"normalize": "NFC", "lines": True}):
        run: dict[str, Any] = {"steps": 2, "hidden_size": 4, "random_seed": 1, **settings}
        by_file = charrnn.train(tmp_path / "corpus.txt", **run)
        by_text = charrnn.train(text=text, **run)
        assert by_text.score(text) == by_file.score(text)
        assert by_text.sha256 == by_file.sha256


@pytest.mark.parametrize("line_break", ["\r\n", "\r"])
def test_a_line_is_the_same_whatever_ends_it(line_break: str) -> None:
    names = ["anna", "bo", "clara", "dot"] * 12
    texts = ["".join(f"{name}{end}" for name in names) for end in ("\n", line_break)]
    model, other = (
        charrnn.train(text=text, lines=True, steps=3, hidden_size=8, random_seed=1)
        for text in texts
    )
    assert other.vocabulary == model.vocabulary
    assert other.network().flat.tobytes() == model.network().flat.tobytes()
    lines = (f"{name}{line_break}" for name in names)
    assert [*model.score_lines(lines)] == [*model.score_lines(names)]
    assert model.score(texts[1]) == model.score(texts[0])
    np.testing.assert_array_equal(model.xray(texts[1]).nats, model.xray(texts[0]).nats)


def test_an_interrupt_ends_training_and_the_model_is_returned() -> None:
    def interrupt(event: charrnn.Event) -> None:
        if event.step == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after 3 steps"):
        model = charrnn.train(text=TEXT, steps=50, hidden_size=4, on_event=interrupt)
    assert model.progress.step == 3
    assert model.sample(length=5, random_seed=1)


def test_a_text_or_a_setting_that_is_wrong_is_refused(tmp_path: Path) -> None:
    for wrong, complaint in (
        ({"hiden_size": 3}, "no setting hiden_size"),
        ({"corpus": tmp_path}, "one of corpus and text"),
        ({"text": None}, "one of corpus and text"),
        ({"text": ["a"]}, "text must be one text"),
        ({"text": ""}, "the corpus is empty"),
        ({"text": "ab\ud800"}, "of the text is a lone surrogate"),
    ):
        arguments: dict[str, Any] = {"text": TEXT, **wrong}
        with pytest.raises(CharRNNError, match=complaint) as caught:
            charrnn.train(**arguments)
        if "hiden_size" in wrong:
            assert "hidden_size" in caught.value.__notes__[0]


def test_what_a_sample_does_not_take_is_named() -> None:
    model = charrnn.train(text=TEXT, steps=1, hidden_size=4)
    for how, complaint, hint in (
        ({"temprature": 1}, "no setting temprature", "temperature"),
        ({"prompt": 100}, "expected a text, not 100", "length=100"),
        ({"temperature": "hot"}, "temperature must be a finite number", ""),
        ({"stop": 5}, "stop must be a tuple of texts", ""),
        ({"length": -1}, "length must be at least 0, not -1", ""),
        ({"random_seed": -1}, "random_seed must be at least 0, not -1", ""),
    ):
        for verb in (model.sample, model.samples):
            with pytest.raises(charrnn.ConfigError, match=complaint) as caught:
                verb(**how)
            assert hint in (caught.value.hint or "")
    with pytest.raises(charrnn.ConfigError, match="count must be at least 1, not 0"):
        model.samples("", 0)
    settings: Any
    for settings in ({"count": 0}, {"length": -1}, {"beam": 0}):
        with pytest.raises(charrnn.ConfigError, match="must be at least"):
            model.complete("", **settings)
    assert model.sample(stop="t", random_seed=1) == model.sample(stop=["t"], random_seed=1)


def test_settings_go_by_their_own_names_and_by_those_of_the_options() -> None:
    by_option = charrnn.train(text=TEXT, steps=2, model="gru", optimizer="sgd", random_seed=1)
    by_setting = charrnn.train(text=TEXT, steps=2, cell="gru", name="sgd", random_seed=1)
    assert by_option.config == by_setting.config
    assert by_option.config.model.cell == "gru"
    assert by_option.config.optimizer.name == "sgd"
