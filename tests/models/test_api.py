"""The Python API of a few lines: train, load, sample, score, save."""

from pathlib import Path

import pytest

import charrnn
from charrnn import ConfigError, Model

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
    assert loaded.sample("the", 10, temperature=0) == loaded.sample("the", 10, top_k=1)


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text(TEXT)
    with pytest.raises(ConfigError, match="no setting hiden_size"):
        charrnn.train(str(tmp_path / "corpus.txt"), hiden_size=3)


def test_settings_go_by_their_own_names_and_by_those_of_the_options(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text(TEXT)
    by_option = charrnn.train(
        str(tmp_path / "corpus.txt"), steps=2, model="gru", optimizer="sgd", random_seed=1
    )
    by_setting = charrnn.train(
        str(tmp_path / "corpus.txt"), steps=2, cell="gru", name="sgd", random_seed=1
    )
    assert by_option.config == by_setting.config
    assert by_option.config.model.cell == "gru"
    assert by_option.config.optimizer.name == "sgd"
