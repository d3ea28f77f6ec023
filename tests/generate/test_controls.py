"""Controls: where a text ends and what it is made of, whatever the model would write."""

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import ConfigError, Model
from charrnn.config import ControlConfig
from charrnn.generate import contain as contain_module
from charrnn.generate import sample
from charrnn.generate.controls import Rule, end_before, end_of_sentence
from charrnn.models import model as model_module
from charrnn.parallel.machine import can_fork
from tests.generate.models import CHARACTERS, LINES, MODEL, make_model, make_network, write

SEEDS = st.integers(0, 10_000)
STOPS = st.lists(st.text(st.sampled_from("ab."), min_size=1, max_size=3), max_size=3)
# Of a list of names: spaces do not separate words.
NAMES = make_model(CHARACTERS + "abc\n" * 40, separator="\n")


def read(rule: Rule, text: str) -> tuple[str, str | None]:
    """Return what a rule lets pass of a text that goes on, and why it ends."""
    released, verdict = 0, next(rule)
    for size, char in enumerate(text, 1):
        verdict = rule.send(char)
        if verdict.ended:
            assert size - verdict.uncertain >= released, "what was released is cut"
            return text[: size - verdict.uncertain], verdict.ended
        released = size - verdict.uncertain
    return text[:released], None


@given(STOPS, SEEDS, st.integers(0, 60), st.sampled_from([MODEL, LINES]))
def test_a_text_is_the_free_one_up_to_the_first_stop_text_or_the_end_of_its_line(
    stops: list[str], random_seed: int, length: int, model: Model
) -> None:
    whole, _ = write(MODEL, length, random_seed=random_seed)
    text, ended = write(model, length, random_seed=random_seed, stop=stops and (*stops, "é"))
    ends = [*stops, "\n"] if model is LINES else stops
    first = min((whole.index(it) + len(it) for it in ends if it in whole), default=None)
    if first is None:
        assert (text, ended) == (whole, "length")
    else:
        cut = max(len(it) for it in ends if whole[:first].endswith(it))
        assert text == whole[: first - cut]
        assert ended == ("piece" if whole[first - 1] == "\n" else "stop")


def test_only_a_text_that_a_stop_text_ends_is_long_unless_said() -> None:
    rules: Any = ({}, {"stop": ("a",)}, {"stop": ("a",), "until_sentence": True})
    assert [MODEL.default_length(ControlConfig(**it)) for it in rules] == [200, 10_000, 200]


def test_all_is_released_at_once_that_no_stop_text_can_cut() -> None:
    passed = [read(end_before(["abc"], "stop"), "aababcc"[:size])[0] for size in range(1, 8)]
    assert passed == ["", "a", "a", "aab", "aab", "aab", "aab"]


@pytest.mark.parametrize(
    ("charset", "members"),
    [("a-c", "abc"), (r"\n.", "\n."), (r"\d", "019"), ("a-", "a"), ("]é-ëa", "a"),
     (r"^\x61A-Zbc", "\n .019!?。”")],
)  # fmt: skip
def test_a_text_has_the_characters_of_the_set_that_is_inside_the_brackets_of_a_class(
    charset: str, members: str
) -> None:
    assert set(write(MODEL, 300, charset=charset, temperature=50)[0]) == set(members)
    for settings in ({"temperature": 0}, {"temperature": 1, "top_k": 2}):
        text, _ = write(MODEL, 30, charset=charset, **settings)
        assert len(text) == 30
        assert set(text) <= set(members)
    sure = make_network()  # holds all but one character impossible
    sure.params["output.bias"][CHARACTERS.index("a")] = 1e4
    text, _ = write(make_model(network=sure), 200, charset=charset)
    assert set(text) == ({"a"} if "a" in members else set(members))


