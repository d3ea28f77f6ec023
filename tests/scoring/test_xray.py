"""What is taken down of a model, against one step at a time, by the equations."""

from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from charrnn import CharRNNError, LanguageModel, ModelConfig, Vocabulary, train
from charrnn.nn.ensemble import Ensemble
from charrnn.nn.network import log_softmax
from charrnn.scoring import xray as xray_module
from charrnn.scoring.features import FEATURES
from charrnn.scoring.xray import Found, Trace, join, parts_of, trace_text
from tests import oracle
from tests.generate.models import CHARACTERS, make_network
from tests.planted import COUNTER, bracket_counter
from tests.support import MIXED_TEXT, trained

VOCABULARY, V = Vocabulary(CHARACTERS), len(CHARACTERS)
CELLS: list[dict[str, Any]] = [
    {"cell": "rnn"}, {"cell": "rnn", "nonlinearity": "relu"}, {"cell": "gru"}, {"cell": "lstm"},
    {"cell": "lstm", "layers": 2},
]  # fmt: skip


def text_ids(length: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(V, size=length).astype(np.uint8)


def traced(model: LanguageModel | Ensemble, pieces: list[Any], top: int = 3) -> Trace:
    return join(trace_text(model, VOCABULARY, pieces, top=top, parts=parts_of(model.cell)))


def same(one: Trace, other: Trace, tolerance: float = 1e-6) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_allclose(one.nats, other.nats, atol=tolerance)
    np.testing.assert_allclose(one.top_p, other.top_p, atol=tolerance)
    assert one.activations.keys() == other.activations.keys()
    for part, values in one.activations.items():
        np.testing.assert_allclose(values, other.activations[part], atol=tolerance)


@pytest.mark.parametrize("settings", CELLS, ids=str)
def test_surprise_guesses_and_states_are_those_of_one_step_at_a_time(
    settings: dict[str, Any],
) -> None:
    model, ids = make_network(CHARACTERS, **settings), text_ids(40)
    model.flat /= 4 if "nonlinearity" in settings else 1
    trace, state = traced(model, [ids]), model.zero_state(1)
    assert np.isnan(trace.nats[0])
    assert np.isnan(trace.top_p[0]).all()
    for at, (this, following) in enumerate(pairwise(ids.tolist())):
        logits, state, _ = model.forward(np.array([[this]]), state)
        log_p = log_softmax(logits[0, 0])
        assert trace.nats[at + 1] == pytest.approx(-log_p[following], abs=1e-5)
        best = np.argsort(-log_p)[:3]
        assert trace.top_ids[at + 1].tolist() == best.tolist()
        np.testing.assert_allclose(trace.top_p[at + 1], np.exp(log_p[best]), atol=1e-5)
        for layer, states in enumerate(state):
            found = trace.activations["hidden"][at, layer]
            np.testing.assert_allclose(found, states[0][0], atol=1e-5)


def test_the_gates_are_those_of_the_equations() -> None:
    for cell, names in (("lstm", ("input", "forget", "candidate", "output")),
                        ("gru", ("reset", "update", "candidate"))):  # fmt: skip
        model, ids = make_network(CHARACTERS, cell=cell), text_ids(9)
        held = {part: it[:, 0] for part, it in traced(model, [ids]).activations.items()}
        layer = model.layers[0]
        state: Any = tuple(part[0] for part in model.zero_state(1)[0])
        for at, this in enumerate(ids):
            x, h = np.eye(V)[this], state[0]
            for number, name in enumerate(names):
                from_input, from_state = oracle.gate(layer, number, x, h)
                if (cell, name) == ("gru", "candidate"):
                    expected = np.tanh(from_input + held["reset"][at] * from_state)
                else:
                    bend = np.tanh if name == "candidate" else oracle.logistic
                    expected = bend(from_input + from_state)
                np.testing.assert_allclose(held[name][at], expected, atol=1e-5)
            step = oracle.lstm_step if cell == "lstm" else oracle.gru_step
            state = step(layer, x, state)
            if cell == "lstm":
                np.testing.assert_allclose(held["cell"][at], np.tanh(state[1]), atol=1e-5)


def test_no_more_than_a_window_is_held_and_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xray_module, "WINDOW", 16)
    model = make_network(CHARACTERS)
    read: list[int] = []

    def pieces() -> Iterator[Any]:
        for number in range(100):
            read.append(number)
            yield text_ids(40, number)

    for end in (None, VOCABULARY.index["\n"]):
        read.clear()
        traces = trace_text(model, VOCABULARY, pieces(), end=end)
        assert max(len(trace) for trace in islice(traces, 30)) <= 16
        assert len(read) < 20
    assert len(join(trace_text(model, VOCABULARY, pieces()), 50)) == 50


def test_a_model_of_lines_sees_each_line_on_its_own() -> None:
    text = "\n".join(["anna", "bo", "clara", "dot"] * 20)
    model = train(text=text, lines=True, steps=3, hidden_size=8, random_seed=1, base="none")
    lines = ["bo", "anna", "", "clara", "bo"]
    xray, at = model.xray("\n".join(lines)), 0
    assert xray.text == "".join(f"{line}\n" for line in lines)
    _, state, _ = model.network().forward(
        np.array([[model.vocabulary.index["\n"]]]), model.network().zero_state(1)
    )
    for score in model.score_lines(lines):
        end = at + len(score.text)
        assert xray.nats[at : end + 1].sum() == pytest.approx(score.nats, abs=1e-4)
        # The next line begins in the state that belongs to the line break before it.
        found = xray.activations["cell"][end, 0]
        np.testing.assert_allclose(found, np.tanh(state[0][1][0]), atol=1e-6)
        at = end + 1


