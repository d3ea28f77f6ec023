"""A run that learns a text: which model it starts from."""

from pathlib import Path

import numpy as np

from charrnn import Config, read_corpus
from charrnn.models.start import choose_start


def test_a_base_model_starts_a_run_on_a_text_that_it_predicts_and_no_other(tmp_path: Path) -> None:
    prose = "The old man walked down to the sea, and he said that it was a good day. " * 30
    (tmp_path / "english.txt").write_text(prose)
    letters = np.random.default_rng(1).choice([*"qwzxkj \n"], 2000)
    (tmp_path / "noise.txt").write_text("".join(letters))
    english, noise = (read_corpus([str(tmp_path / f"{n}.txt")]) for n in ("english", "noise"))
    found = choose_start(None, Config(), set(), english)
    assert found.source is not None
    assert "english" in found.notes[0]
    assert choose_start("none", Config(), set(), english).source is None
    assert choose_start(None, Config(), {"hidden_size"}, english).source is None
    assert choose_start(None, Config(), {"steps"}, english).source is None
    assert choose_start(None, Config(), set(), noise).source is None
    told = choose_start("english", Config(), set(), noise)
    assert told.source is None
    assert "random weights, because english predicts this text at" in told.notes[0]
    assert choose_start("english", Config(), set(), english).source is not None