def test_what_is_not_a_set_is_refused() -> None:
    for charset, complaint in (("z-a", "bad character range"), ("a]b", "not a set")):
        with pytest.raises(ConfigError, match=complaint):
            write(charset=charset)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("ab. cd ef.| gh", 5),
        ("ab.| cd", 3),
        ("ab. |cd", 4),
        ("ab 3.14 cd!| ef", 3),
        ("ab.”| cd", 1),
        ("ab。cd。”|ef", 4),
        ("ab?!| cd", 0),
        ("ab.|\n\ncd", 2),
        ("كيف؟| لا", 1),
        ("वह है।| वह", 1),
    ],
)
def test_a_text_goes_on_until_the_end_of_the_sentence(text: str, length: int) -> None:
    whole, _, _ = text.partition("|")
    assert read(end_of_sentence(length, 99), text.replace("|", "")) == (whole, "sentence")


def test_where_no_sentence_ends_a_text_is_cut_after_the_last_one() -> None:
    for text, expected in (("ab. cd. ef ", "ab. cd."), ("abcdefghijk", "abcdefghijk")):
        assert read(end_of_sentence(9, 11), text) == (expected, "length")


@given(SEEDS, st.integers(0, 30))
def test_a_text_until_the_end_of_a_sentence_is_the_free_one_cut_there(
    random_seed: int, length: int
) -> None:
    text, ended = write(MODEL, length, random_seed=random_seed, until_sentence=True)
    assert text == write(MODEL, len(text), random_seed=random_seed)[0]
    assert ended == "sentence"
    assert len(text) >= length
    assert re.search(r"([.!?][”]*|。[”.!?。]*)\s*$", text)


@given(SEEDS, st.sampled_from([{"charset": "a-c"}, {"match": "[^x]*"}]))
def test_a_line_ends_at_a_line_break_whatever_its_characters(
    random_seed: int, rules: dict[str, Any]
) -> None:
    text, ended = write(LINES, 1000, random_seed=random_seed, **rules)
    assert "\n" not in text
    assert ended == ("match" if "match" in rules else "piece")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("model", "rules"),
    [
        (MODEL, {}),
        (MODEL, {"length": 0}),
        (LINES, {"min_length": 0}),  # with empty lines
        (MODEL, {"stop": "a"}),
        (MODEL, {"stop": "a", "no_repeat": 2}),
        (MODEL, {"match": "[a-c ]*!"}),
        (MODEL, {"contain": "ab"}),
        (LINES, {"charset": "^a", "length": 0, "min_length": 0}),
    ],
)
def test_whole_samples_are_those_of_the_stream_from_any_number_of_processes(
    model: Model, rules: dict[str, Any], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "AT_ONCE", 3)  # so that others begin where some have ended
    count = workers if can_fork() else 1
    monkeypatch.setattr(model_module, "sampling_workers", lambda _: count)
    settings: Any = {"length": 30, "random_seed": 3, **rules}
    drawn = list(model.samples("", 14, first=2, log_p=True, **settings))
    for index, whole in enumerate(drawn, 2):
        assert write(model, first=index, **settings) == (whole.text, whole.ended)
        # The end of a line does not count.
        nats = MODEL.score(f"\n{whole.text}").nats if whole.text else 0
        assert whole.log_p == pytest.approx(-nats, rel=1e-4, abs=1e-5)
    assert len(drawn) == 14


def find_place(model: Model, text: str, length: int, index: int) -> str:
    """Return the beginning of a sample after which a text is likeliest, of 16 drafts."""
    words, found = model is not NAMES, {"": -np.inf}
    drafts = model.samples("", 16, length=length, first=16 * index, min_length=0, random_seed=5)
    for draft, size in product(drafts, range(length - len(text) + 1)):
        before = draft.text[:size]
        if size > len(draft.text) or (words and size and not before[-1].isspace()):
            continue
        after = np.exp(model.predictor.read(model.encode_prompt(before + text)).log_p)
        may_end = [not (words and text[-1].isalnum() and it.isalnum()) for it in CHARACTERS]
        nats = MODEL.score(f"\n{before}{text}").nats
        nats -= MODEL.score(f"\n{before}").nats if before else 0
        found[before] = np.log(after[may_end].sum()) - nats
    return max(found, key=found.__getitem__)


