"""The page of a model writes and judges as the command line does, for whoever clicks."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Model, Vocabulary
from charrnn.checkpoint.header import Origin
from charrnn.export import export, html
from charrnn.export.html import facts, lede
from charrnn.generate.seen import is_seen, seen_pieces, seen_spans
from charrnn.ngrams.contexts import GROUPS
from charrnn.ngrams.kneser_ney import build_ngrams
from charrnn.training.state import initial_state
from tests.browser import browser_page
from tests.export.models import SHAPES, make_model
from tests.support import ROOT, call

PROBE = """texts => texts.map(text => {
  const { network, index } = charrnn.writer, state = network.zero();
  let logits = null;
  for (const character of text) logits = network.step(state, index.get(character));
  return Array.from(logits);
})"""


def page_of(model: Model, folder: Path, **options: Any) -> Path:
    path = folder / "m.html"
    path.write_bytes(export(model, "html", **options))
    return path


def done(page: Any) -> Any:
    """Wait for the end of the writing and return what was written."""
    page.get_by_role("button", name="Write").wait_for()
    return page.locator("#written")


def write(page: Any) -> str:
    page.get_by_role("button", name="Write").click()
    text: str = done(page).text_content()
    return text


def log_p(model: Model, texts: list[str]) -> Any:
    """Return log p of all characters after each text, (N, V)."""
    characters = model.vocabulary.characters
    return [[-(model.score(t + c).nats - model.score(t).nats) for c in characters] for t in texts]


def log_p_of(page: Any, texts: list[str]) -> Any:
    """Return the same as the page computes it."""
    logits = np.array(page.evaluate(PROBE, texts))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.mark.parametrize("ngram", [False, True])
def test_every_cell_expects_what_the_model_expects(ngram: bool, tmp_path: Path) -> None:
    texts = ["the cab,\n", "日é👩\u200d👧b\u0301 <&", "zz the captain zz"]
    with browser_page(page_of(make_model(), tmp_path)) as page:
        for shape in SHAPES if not ngram else ["gru-2-ensemble", "lstm"]:
            model = make_model(shape, ngram=ngram, strong=2)
            page_of(model, tmp_path)
            page.reload()
            found, expected = log_p_of(page, texts), log_p(model, texts)
            np.testing.assert_allclose(found, expected, atol=2e-3, err_msg=shape)


def test_what_is_clicked_is_what_the_command_line_writes(tmp_path: Path) -> None:
    model = make_model(ngram=True)
    for name in model.weights:
        if name.endswith("output.bias"):
            model.weights[name][model.vocabulary.index["."]] = -9  # one long sentence
    model.save(tmp_path / "m.npz")
    sample = ["sample", "-c", "m.npz", "--greedy", "--seed", "Abe é the", "--until-sentence"]
    expected = call(*sample, "-n", "300", cwd=tmp_path).out
    with browser_page(page_of(model, tmp_path)) as page:
        done(page)
        page.get_by_label("Begin with").fill("Abe é the")
        page.get_by_label("Length").fill("60")
        page.get_by_label("Temperature").fill("0")
        assert write(page)[:300] == expected[:300]


def test_characters_are_drawn_with_their_probabilities(tmp_path: Path) -> None:
    model, count = make_model(strong=3), 20_000
    p = np.exp(np.array(log_p(model, ["\nthe "])[0]) / 0.7)
    with browser_page(page_of(model, tmp_path)) as page:
        drawn = page.evaluate(
            """count => {
          const random = charrnn.makeRandom(1);
          return Array.from({ length: count },
            () => charrnn.writer.continued("the ", 0.7, random).next().value.character); }""",
            count,
        )
    counts = Counter(drawn)
    found = np.array([counts[char] for char in model.vocabulary.characters]) / count
    np.testing.assert_allclose(found, p / p.sum(), atol=4 * 0.5 / count**0.5)


def test_a_link_brings_the_same_text_again(tmp_path: Path) -> None:
    path = page_of(make_model(), tmp_path)
    with browser_page(path) as page:
        done(page)
        page.get_by_label("Begin with").fill("a&b=#'\"<é")
        page.get_by_label("Temperature").fill("0.65")
        page.get_by_label("Length").fill("77")
        text, link = write(page), page.url
        assert text.startswith("a&b'\"<é")
        assert "“\u2068=\u2069”, “\u2068#\u2069”" in page.get_by_role("alert").inner_text()
        assert write(page) != text
        page.goto("about:blank")
        page.goto(link)
        assert done(page).text_content() == text
        assert page.url == link
        # a hostile link is words and numbers like any other
        page.goto(f"{path.as_uri()}#prompt=<img src=x onerror=alert(1)>&amount=-9e99&seed=9x")
        assert "<img" in page.get_by_label("Begin with").input_value()
        done(page)
        assert page.locator("img").count() == 0


@pytest.mark.parametrize("lines", [False, True])
def test_a_text_to_write_like_is_remembered_as_by_the_model(lines: bool, tmp_path: Path) -> None:
    model = make_model(lines=lines, ngram=True, strong=2)
    like = "the bach and a cab\nthen the cabin and the bat\n" * 9
    start = model.with_memory(like).predictor.read(model.encode("\nthe c" if lines else "the c"))
    with browser_page(page_of(model, tmp_path)) as page:
        done(page)
        likely = page.evaluate(
            """like => {
          [...charrnn.writer.remember(like)];
          return charrnn.writer.continued("the c", 0, () => 0).next().value.likely; }""",
            like,
        )
        for char, p in likely:
            assert p == pytest.approx(np.exp(start.log_p[model.vocabulary.index[char]]), abs=0.01)
        page.get_by_label("In the manner of").fill(like)
        page.get_by_label("Temperature").fill("0.3")
        text, link = write(page), page.url
        assert "cab" in text
        page.goto("about:blank")
        page.goto(link)
        assert done(page).text_content() == text


def test_writing_can_be_stopped_and_begun_again_with_the_keyboard(tmp_path: Path) -> None:
    with browser_page(page_of(make_model("lstm-3"), tmp_path)) as page:
        done(page)
        page.get_by_label("Length").fill("20000")
        page.get_by_label("Begin with").press("Enter")
        page.get_by_role("button", name="Stop").click()
        stopped = done(page).text_content()
        assert len(stopped) < 20_000
        page.wait_for_timeout(100)
        assert done(page).text_content() == stopped
        page.get_by_label("Begin with").press("Enter")
        page.keyboard.press("Escape")
        done(page)


@pytest.mark.parametrize("lines", [False, True])
def test_surprise_is_that_of_the_score_command(lines: bool, tmp_path: Path) -> None:
    model = make_model(lines=lines, strong=2, ngram=True)
    text = "Abe é\n日日 b\u0301👩\u200d👧 zz <b>\n"
    expected = model.score(text.replace(">", ""))
    with browser_page(page_of(model, tmp_path)) as page:
        page.locator("#reading").fill(text)
        verdict = page.locator("#verdict", has_text="bits")
        verdict.wait_for()
        assert verdict.inner_text() == (
            f"{expected.bits_per_char:.3f} bits ({expected.nats_per_char:.3f} nats) per character, "
            f"perplexity {expected.perplexity:.2f}, over {expected.chars} characters. "
            "Never seen, and left out: “\u2068>\u2069”."
        )
        # seen as one character, and counted as one: the family, b with an accent
        shown = page.locator("#read .letter").all_inner_texts()
        assert {"👩\u200d👧", "b\u0301"} <= {*shown}
        assert "".join(shown).replace("\u21b5", "") == text
        page.locator("#read").press("ArrowRight")
        page.locator("#read").press("ArrowRight")
        told = page.locator("#read-readout").inner_text()
        assert "Expected:" in told
        if not lines:
            bits = model.score("Ab").bits_per_char
            assert f"“\u2068b\u2069”: {bits:.1f} bits" in told
            tint = sum(bits >= least for least in (1, 2, 4, 6, 9))
            assert f"level{tint}" in page.locator("#read .chosen").get_attribute("class")


def test_the_surprise_of_written_text_can_be_seen(tmp_path: Path) -> None:
    with browser_page(page_of(make_model(), tmp_path)) as page:
        done(page)
        page.get_by_label("Begin with").fill("Ab")
        text = write(page)
        assert page.locator("#written .letter").count() == 0
        page.get_by_label("Show surprise").check()
        letters = page.locator("#written .letter")
        assert "".join(letters.all_text_contents()) == text
        assert page.locator("#written .given").count() == 2
        letters.nth(5).hover()
        assert "Expected:" in page.locator("#readout").inner_text()
        page.get_by_label("Show surprise").uncheck()
        assert page.locator("#written").text_content() == text


def test_a_list_has_only_lines_that_are_new_and_different(tmp_path: Path) -> None:
    model = make_model(lines=True)
    model.save(tmp_path / "m.npz")
    every = ["sample", "-c", "m.npz", "--count", "400", "--random-seed", "7"]
    drawn = call(*every, cwd=tmp_path).out.splitlines()
    ids = model.vocabulary.encode("\n" + "\n".join(drawn[::2]) + "\n")
    model = replace(model, seen_pieces=(seen := seen_pieces(ids, model.vocabulary)))
    with browser_page(page_of(model, tmp_path)) as page:
        done(page)
        known = page.evaluate("lines => lines.map(line => charrnn.writer.isSeen(line))", drawn)
        assert known == [is_seen(seen, line) for line in drawn]
        page.get_by_label("How many").fill("60")
        page.get_by_label("Begin with").fill("a")
        page.get_by_role("button", name="Write").click()
        lines = done(page).locator("li").all_text_contents()
        assert len(set(lines)) == len(lines) == 60
        assert not any(is_seen(seen, line) for line in lines)
        assert all(line.startswith("a") for line in lines)
        assert "60 new entries" in page.locator("#readout").inner_text()
        page.get_by_label("None from the list").uncheck()
        page.get_by_label("Temperature").fill("0")
        page.get_by_role("button", name="Write").click()
        assert done(page).locator("li").count() <= 1


def test_what_is_copied_from_the_text_is_underlined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    with browser_page(page_of(model, tmp_path)) as page:
        cut = write(page)[50:150]
        spans = seen_spans(model.vocabulary.encode(cut), model.vocabulary)
        page_of(replace(model, seen_spans=spans), tmp_path)
        page.reload()  # the same text, because its seed is in the address
        assert done(page).locator(".copied").all_text_contents() == [cut[:96]]
        assert ", 96 copied from the text" in page.locator("#readout").inner_text()
        page.get_by_label("Show surprise").check()
        assert "".join(done(page).locator(".copied").all_text_contents()) == cut[:96]
    monkeypatch.setattr(html, "MAX_SPANS", 10)
    assert b'"spans.seen": {' not in export(replace(model, seen_spans=spans), "html")


HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{model}}<!--"


def test_nothing_that_is_said_becomes_part_of_the_page(tmp_path: Path) -> None:
    base = make_model()
    vocabulary = Vocabulary("".join(sorted({*HOSTILE, *"\0\r\n\u2028\u202e\ufeff"})))
    model = Model.of(base.config, vocabulary, initial_state(base.config, len(vocabulary)))
    path = page_of(model, tmp_path, title=HOSTILE)
    text = path.read_text(encoding="utf-8")
    assert text.count("</script") == text.count("<script") == 1
    assert "http" not in text.replace("http-equiv", "")
    with browser_page(path) as page:
        done(page)
        assert page.title() == page.locator("h1").inner_text() == HOSTILE
        assert HOSTILE in page.locator(".lede").inner_text()
        assert page.evaluate("charrnn.model.characters") == vocabulary.characters
        page.get_by_label("Begin with").fill(HOSTILE)
        page.locator("#reading").fill(HOSTILE)
        page.locator("#verdict", has_text="bits").wait_for()
        page.get_by_label("Show surprise").check()
        write(page)
        assert page.locator("img").count() == 0


@pytest.mark.parametrize("lines", [False, True])
def test_a_page_fits_a_phone_and_every_field_has_a_name(lines: bool, tmp_path: Path) -> None:
    path = page_of(make_model(lines=lines), tmp_path, title="W" * 60)
    with browser_page(path, width=340, height=700, scheme="dark") as page:
        done(page)
        page.get_by_label("Show surprise").check()
        page.locator("#reading").fill("a" * 200)
        page.locator("#verdict", has_text="bits").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 340
        unnamed = page.evaluate("""[...document.querySelectorAll("input, textarea, select")]
            .filter(field => !field.labels.length && !field.getAttribute("aria-labelledby"))
            .map(field => field.id)""")
        assert unnamed == []


def test_half_precision_is_half_the_size_and_the_page_itself_is_small(tmp_path: Path) -> None:
    model = make_model()
    full, half = (export(model, "html", half=half) for half in (False, True))
    weights = sum(array.size for array in model.weights.values())
    assert len(half) < len(full) - weights * 2 < 45_000 + weights * 4
    # a compact checkpoint is in half precision anyway, and nothing is lost by it
    (tmp_path / "m.npz").write_bytes(export(model, "compact"))
    rounded = Model.load(tmp_path / "m.npz")
    assert export(rounded, "html") == half
    with browser_page(page_of(model, tmp_path, half=True)) as page:
        np.testing.assert_allclose(log_p_of(page, ["cab"]), log_p(rounded, ["cab"]), atol=2e-3)


def test_openings_are_how_sentences_of_the_text_begin() -> None:
    text = (ROOT / "corpora/harbour.txt").read_text(encoding="utf-8")
    base, vocabulary = make_model(), Vocabulary.from_text(text)
    network = initial_state(base.config, len(vocabulary))
    network.networks[0].flat[...] = 0  # the n-grams alone speak
    model = Model.of(base.config, vocabulary, network)
    ids = vocabulary.encode(text)
    ngrams = build_ngrams(ids, len(vocabulary), 7, end=None, max_entries=200_000)
    model = replace(model, ngram=ngrams.with_weights(np.zeros(GROUPS), None))
    page = export(model, "html").decode()
    openings = json.loads(re.search(r'"openings": (\[.*?\])', page)[1])  # type: ignore[index]
    flat = " ".join(text.split())
    assert len(openings) == 4
    assert len({opening.split()[0] for opening in openings}) == 4
    assert all(" ".join(opening.split()[:2]) in flat for opening in openings)
    assert all(opening[0].isupper() for opening in openings)


def test_what_is_said_of_a_model_is_true() -> None:
    model = make_model("lstm-3")
    assert "learned from “x”" in lede(model, "x")
    assert "Loss on held-out text" not in facts(model, half=False)
    progress = replace(model.progress, best_val_loss=1.5, seconds=90)
    model = replace(model, progress=progress, origin=Origin(("t.txt",), 0, 1, "french"))
    model.vocabulary.counts[:] = 1234
    told, weights = facts(model, half=True), sum(a.size for a in model.weights.values())
    assert told["Network"] == f"LSTM, 3 layers of 24 units, {weights:,} weights in half precision"
    assert told["Loss on held-out text"].startswith("1.500 nats (2.16 bits) per character")
    assert told["Trained for"] == "1.5 minutes"
    total = 1234 * len(model.vocabulary)
    assert f"read {round(total, -3):,} characters of “Moby-Dick”" in lede(model, "Moby-Dick")
    assert b'<textarea id="prompt" rows="2" lang="fr"' in export(model, "html")


def test_exploded_weights_are_told(tmp_path: Path) -> None:
    model = make_model("rnn-relu-2")
    model.weights["weight_hh_l0"][...] = 1e30
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_role("alert").filter(has_text="exploded").wait_for()
