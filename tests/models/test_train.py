"""A run: where it starts, what it takes from an older model, and the n-grams of its text."""

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn import Config, Model, ModelConfig, Vocabulary
from charrnn.generate.seen import is_seen
from charrnn.models.start import choose_start, measure_loss, transfer_weights
from charrnn.models.train import prepare_run
from charrnn.ngrams.fitting import fit_weights, leave_out
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.text.corpus import corpus_of
from tests.generate.models import make_model, make_network
from tests.support import ROOT, parts_of

MOULIN, HARBOUR, TOWNS = (
    (ROOT / f"corpora/{it}.txt").read_text(encoding="utf-8")
    for it in ("moulin", "harbour", "towns")
)
NAMES = TOWNS.split()
HELD_OUT, FIRST, SECOND = NAMES[::5], NAMES[1::5] + NAMES[2::5], NAMES[3::5] + NAMES[4::5]
PROSE = "The old man walked down to the sea, and he said that it was a good day. " * 30
RUN: dict[str, Any] = {"steps": 150, "hidden_size": 32, "random_seed": 1, "val_fraction": 0.1}
SMALL: dict[str, Any] = {"steps": 12, "hidden_size": 8, "random_seed": 1}


def listed(towns: list[str]) -> str:
    return "".join(f"{town}\n" for town in towns)


def learn(text: str, base: str = "none", **settings: Any) -> Model:
    return charrnn.train(text=text, base=base, **RUN | settings)


def go_on(path: Path, text: str, **given: Any) -> Model:
    """Resume the run of a checkpoint on a text, and return the model, which is saved there."""
    run = prepare_run([], given, text=text, resumed=path)
    deque(run.events(), maxlen=0)
    run.finish()
    run.model().save(path)
    return run.model()


def same_ngrams(one: Model, other: Model) -> bool:
    """Return whether two models have the same n-grams, whatever their weights are."""
    assert one.ngram is not None
    assert other.ngram is not None
    tables = zip(one.ngram.counts, other.ngram.counts, strict=True)
    return all(np.array_equal(*arrays) for arrays in tables)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("first") / "first.npz"
    learn(listed(FIRST), lines=True).save(path)
    return str(path)


@pytest.fixture(scope="module")
def grown(first: str) -> Model:
    return learn(listed(SECOND), first, lines=True)


def test_names_learned_in_two_halves_are_known_as_if_learned_at_once(
    first: str, grown: Model
) -> None:
    def nats(model: Model) -> float:
        scores = model.score_lines(HELD_OUT, unknown="charge")
        return float(np.mean([score.nats_per_char for score in scores]))

    at_once = nats(learn(listed(FIRST + SECOND), lines=True))
    assert nats(grown) < at_once + 0.02
    assert nats(learn(listed(SECOND), lines=True)) > at_once + 0.06
    assert nats(charrnn.load(first)) > at_once + 0.06
    assert grown.vocabulary.counts.sum() == len(listed(SECOND))  # of the text that it learned last


def test_what_was_read_once_counts_as_seen_whatever_is_read_after_it(
    first: str, grown: Model, tmp_path: Path
) -> None:
    once = charrnn.load(first)
    assert once.seen_pieces is not None
    assert not all(is_seen(once.seen_pieces, town) for town in SECOND)
    assert once.longest_copy(listed(SECOND[-20:])) <= 30
    again = grown
    for text, rows in ((SECOND, 2), (FIRST[:200], 2), (FIRST + SECOND, 3)):
        again.save(tmp_path / "m.npz")
        again = learn(listed(text), str(tmp_path / "m.npz"), lines=True, steps=2)
        assert again.seen_pieces is not None
        assert len(again.seen_pieces) == rows
        assert all(is_seen(again.seen_pieces, town) for town in FIRST + SECOND)
        new = [town for town in HELD_OUT if town not in FIRST + SECOND]
        assert sum(is_seen(again.seen_pieces, town) for town in new) <= 3
        for part in (FIRST[:20], SECOND[-20:]):
            assert again.longest_copy(listed(part)) > len(listed(part)) - 30