@pytest.mark.parametrize("model", [MODEL, LINES, NAMES])
@pytest.mark.parametrize("text", ["ab", "C", "a."])
def test_a_text_is_put_where_a_word_begins_at_which_it_is_likeliest(
    model: Model, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contain_module, "_AT_ONCE", 5)
    for index in range(3):
        written, _ = write(model, 18, random_seed=5, first=index, contain=text)
        before = find_place(model, text, 18, index)
        assert written.startswith(before + text)
        assert len(written) == 18 if model is MODEL else "\n" not in written
        rest = written.removeprefix(before + text)
        assert model is NAMES or not rest or not (text[-1] + rest[0]).isalnum()


@pytest.mark.parametrize(
    "rules",
    [
        {"charset": "abc \n", "stop": ["ab"]},
        {"charset": "abc \n", "stop": ["bab", " a"]},
        {"stop": ["ca "], "no_repeat": 4},
        {"stop": ["a."], "until_sentence": True},
    ],
)
def test_the_rules_hold_for_the_whole_of_a_sample_that_contains_a_text(rules: Any) -> None:
    for seed in range(20):
        text, ended = write(MODEL, 15, random_seed=seed, contain="a", **rules)
        assert "a" in text
        assert not any(stop in text for stop in rules["stop"])
        assert set(text) <= set(rules.get("charset", CHARACTERS))
        assert ended in ("stop", "sentence" if "until_sentence" in rules else "length")
        if ended == "sentence":
            assert len(text) >= 15
            assert re.search(r"[!?.][.?!”]*\s?$|[。！][.?!”。]*$", text)


@pytest.mark.parametrize(
    ("model", "text", "rules", "complaint"),
    [
        (MODEL, "aAb", {"charset": "a-z "}, "no sample contains 'aAb': 'A' ends"),
        (MODEL, "abc", {"stop": ("C", "bc")}, "no sample contains 'abc': 'bc' ends"),
        (MODEL, "ab", {"stop": "b", "no_repeat": 5}, "no sample contains 'ab': 'b' ends"),
        (LINES, "a\nb", {}, r"no sample contains 'a\\nb'"),
        # whatever follows the a completes a stop text
        (MODEL, "a", {"charset": "ab", "stop": ("ca", "aa", "ab")}, "'a' overlaps a stop text"),
        (MODEL, "a" * 21, {}, "longer than the 20 characters of a sample"),
        (MODEL, "Q", {}, "does not know 'Q'"),
        (MODEL, "", {}, "at least one character"),
    ],
)
def test_a_text_that_no_sample_can_contain_is_refused(
    model: Model, text: str, rules: Any, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        write(model, 20, contain=text, **rules)


def test_a_text_that_is_contained_may_be_all_there_is() -> None:
    for length in (3, 20):  # where drafts have more places than are tried
        assert write(NAMES, length, contain="A" * length)[0] == "A" * length


def test_texts_that_are_said_are_normalized_as_the_model_is() -> None:
    letters = "\nabé"
    model = make_model(letters, normalize="NFC")
    for said in ("é", "e\N{COMBINING ACUTE ACCENT}"):
        assert write(model, 200, stop=said)[1] == "stop"
        assert "ébé" in write(model, 200, contain=f"{said}b{said}")[0]
        assert all("é" not in it.text for it in model.complete("a", stop=said))


def test_what_follows_a_contained_text_is_drawn_apart_from_the_drafts_before_it() -> None:
    blind = make_network()
    blind.flat[:] = 0  # all texts are equally likely, so that the first place is the best
    model = make_model(network=blind)
    drafts = [it.text for it in model.samples("", 48, length=19, random_seed=1)]
    drawn = [it.text for it in model.samples("", 3, length=20, contain="a", random_seed=1)]
    assert [text[0] for text in drawn] == ["a"] * 3
    assert len(set(drawn)) == 3
    assert not {text[1:] for text in drawn} & set(drafts)
