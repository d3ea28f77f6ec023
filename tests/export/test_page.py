"""The page of a model writes and judges as the command line does, for whoever clicks."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Model
from charrnn.checkpoint.header import Origin
from charrnn.export import export, html
from charrnn.export.html import facts, lede
from charrnn.generate.seen import seen_pieces, seen_spans
from charrnn.ngrams.contexts import GROUPS
from charrnn.ngrams.kneser_ney import build_ngrams
from tests.export.models import READ, SHAPES, make_model
from tests.support import ROOT, call

Visit = Callable[..., Any]
both = pytest.mark.parametrize("lines", [False, True])
PROMPTS = ["the cab,\n", "日é👩\u200d👧b\u0301 <&", "zz the captain zz", "of the c", ""]


def done(page: Any) -> Any:
    """Wait for the end of the writing and return what was written."""
    page.get_by_role("button", name="Write").wait_for()
    return page.locator("#written")


def write(page: Any, **fields: object) -> str:
    """Fill fields by their label, write, and return the text."""
    done(page)
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " ")).fill(str(value))
    page.get_by_role("button", name="Write").click()
    text: str = done(page).text_content()
    return text


def expects_the_same(page: Any, model: Model, prompts: list[str], like: str = "") -> None:
    """Require that a page expects after each prompt what the model does."""
    script = """([prompts, like]) => {
      const { remember, continued } = charrnn.writer;
      [...remember(like)];
      return prompts.map(prompt => continued(prompt, 0, () => 0).next().value.likely);
    }"""
    predictor = (model.with_memory(like) if like else model).predictor
    for prompt, likely in zip(prompts, page.evaluate(script, [prompts, like]), strict=True):
        sentence = not prompt and model.config.data.end is None  # one begins
        ids = model.encode(". ") if sentence else model.encode_prompt(prompt)
        p = np.exp(predictor.read(ids).log_p)
        expected = [p[model.vocabulary.index[char]] for char, _ in likely]
        np.testing.assert_allclose(expected, np.sort(p)[:-4:-1], rtol=1e-3, err_msg=prompt)
        np.testing.assert_allclose([share for _, share in likely], expected, rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_cell_expects_what_the_model_expects(shape: str, visit: Visit) -> None:
    model = make_model(shape, ngram=shape in {"gru-2-ensemble", "lstm"}, strong=2)
    expects_the_same(visit(export(model, "html")), model, PROMPTS)


def test_half_precision_is_half_the_size_down_to_the_tiniest_numbers(
    visit: Visit, tmp_path: Path
) -> None:
    model = make_model("rnn-relu-2")
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        model.weights[name][...] *= 2.0**-14  # subnormal numbers
    model.weights["weight_ih_l1"] *= 2**14
    full, half = (export(model, "html", half=half) for half in (False, True))
    weights = sum(array.size for array in model.weights.values())
    assert len(half) < len(full) - weights * 2 < 45_000 + weights * 4
    # A compact checkpoint is in half precision anyway, and nothing is lost by it.
    (tmp_path / "m.npz").write_bytes(export(model, "compact"))
    rounded = Model.load(tmp_path / "m.npz")
    assert export(rounded, "html") == half
    expects_the_same(visit(half), rounded, PROMPTS)


@both
def test_a_text_to_write_like_and_the_prompt_are_remembered(lines: bool, visit: Visit) -> None:
    model = make_model(lines=lines, ngram=True, strong=2)
    for name in ("m0.bias_ih_l0", "m1.bias_ih_l0"):
        model.weights[name][24:48] += 4  # it forgets little
    page = visit(export(model, "html"))
    done(page)
    prompts = ["the c", "b", "the cabin and Abe, Abe, Abe, Ab", "the c", ""]
    expects_the_same(page, model, prompts, "the bach and a cab\n\nthen the cabin and the bat\n" * 9)
    expects_the_same(page, model, prompts)


def test_what_is_clicked_is_what_the_command_line_writes(visit: Visit, tmp_path: Path) -> None:
    model = make_model("lstm", ngram=True, strong=2)
    model.save(tmp_path / "m.npz")
    sample = ["sample", "-c", "m.npz", "--greedy", "--seed", "Abe é the", "--until-sentence"]
    page = visit(export(model, "html"))
    fields = {"Begin_with": "Abe é the", "Temperature": 0}
    cab, bed = "the cab is bad. " * 9, "the bed is black. " * 9
    for length, like in ((16, ""), (40, ""), (40, cab), (40, bed), (40, "")):  # to a sentence's end
        (tmp_path / "like.txt").write_text(like)
        words = [*sample, "-n", str(length), *(["--like", "like.txt"] if like else [])]
        text = write(page, **fields, Length=length, In_the_manner_of=like)
        assert text == call(*words, cwd=tmp_path).out.removesuffix("\n")
    # of one that never ends, 400 characters more
    model = make_model(ngram=True, strong=2)
    text = write(visit(export(model, "html")), **fields, Length=60)
    assert text == model.sample("Abe é the", 460, greedy=True)
    # code ends with a line
    model.vocabulary.counts[model.vocabulary.index["<"]] = 10
    data, address = export(model, "html"), "#prompt=Abe&temperature=1&seed=1&amount="
    text = done(visit(data, f"{address}30")).text_content()
    longer = done(visit(data, f"{address}{len(text) - 2}")).text_content()
    assert longer.startswith(f"{text}\n")


def test_characters_are_drawn_with_their_probabilities(visit: Visit) -> None:
    model, count = make_model(strong=3), 8_000
    p = np.exp(model.predictor.read(model.encode_prompt("the ")).log_p / 0.5)
    p /= p.sum()
    script = """count => {
      const random = charrnn.makeRandom(1);
      const draw = () => charrnn.writer.continued("the ", 0.5, random).next().value.character;
      return Array.from({ length: count }, draw);
    }"""
    counts = Counter(visit(export(model, "html")).evaluate(script, count))
    found = np.array([counts[char] for char in model.vocabulary.characters]) / count
    assert (abs(found - p) < 5 * np.sqrt(p * (1 - p) / count) + 2 / count).all()


def test_a_link_brings_the_same_text_again(visit: Visit) -> None:
    page = visit(export(make_model(), "html"))
    fields = {"Begin_with": "a&b=#'\"<é", "In_the_manner_of": "the cab of abe $" * 9}
    text, link = write(page, **fields, Temperature=0.55, Length=77), page.url
    assert text.startswith("a&b'\"<é")
    assert "0.55, careful" in page.locator("#warmth").inner_text()
    note = page.get_by_role("alert").inner_text()
    assert note == "Never seen, and left out: “\u2068=\u2069”, “\u2068#\u2069”, “\u2068$\u2069”."
    assert write(page) != text
    page.goto("about:blank")
    page.goto(link)
    assert done(page).text_content() == text
    assert page.url == link
    # a hostile link is words and numbers like any other
    hostile = "#prompt=<img src=x onerror=alert(1)>&amount=-9e99&seed=9x"
    page.goto(link.partition("#")[0] + hostile)
    done(page)
    assert page.locator("img").count() == 0
    assert re.search(r"#prompt=%3Cimg.*&amount=1&like=[^&]*&seed=\d+&", page.url)


def test_writing_can_be_stopped_and_begun_again_with_the_keyboard(visit: Visit) -> None:
    page = visit(export(make_model("lstm-3"), "html"))
    first, prompt = done(page).text_content(), page.get_by_label("Begin with")
    page.get_by_label("Length").fill("20000")
    prompt.press("Shift+Enter")  # begins a line
    prompt.dispatch_event("keydown", {"key": "Enter", "isComposing": True})  # chooses a character
    assert done(page).text_content() == first
    prompt.press("Enter")
    page.get_by_role("button", name="Stop").click()
    stopped = done(page).text_content()
    page.wait_for_timeout(100)
    assert done(page).text_content() == stopped
    prompt.press("Enter")
    page.keyboard.press("Escape")
    assert len(stopped + done(page).text_content()) < 20_000


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390), (1280, 800)])
def test_a_reader_sees_what_is_being_written(width: int, height: int, visit: Visit) -> None:
    page = visit(export(make_model(), "html"), width=width, height=height)
    done(page)
    button, length = page.get_by_role("button", name="Write"), page.get_by_label("Length")
    for press in (button.click, lambda: length.press("Enter")):
        press()
        assert -9 < done(page).bounding_box()["y"] < height - 180


@both
def test_surprise_is_that_of_the_score_command_and_fits_a_phone(lines: bool, visit: Visit) -> None:
    model = make_model(lines=lines, strong=2, ngram=True, normalize="NFC")
    text = "Abe é\n日日 b\u0301👩\u200d👧 zz <b>" + "a" * 60
    expected = model.score(text.replace(">", ""))
    page = visit(export(model, "html", title="W" * 60), width=340, height=700)
    done(page)
    page.get_by_label("Show surprise").check()
    page.locator("#reading").fill(text.replace("é", "e\u0301") + "\t\U000e0001\u0316")
    verdict = page.locator("#verdict", has_text="bits")
    verdict.wait_for()
    assert verdict.inner_text() == (
        f"{expected.bits_per_char:.3f} bits ({expected.nats_per_char:.3f} nats) per character, "
        f"perplexity {expected.perplexity:.2f}, over {expected.chars} characters. "
        "Never seen, and left out: “\u2068>\u2069”, tab, U+E0001, “\u2068\u25cc\u0316\u2069”."
    )
    # seen as one character, and counted as one: the family, b with an accent
    shown = page.locator("#read .letter").all_inner_texts()
    assert {"👩\u200d👧", "b\u0301"} <= {*shown}
    assert "".join(shown).replace("\u21b5", "").startswith(text)
    for key in ("Right", "Left", "Left", "Right"):  # it stays at the beginning
        page.locator("#read").press(f"Arrow{key}")
    chosen = page.locator("#read .chosen").get_attribute("class")  # the only one
    if not lines:
        bits, p = (
            model.score("Ab").bits_per_char,
            np.exp(model.predictor.read(model.encode("A")).log_p),
        )
        b, e, space, a = (f"{100 * p[model.vocabulary.index[char]]:.1f} %" for char in "be a")
        assert page.locator("#read-readout").inner_text() == (
            f"“\u2068b\u2069”: {bits:.1f} bits, {b} likely. "
            f"Expected: “\u2068e\u2069” {e}, space {space}, “\u2068a\u2069” {a}."
        )
        assert f"level{sum(bits >= least for least in (1, 2, 4, 6, 9))}" in chosen
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    unnamed = page.evaluate("""[...document.querySelectorAll("input, textarea, select")]
        .filter(field => !field.labels.length && !field.getAttribute("aria-labelledby"))
        .map(field => field.id)""")
    assert unnamed == []


def test_what_is_surprising_or_copied_can_be_seen(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, address = make_model(), "#prompt=Abe&amount=300&seed=3"
    text = done(visit(export(model, "html"), address)).text_content()
    spans = None
    for seen in (READ[:300], text[:100] + text[200:231]):  # a copy has 32 characters or more
        spans = seen_spans(model.encode(seen), model.vocabulary, spans)
    model = replace(model, seen_spans=spans)
    page = visit(export(model, "html"), address)
    # but for the prompt, which is in another color
    copied, readout = done(page).locator(".copied"), page.locator("#readout")
    assert copied.all_text_contents() == [text[3:96]]
    nats = model.score(f"\n{text}").nats - model.score("\nAbe").nats  # a prompt begins a line
    assert readout.inner_text() == (
        f"{len(text) - 3} characters, {nats / np.log(2) / (len(text) - 3):.2f} bits each, "
        "93 copied from the text it read (underlined)"
    )
    page.get_by_label("Show surprise").check()
    letters = page.locator("#written .letter")
    assert "".join(letters.all_text_contents()) == text
    assert "".join(copied.all_text_contents()) == text[3:96]
    assert page.locator("#written .given").count() == 3
    letters.nth(5).hover()
    assert "Expected:" in readout.inner_text()
    page.get_by_label("Show surprise").uncheck()
    assert page.locator("#written").text_content() == text
    assert letters.count() == 0
    monkeypatch.setattr(html, "MAX_SPANS", 10)
    assert b'"spans.seen": {' not in export(model, "html")


def test_a_list_has_only_lines_that_are_new_and_different(visit: Visit) -> None:
    model, address = make_model(lines=True), "#prompt=a%0A&amount=60&seed=3"
    every = done(visit(export(model, "html"), address)).locator("li").all_text_contents()
    assert len(set(every)) == len(every) == 60
    assert all(line.startswith("a") for line in every)
    ids = model.vocabulary.encode("\n" + "\n".join(every[::2]) + "\n")
    model = replace(model, seen_pieces=seen_pieces(ids, model.vocabulary))
    page = visit(export(model, "html"), address)
    lines = done(page).locator("li").all_text_contents()
    assert lines[:30] == every[1::2]
    assert page.locator("#readout").inner_text() == "60 new entries"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for button, copied in (("#copy", "".join(f"{it}\n" for it in lines)), ("#link", page.url)):
        page.locator(button).click()
        page.locator(button, has_text="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == copied
    assert max(map(len, lines)) > 10
    page.get_by_label("None from the list").uncheck()
    page.evaluate("charrnn.model.end = 'never'")  # a line that does not end is refused
    write(page, Temperature=0)
    assert page.locator("li").count() == 0
    page.reload()  # the choice is in the address
    assert not page.get_by_label("None from the list").is_checked()


HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{model}}<!--"


def test_nothing_that_is_said_becomes_part_of_the_page(visit: Visit) -> None:
    model = make_model(characters=HOSTILE + "\0\r\n\u2028\u202e\ufeff")
    data = export(model, "html", title=HOSTILE)
    assert data.count(b"</script") == data.count(b"<script") == 1
    assert data.count(b"http") == data.count(b"http-equiv")
    assert b"default-src 'none'" in data
    page = visit(data)
    done(page)
    assert page.title() == page.locator("h1").inner_text() == HOSTILE
    assert HOSTILE in page.locator(".lede").inner_text()
    assert page.evaluate("charrnn.model.characters") == model.vocabulary.characters
    page.locator("#reading").fill(HOSTILE)
    page.locator("#verdict", has_text="bits").wait_for()
    page.get_by_label("Show surprise").check()
    write(page, Begin_with=HOSTILE)
    assert page.locator("img").count() == 0


@both
def test_openings_are_how_sentences_or_lines_of_the_text_begin(
    lines: bool, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "dinosaurs" if lines else "harbour"
    text = (ROOT / f"corpora/{name}.txt").read_text(encoding="utf-8")
    model = make_model(characters=text, lines=lines)
    V, end = len(model.vocabulary), model.vocabulary.index["\n"] if lines else None
    ngrams = build_ngrams(model.vocabulary.encode(text), V, 7, end=end)
    model = replace(model, ngram=ngrams.with_weights(np.zeros(GROUPS), None))  # they alone speak
    page = visit(export(model, "html"))
    openings = page.locator("#openings button").all_text_contents()
    firsts = {opening[0] if lines else opening.split()[0] for opening in openings}
    assert len(openings) == len(firsts) == 4
    assert all(len(it) == 2 if lines else len(it.split()) == 2 for it in openings)
    assert all(it in " ".join(text.split()) and it[0].isupper() for it in openings)
    page.get_by_role("button", name=openings[3]).click()
    assert done(page).text_content().startswith(openings[3])
    monkeypatch.setattr("charrnn.export.openings.DRAWN", 3)  # of which none is the same each time
    assert b'"openings": []' in export(model, "html")


def test_what_is_said_of_a_model_is_true() -> None:
    model = make_model("lstm-3")
    assert "learned from “x”" in lede(model, "x")
    assert "Loss on held-out text" not in facts(model, half=False)
    progress = replace(model.progress, best_val_loss=1.5, seconds=90)
    model = replace(model, progress=progress, origin=Origin(("t.txt",), 0, 1, "french"))
    model.vocabulary.counts[:] = 1234
    told, weights = facts(model, half=True), sum(a.size for a in model.weights.values())
    assert told["Network"] == f"LSTM, 3 layers of 25 units, {weights:,} weights in half precision"
    assert told["Loss on held-out text"].startswith("1.500 nats (2.16 bits) per character")
    assert told["Trained for"] == "1.5 minutes"
    assert "read 57,000 characters of “Moby-Dick”" in lede(model, "Moby-Dick")  # 46 * 1234
    page = export(model, "html", title="\udcff")  # of a file's name that is not UTF-8
    assert b"<title>\\udcff</title>" in page
    assert b'<textarea id="prompt" rows="2" lang="fr"' in page
    assert b'"code": true' in page  # of 46 characters, < and /
    model.vocabulary.counts[model.vocabulary.index["<"]] = 0
    assert b'"code": false' in export(model, "html")


def test_exploded_weights_are_told(visit: Visit) -> None:
    model = make_model("rnn-relu-2")
    model.weights["weight_hh_l0"][...] = 1e30
    page = visit(export(model, "html"))
    page.get_by_role("alert").filter(has_text="exploded").wait_for()