@pytest.mark.parametrize("how", [{"lines": True}, {}], ids=["lines", "stream"])
def test_a_text_that_holds_the_older_one_is_not_counted_twice(
    how: dict[str, Any], tmp_path: Path
) -> None:
    learn(listed(FIRST), **how).save(tmp_path / "old.npz")
    whole = listed(SECOND + FIRST)
    again = learn(whole, str(tmp_path / "old.npz"), **how, steps=2)
    assert again.origin is not None
    assert again.origin.start == "old.npz"
    assert same_ngrams(again, learn(whole, **how, steps=2))


def test_n_grams_that_do_not_help_or_have_other_ends_are_left_out(
    first: str, tmp_path: Path
) -> None:
    words = NAMES[::37]
    learn(" ".join(np.random.default_rng(1).choice(words, 2000))).save(tmp_path / "any.npz")
    for text, base in (
        (" ".join(words * 50), str(tmp_path / "any.npz")),
        (listed(SECOND), first),
    ):
        models = [learn(text, start, steps=20) for start in (base, "none")]
        assert len({model.network().flat.tobytes() for model in models}) == 2
        assert len({model.ngram.entries for model in models if model.ngram is not None}) == 1


def test_a_resumed_run_keeps_what_was_added_and_drops_and_counts_n_grams_if_asked(
    grown: Model, tmp_path: Path
) -> None:
    grown.save(path := tmp_path / "m.npz")
    for order, expected in ((7, True), (0, None), (7, False)):
        model = go_on(path, listed(SECOND), ngram=order, steps=152)
        assert (model.ngram and same_ngrams(model, grown)) is expected
        assert model.origin is not None
        assert model.origin.start == "first.npz"


def test_a_run_resumed_with_another_text_counts_that_and_knows_the_first(
    first: str, tmp_path: Path
) -> None:
    charrnn.load(first).save(path := tmp_path / "m.npz")
    text = listed([*FIRST[100:], *(town * 2 for town in FIRST[:50])])
    model = go_on(path, text, steps=150)
    assert model.seen_pieces is not None
    assert all(is_seen(model.seen_pieces, town) for town in FIRST)
    assert same_ngrams(model, learn(text, lines=True, steps=1))
    assert model.progress.best_val_loss == np.inf  # none of this text was measured


def test_more_time_ends_the_final_decay_and_the_wait_before_it(tmp_path: Path) -> None:
    model = charrnn.train(text=PROSE, time=600, **SMALL)
    model.progress = replace(model.progress, decay_since=0.5, evaluations_since_best=4)
    model.save(path := tmp_path / "m.npz")
    for seconds, expected in ((600.0, (0.5, 4)), (900.0, (1, 0))):
        run = prepare_run([], {"seconds": seconds}, text=PROSE, resumed=path)
        progress = run.state.progress
        assert (progress.decay_since, progress.evaluations_since_best) == expected


def test_a_time_limit_includes_what_came_before_the_first_step() -> None:
    for limit, counts in (({"seconds": 600.0}, True), ({}, False)):
        progress = prepare_run([], {**SMALL, **limit}, text=PROSE).state.progress
        assert (progress.seconds > 0) is counts


@pytest.mark.parametrize(
    ("text", "lines", "held_out"),
    [
        (MOULIN, False, True),
        ("anna\nbob\nlise\nnora\nolga\n" * 60, True, True),
        ("\n".join(f"{a} makes {b}" for a in "abcde" for b in "uvwxyz"), True, False),
    ],
    ids=["stream", "lines", "all"],
)
def test_counts_come_from_the_training_part_and_weights_from_what_is_held_or_left_out(
    text: str, *, lines: bool, held_out: bool
) -> None:
    steps = 12 if held_out else 150  # by then, it knows its text better than a part is predicted
    settings = {**SMALL, "batch_size": 8, "seq_length": 8, "steps": steps}
    model = charrnn.train(text=text, lines=lines, **settings)
    V, end = len(model.vocabulary), model.end_id
    train_ids, val_ids = parts_of(model.config, model.encode(text))
    assert (len(val_ids) > 1) is held_out
    expected = build_ngrams(train_ids, V, 7, end=end)
    assert model.ngram is not None
    assert same_ngrams(model, replace(model, ngram=expected))
    parts = [(expected, val_ids)] if held_out else list(leave_out(train_ids, V, 7, end))
    weights, loss, _ = fit_weights(
        model.network(),
        parts,
        spelled=[model.ngram.spelled],
        pieces=lines,
        loss_before=None if held_out else np.inf,
    )
    np.testing.assert_allclose(model.ngram.weights, weights, atol=1e-6)
    assert held_out or model.ngram.spelled.all()  # the ends of lines, too
    assert model.ngram.val_loss == (pytest.approx(loss) if held_out else None)
    assert lines or loss < model.progress.best_val_loss - 0.5


