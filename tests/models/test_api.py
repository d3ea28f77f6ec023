"""The Python API of a few lines: train, load, sample, score, save, and what a checkpoint says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import CharRNNError, ConfigError
from charrnn.models.description import describe, loss_curve
from tests.generate.models import make_model, make_network
from tests.support import MIXED_TEXT, TEXT, trained

SMALL: dict[str, Any] = {"hidden_size": 8, "random_seed": 1}


@pytest.mark.parametrize(
    "how", [{"stride": 5}, {"lines": True}, {"val_fraction": 0.0}, {"layers": 2}]
)
def test_a_model_is_trained_saved_and_loaded_and_says_what_happened(
    how: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 8)
    events: list[charrnn.Event] = []
    settings = {"steps": 40, "seq_length": 10, "batch_size": 16, **SMALL, **how}
    model = charrnn.train(str(tmp_path / "text.txt"), on_event=events.append, **settings)
    model.save(tmp_path / "m.npz")
    loaded, found = charrnn.load(tmp_path / "m.npz"), describe(tmp_path / "m.npz")
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "m.npz").read_bytes()
    assert loaded.score(TEXT).nats_per_char < loaded.score(TEXT[::-1]).nats_per_char
    assert loaded.sample("The", 9, random_seed=7) == model.sample("The", 9, random_seed=7)
    assert [event.step for event in events] == [*range(1, 41)]
    assert (found["steps"], found["resumable"]) == (40, True)
    assert found["bytes"] == (tmp_path / "m.npz").stat().st_size
    assert found["parameters"] == sum(array.size for array in model.weights.values())
    assert (found["chars"], found["vocab_size"]) == (len(TEXT * 8), len(set(TEXT)))
    assert (found["sources"], found["start"]) == (["text.txt"], "none")
    assert loaded.origin is not None
    assert loaded.ngram is not None
    assert events[-1].epoch - 1 < found["passes"] <= events[-1].epoch
    assert found["passes"] == pytest.approx(40 / loaded.origin.steps_per_pass, abs=1e-3)
    assert found["ngrams"]["weight"] == pytest.approx(np.mean(loaded.ngram.weights))
    measured = [event for event in events if event.val_loss is not None]
    seconds = [(round(event.seconds, 3), event.val_loss) for event in measured]
    assert loss_curve(found["history"], "val_loss") == seconds
    assert loss_curve(found["history"], "train_loss")[-1][1] == found["train_loss"]
    assert not loss_curve([{"seconds": 1.0, "val_loss": np.inf}], "val_loss")
    best = min(measured, key=lambda event: event.val_loss or 0, default=None)
    assert (found["held_out"] > 0) == bool(best)
    assert found["val_loss"] == (best and best.val_loss)
    assert found["best_step"] == (best and best.step)
    assert found["bits_per_char"] == (best and pytest.approx(found["val_loss"] / 0.693147))
    layers, vocabulary = how.get("layers", 1), f"vocabulary of {len(set(TEXT))}"
    assert (found["layers"], found["networks"]) == (layers, 1)
    assert repr(loaded) == f"Model(lstm {layers} x 8, {vocabulary}, n-grams up to 7, step 40)"


def test_samples_and_greedy_texts_are_those_of_one_model() -> None:
    model = charrnn.train(text=TEXT, steps=40, **SMALL)
    sample = model.sample("The", 30, random_seed=0)
    assert sample.startswith("The")
    assert len(sample) == 33
    (drawn,) = model.samples("The", 1, length=30, random_seed=0, log_p=True)
    assert "The" + drawn.text == sample
    nats = model.score(f"\n{sample}").nats - model.score("\nThe").nats
    assert drawn.log_p == pytest.approx(-nats, rel=1e-3)
    greedy = model.sample("The", 10, greedy=True)
    assert greedy == model.sample("The", 10, temperature=0) == model.sample("The", 10, top_k=1)
    assert model.sample(stop="t", random_seed=1) == model.sample(stop=["t"], random_seed=1)


def test_scores_completions_and_traces_are_of_network_and_n_grams_together() -> None:
    model, text = charrnn.train(text=TEXT, steps=40, **SMALL), "The cat sat on the mat."
    nats = model.score(text).nats
    assert nats < replace(model, ngram=None).score(text).nats - 1
    assert model.xray(text).nats[1:].sum() == pytest.approx(nats, rel=1e-3)
    (line,) = model.score_lines([text])
    assert line.nats == pytest.approx(model.score(f"\n{text}\n").nats, rel=1e-5)
    likeliest, *_ = model.complete("The ca")
    more = model.score(f"\nThe ca{likeliest.text}").nats - model.score("\nThe ca").nats
    assert likeliest.log_p == pytest.approx(-more, rel=1e-3)


def test_a_prompt_is_read_as_if_a_line_began_there() -> None:
    text = "xa\nyxbyxb\n" * 60  # after x comes b, but a at the beginning of a line
    model = charrnn.train(text=text, steps=80, hidden_size=16, random_seed=1)
    likeliest, *_ = model.complete("x", length=1)
    assert likeliest.text == "a"
    without = make_model("abbc")  # where there is none, as it is
    assert without.encode_prompt("ca").tolist() == [2, 0]
    assert without.encode_prompt("").tolist() == [1]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_a_text_is_learned_like_a_file_that_holds_it_whatever_ends_its_lines(
    line_break: str, tmp_path: Path
) -> None:
    names = ["anna", "bo", "café", "dot"] * 12
    texts = ["".join(f"{name}{end}" for name in names) for end in ("\n", line_break)]
    (tmp_path / "names.txt").write_bytes(texts[1].encode())
    settings: dict[str, Any] = {"lines": True, "normalize": "NFC", "steps": 3, **SMALL}
    by_text = charrnn.train(text=texts[0], **settings)
    by_file = charrnn.train(tmp_path / "names.txt", **settings)
    assert (by_file.sha256 == by_text.sha256) == (line_break == "\n")
    assert by_file.vocabulary == by_text.vocabulary
    assert by_file.network().flat.tobytes() == by_text.network().flat.tobytes()
    decomposed = "é", "e\u0301"
    lines = [f"{name}{line_break}".replace(*decomposed) for name in names]
    scores = (replace(it, text=it.text.replace(*decomposed)) for it in by_text.score_lines(names))
    assert [*by_text.score_lines(lines)] == [*scores]
    assert by_text.score("".join(lines)) == by_text.score(texts[0])
    np.testing.assert_array_equal(by_text.xray("".join(lines)).nats, by_text.xray(texts[0]).nats)


def test_a_text_or_a_setting_that_is_wrong_is_refused() -> None:
    wrong: Any
    for wrong, complaint in (
        ({"hiden_size": 3}, "no setting hiden_size"),
        ({"corpus": "a.txt"}, "one of corpus and text"),
        ({"text": None}, "one of corpus and text"),
        ({"text": ["a"]}, "text must be one text"),
        ({"text": "ab\ud800"}, "of the text is a lone surrogate"),
    ):
        with pytest.raises(CharRNNError, match=complaint) as caught:
            charrnn.train(**{"text": TEXT, **wrong})
        assert "hiden_size" not in wrong or "hidden_size" in caught.value.__notes__[0]


def test_what_a_sample_or_a_completion_does_not_take_is_named() -> None:
    model = make_model()
    wrong: Any
    for wrong, complaint, hint in (
        ({"temprature": 1}, "no setting temprature", "temperature"),
        ({"prompt": 100}, "expected a text, not 100", "length=100"),
        ({"temperature": "hot"}, "temperature must be a finite number", ""),
        ({"stop": 5}, "stop must be a tuple of texts", ""),
        ({"length": -1}, "length must be at least 0, not -1", ""),
        ({"random_seed": -1}, "random_seed must be at least 0, not -1", ""),
    ):
        for verb in (model.sample, model.samples):
            with pytest.raises(ConfigError, match=complaint) as caught:
                verb(**wrong)
            assert hint in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="count must be at least 1, not 0"):
        model.samples("", 0)
    for wrong in ({"count": 0}, {"length": -1}, {"beam": 0}, {"stop": ""}):
        with pytest.raises(ConfigError, match=r"must (be|have) at least"):
            model.complete("", **wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_have_exploded_are_an_error_for_all_that_use_them(value: float) -> None:
    network = make_network()
    network.params["output.weight"][3] = value
    model = make_model(network=network)
    uses: list[Callable[[], object]] = [
        lambda: model.sample(length=20),
        lambda: model.sample(length=20, greedy=True),
        model.complete,
        lambda: model.score("abc"),
        lambda: model.score("abc", memory=True),
        lambda: [*model.score_lines(["abc", "a"])],
        lambda: model.xray("abc"),
    ]
    for use in uses:
        with np.errstate(all="ignore"), pytest.raises(charrnn.TrainingError, match="not finite"):
            use()


def test_an_ensemble_is_merged_into_one_network_that_says_the_same() -> None:
    model = trained(members=2)
    merged = model.merged()
    assert merged.score(MIXED_TEXT).nats == pytest.approx(model.score(MIXED_TEXT).nats, rel=1e-5)
    assert (merged.config.model.members, merged.resume) == (1, {})


def test_settings_go_by_their_own_names_and_by_those_of_the_options() -> None:
    by_option = charrnn.train(text=TEXT, steps=2, model="gru", optimizer="sgd", **SMALL)
    by_setting = charrnn.train(text=TEXT, steps=2, cell="gru", name="sgd", **SMALL)
    assert by_option.config == by_setting.config
    assert by_option.config.model.cell == "gru"
    assert by_option.config.optimizer.name == "sgd"


def test_an_interrupt_ends_training_and_the_model_is_returned() -> None:
    def interrupt(event: charrnn.Event) -> None:
        if event.step == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after 3 steps"):
        model = charrnn.train(text=TEXT, steps=50, on_event=interrupt, **SMALL)
    assert model.progress.step == 3
    assert model.sample(length=5, random_seed=1)