def test_the_api_says_what_score_says() -> None:
    model = trained()
    xray = model.xray(MIXED_TEXT, top=4, parts=("cell", "forget"))
    assert xray.text == MIXED_TEXT
    assert xray.nats_per_char == pytest.approx(model.score(MIXED_TEXT).nats_per_char, abs=1e-5)
    assert xray.alternatives(0) == []
    every = model.xray("été", top=99).alternatives(2)
    assert sum(p for _, p in every) == pytest.approx(1, abs=1e-5)
    guesses = xray.alternatives(5)
    assert len(guesses) == 4
    assert [p for _, p in guesses] == sorted((p for _, p in guesses), reverse=True)
    forget = xray.activations["forget"]
    assert forget.shape == (len(MIXED_TEXT), 2, 5)
    assert 0 <= forget.min() <= forget.max() <= 1
    asked: dict[str, Callable[[], object]] = {
        "no part 'reset'": lambda: model.xray("t", parts=("reset",)),
        "unknown feature": lambda: xray.find("rhymes"),
        "there is no layer 2": lambda: xray.find(layer=2),
        "unknown character": lambda: model.xray("Ж"),
        "no text": lambda: model.xray(""),
    }
    for complaint, ask in asked.items():
        with pytest.raises(CharRNNError, match=complaint):
            ask()


def test_a_text_in_pieces_and_an_ensemble_are_seen_as_the_one_that_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    networks = [LanguageModel(ModelConfig(hidden_size=6), V).init(rng) for _ in range(2)]
    model, ids = Ensemble(networks), text_ids(300)
    whole = traced(model, [ids])
    same(traced(model.merge(), [ids]), whole, 1e-5)
    same(traced(model, [ids[:1], ids[1:3], ids[3:170], ids[170:]]), whole)
    monkeypatch.setattr(xray_module, "WINDOW", 7)
    same(traced(model, [ids]), whole)


def test_a_unit_that_counts_brackets_is_ranked_first() -> None:
    pieces = ["the ", "(old (grey) cat) ", "sat ", "far ", "(from (here) (and now))\n"]
    text = "".join(np.random.default_rng(0).choice(pieces, 400))
    best, second, _ = bracket_counter(text).xray(text).find("brackets")
    assert best.unit == COUNTER
    assert best.share > 0.7 > second.share + 0.2
    assert best.chance < 0.2


def test_a_share_is_the_squared_correlation_and_chance_is_known() -> None:
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(["ab, ", "c, "], 500))
    noise = rng.standard_normal((len(text), 4)).astype(np.float32)
    space = np.array([[char == " "] for char in text], np.float32)
    vocabulary = Vocabulary.from_text(text)
    nothing = np.empty((len(text), 0))

    def find(values: Any, *features: str) -> list[Found]:
        units = {"hidden": np.stack([noise[:, :1].repeat(values.shape[1], 1), values], axis=1)}
        ids = vocabulary.encode(text)
        trace = Trace(vocabulary, ids, nothing[:, :0], nothing.astype(int), nothing, units)
        return trace.find(*features, top=2, layer=1)

    found = find(np.concatenate([noise, -3 * space + 7], axis=1))
    first, second = found[:2]
    assert (first.feature, first.layer, first.part, first.unit) == ("whitespace", 1, "hidden", 4)
    assert first.share == pytest.approx(1, abs=1e-3)
    expected = np.corrcoef(noise[:, second.unit], space[:, 0])[0, 1] ** 2
    assert second.share == pytest.approx(expected, abs=1e-4)
    shares = list(dict.fromkeys(it.share for it in found if it.unit == 4))
    assert shares == sorted(shares, reverse=True)
    names = {it.feature for it in found}
    assert names < {*FEATURES}
    assert names.isdisjoint({"digits", "capitals", "brackets"})  # they never vary
    alone, _ = find(noise, "whitespace")
    assert alone.share < 3 * alone.chance


@pytest.mark.parametrize(
    ("feature", "text", "numbers"),
    [
        ("quotes", 'a "b c" d', "001111000"), ("quotes", "it's 'so' ‘x’", "0000011100110"),
        ("brackets", "a(b[c])d)", "011111000"), ("line-position", "abc\nde", "123012"),
        ("indentation", "a\n  b\n\tc\n", "002222444"), ("digits", "a1b2", "0101"),
        ("capitals", "aBc", "010"), ("whitespace", "a \n", "011"),
        ("punctuation", "a,b ", "0100"), ("word-position", "ab, cde", "1200123"),
    ],
)  # fmt: skip
def test_a_feature_is_what_is_known_after_reading_the_character(
    feature: str, text: str, numbers: str
) -> None:
    assert "".join(f"{number:g}" for number in FEATURES[feature](text)) == numbers