def test_n_grams_that_make_the_held_out_loss_worse_are_left_out() -> None:
    noise = "".join(map(str, np.random.default_rng(1).integers(10, size=20_000)))
    model = charrnn.train(text=noise, hidden_size=8, steps=40, base="none", random_seed=1)
    assert model.ngram is None
    assert model.progress.best_val_loss < np.log(10) + 0.02


def test_n_grams_of_a_short_text_do_not_spoil_what_a_base_model_knows(tmp_path: Path) -> None:
    path, text, unseen = tmp_path / "m.npz", HARBOUR[:3000], HARBOUR[-6000:]
    run: dict[str, Any] = {"steps": 12, "random_seed": 1, "workers": 1}
    charrnn.train(text=text, base="english", **run).save(path)
    start, before = charrnn.load(path), charrnn.load("english")
    for model in (start, go_on(path, text, steps=16)):
        assert model.origin is not None
        assert model.origin.start_loss == measure_loss(before, corpus_of(text), None)[0]
        alone = replace(model, ngram=None)
        assert model.score(unseen).nats < 1.01 * alone.score(unseen).nats


def test_what_is_changed_for_a_short_text_is_noted() -> None:
    def notes(size: int, **given: int) -> list[str]:
        return prepare_run([], {"steps": 1, **given}, text=PROSE[:size]).notes

    window, batch = notes(11)[:2]
    assert window == "a short text: --seq-length 10 instead of 32"
    assert batch == "a short text: --batch-size 1 instead of 32"
    window, batch = notes(11, seq_length=20, batch_size=4)[:2]
    assert window == "warning: a short text: --seq-length 10 instead of 20"
    assert batch == "warning: a short text: --batch-size 1 instead of 4"
    assert not any("short" in note for note in notes(1900))


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("text", ["ab\n", "a\nb"])
def test_the_shortest_texts_have_weights_too(text: str, *, lines: bool) -> None:
    model = charrnn.train(text=text, lines=lines, **SMALL)
    assert model.ngram is not None
    written = model.sample("a", 10)
    assert written.startswith("a")
    assert len(written) <= 11 if lines else len(written) == 11


def test_a_base_model_starts_a_run_on_a_text_that_it_predicts_and_no_other() -> None:
    letters = "".join(np.random.default_rng(1).choice([*"qwzxkj \n"], 2000))
    foreign = "Старик спустился к морю и сказал, что день хорош. " * 30
    english, noise, russian = map(corpus_of, (HARBOUR[:5000], letters, foreign))
    found = choose_start(None, Config(), set(), english)
    assert found.source is not None
    assert not found.is_growing  # it has no filters
    assert "english" in found.notes[0]
    repeated = corpus_of(PROSE)  # English, but its own n-grams know more of it
    for corpus in (english, repeated):
        assert choose_start("english", Config(), set(), corpus).source is not None
    for name, fixed, corpus in (
        ("none", set[str](), english),
        (None, {"hidden_size"}, english),
        (None, {"steps"}, english),
        (None, set[str](), repeated),
        (None, set[str](), noise),
        (None, set[str](), russian),
    ):
        assert choose_start(name, Config(), fixed, corpus).source is None
    both = corpus_of(HARBOUR[:2500] + MOULIN[:2500])  # better than nothing, not enough
    told = choose_start("english", Config(), set(), both)
    assert told.source is None
    assert "random weights, because english predicts this text at" in told.notes[0]
    other = Config(model=ModelConfig(layers=3, dropout=0.5))
    with pytest.raises(charrnn.ConfigError, match=r"another --layers\n"):
        choose_start("english", other, {"layers", "dropout"}, english)
    started = choose_start("english", other, {"dropout"}, english)
    assert started.config.model == replace(found.config.model, dropout=0.5)


def test_the_more_a_base_model_knows_of_a_short_text_the_gentler_is_its_training() -> None:
    known, half_known = HARBOUR[:3000], HARBOUR[:2000] + MOULIN[:1000]
    configs = [prepare_run([], {"seconds": 600.0}, text=it).config for it in (known, half_known)]
    assert [it.data.batch_size for it in configs] == [8, 8]
    assert [it.run.epochs for it in configs] == [20, pytest.approx(37, abs=1)]
    rates = [it.optimizer.peak_learning_rate for it in configs]
    # Of 0.03 with 256 units and 32 windows, with 512 and 8; see ``recipe``.
    assert rates[0] == pytest.approx(0.03 / 2 / 2 * 0.8 * (3 / 20) ** 0.35 / 2, rel=0.04)
    assert rates[1] == pytest.approx(0.03 / 2 / 2 * 0.8 * (3 / 37) ** 0.35 * 0.93, rel=0.04)
    whole = prepare_run([], {"seconds": 600.0, "batch_size": 32, "val_fraction": 0.1}, text=known)
    assert whole.config.optimizer.peak_learning_rate == pytest.approx(2 * rates[0], rel=0.04)


def test_a_model_is_measured_on_known_characters_and_unknown_ones_cost_their_frequency() -> None:
    text = "anna bo, clara dot! " * 6 + "ann"
    known = make_model("abcdlnort " * 5)
    read = "".join(char if char in known.vocabulary else " " for char in text)
    nats, expected = known.xray(read).nats, []
    share = np.mean([char in known.vocabulary for char in text])
    for char, each in list(zip(text, nats, strict=True))[31:]:
        is_known = char in known.vocabulary
        expected.append(each - np.log(share) if is_known else -np.log(text.count(char) / len(text)))
    assert measure_loss(known, corpus_of(text), None)[0] == pytest.approx(
        np.mean(expected), rel=1e-5
    )
    lines = make_model("abcdlnort\n" * 5, separator="\n")
    text = "anna\nbo\nclara\ndot\n" * 20
    found, _ = measure_loss(lines, corpus_of(text, lines.config.data), "\n")
    assert found == pytest.approx(lines.score(text).nats_per_char, rel=1e-5)


def test_a_known_character_keeps_its_logit_wherever_its_index_moved() -> None:
    known, wanted = Vocabulary("\nbdf"), Vocabulary("\n\x1eabcdefg")
    old, new = make_network(4, layers=2), make_network(9, 1, layers=2)
    fresh = {name: param.copy() for name, param in new.params.items()}
    transfer_weights(old, known, new, wanted)
    before, after = (
        model.forward(vocabulary.encode(text)[:, None], model.zero_state(1))[0][:, 0]
        for model, vocabulary, text in ((old, known, "\nbdffdb"), (new, wanted, "\x1ebdffdb"))
    )
    np.testing.assert_allclose(before, after[:, wanted.encode("\nbdf")], rtol=1e-6)
    np.testing.assert_array_equal(after[:, 0], after[:, 1])  # pieces begin and end as lines do
    # A model that has never seen a line break has no weights for that.
    transfer_weights(make_network(3), Vocabulary("bdf"), make_network(4), Vocabulary("\x1ebdf"))
    added = wanted.encode("aceg")  # which keep the values that they began with
    for name in ("output.weight", "output.bias"):
        np.testing.assert_array_equal(new.params[name][added], fresh[name][added])
    columns = "weight_ih_l0"
    np.testing.assert_array_equal(new.params[columns][:, added], fresh[columns][:, added])
