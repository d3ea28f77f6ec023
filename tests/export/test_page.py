"""The page of a model writes and judges as the command line does, for whoever clicks."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Config, DataConfig, Model, ModelConfig, Vocabulary
from charrnn.errors import ConfigError
from charrnn.export import export
from charrnn.export.page.facts import facts, lede
from charrnn.export.page.model import described
from charrnn.randomness import Purpose, generator
from charrnn.text.seen import is_seen, seen_lines
from charrnn.training.next_character import initial_state
from tests.browser import browser_page
from tests.support import call, fails

LETTERS = "\n abcdefghijklmnopqrstuvwxyzABCDE.,'é日👩\u200d👧\u0301<&\"/"
SHAPES: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn"},
    "rnn-relu-2": {"cell": "rnn", "nonlinearity": "relu", "layers": 2},
    "gru": {"cell": "gru"},
    "gru-2-ensemble": {"cell": "gru", "layers": 2, "members": 4},
    "lstm-ensemble": {"cell": "lstm", "members": 2},
    "lstm-3": {"cell": "lstm", "layers": 3},
}


def made(shape: str = "lstm-ensemble", *, lines: bool = False, strong: float = 4) -> Model:
    """Return a model with random weights that are far from zero, so that each draw counts."""
    vocabulary = Vocabulary("".join(sorted(set(LETTERS))))
    config = Config(
        model=ModelConfig(hidden_size=20, **SHAPES[shape]),
        data=DataConfig(lines=lines, seq_length=12),
    )
    state = initial_state(config, len(vocabulary))
    if config.model.nonlinearity == "tanh":  # relu has no bound
        state.network.flat *= strong
    return Model.of(config, vocabulary, state)


def page_of(model: Model, folder: Path, **options: Any) -> Path:
    path = folder / "m.html"
    path.write_bytes(export(model, "html", **options))
    return path


def sampled(model: Model, folder: Path, *options: str) -> str:
    model.save(folder / "m.npz")
    done = call("sample", "-c", "m.npz", *options, cwd=folder)
    assert done.returncode == 0, done.err
    return done.out


def write(page: Any) -> str:
    """Press Write, wait for the end and return the text."""
    page.get_by_role("button", name="Write").click()
    return written(page)


def written(page: Any) -> str:
    page.locator("#status", has_text="seed").wait_for()
    text: str = page.locator("#written .plain").text_content()
    return text


def test_what_is_clicked_is_what_the_command_line_writes(tmp_path: Path) -> None:
    model = made()
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_label("Begin with").fill("Abe é")
        page.get_by_label("Characters").fill("300")
        page.get_by_label("Temperature").fill("0")
        assert write(page) + "\n" == sampled(
            model, tmp_path, "--seed", "Abe é", "--greedy", "-n", "300"
        )
        page.get_by_label("Temperature").fill("1.1")
        page.get_by_text("More settings").click()
        page.get_by_label("Seed").fill(str(2**62 + 7))
        with_seed = ["--seed", "Abe é", "-t", "1.1", "-n", "300", "--random-seed", str(2**62 + 7)]
        first = write(page)
        assert first + "\n" == sampled(model, tmp_path, *with_seed)
        page.get_by_label("Top k").fill("9")
        page.get_by_label("Top p").fill("0.8")
        narrow = write(page)
        assert narrow + "\n" == sampled(
            model, tmp_path, *with_seed, "--top-k", "9", "--top-p", "0.8"
        )
        assert narrow != first
        page.get_by_label("Seed").fill("-3")
        page.get_by_role("button", name="Write").click()
        assert "whole number" in page.get_by_role("alert").inner_text()


def test_a_text_that_was_paused_or_continued_is_the_same(tmp_path: Path) -> None:
    model = made()
    with browser_page(page_of(model, tmp_path)) as page:
        written(page)
        page.get_by_text("More settings").click()
        page.get_by_label("Seed").fill("5")
        page.get_by_label("Pace").select_option("unhurried")
        page.get_by_label("Characters").fill("60")
        page.get_by_role("button", name="Write").click()
        page.get_by_role("button", name="Pause").click()
        page.locator("#status", has_text="paused").wait_for()
        held = page.locator("#written .plain").text_content()
        assert len(held) < 60
        page.get_by_role("button", name="Continue").click()
        whole = written(page)
        assert whole.startswith(held)
        page.locator("#hold", has_text="Continue").click()
        longer = written(page)
        assert longer + "\n" == sampled(model, tmp_path, "-n", "120", "--random-seed", "5")
        assert longer.startswith(whole)
        assert "length=120" in page.url
        # with the keyboard, and to a stop
        page.get_by_label("Characters").fill("5000")
        page.get_by_label("Begin with").press("Control+Enter")
        page.get_by_role("button", name="Stop").click()
        assert len(written(page)) < 5000
        page.get_by_role("button", name="Write").click()
        page.keyboard.press("Escape")
        page.locator("#status", has_text="paused").wait_for()


def test_a_link_brings_the_same_text_again(tmp_path: Path) -> None:
    path = page_of(made(), tmp_path)
    with browser_page(path) as page:
        written(page)
        page.get_by_label("Begin with").fill("a&b=#'\"<é")
        page.get_by_label("Temperature").fill("0.65")
        page.get_by_label("Characters").fill("77")
        text, link = write(page), page.url
        assert "never seen" in page.get_by_role("alert").inner_text()  # the sign =
        assert text.startswith("ab'\"<é"[:1])
        page.goto("about:blank")
        page.goto(link)
        assert written(page) == text
        again = page.url
        assert again == link
        # a hostile link is words and numbers like any other
        page.goto(
            path.as_uri() + "#prompt=<img src=x onerror=alert(1)>&length=-9e99&top-k=-1&top-p=x"
            "&seed=99999999999999999999&temperature=NaN"
        )
        assert "<img" in page.get_by_label("Begin with").input_value()
        written(page)
        assert page.locator("img").count() == 0


def test_without_a_worker_or_webassembly_the_text_is_the_same(tmp_path: Path) -> None:
    model = made("lstm-3")
    with browser_page(page_of(model, tmp_path)) as page:
        page.add_init_script("delete window.Worker; delete window.WebAssembly;")
        page.goto("about:blank")
        page.goto((tmp_path / "m.html").as_uri() + "#seed=3&length=200")
        assert written(page) + "\n" == sampled(model, tmp_path, "-n", "200", "--random-seed", "3")


def check_logits(page: Any, model: Model, shape: str) -> None:
    """Compare the logits after some texts, of both ways to multiply, with the model's own."""
    texts = ["The cab,\n", "日é👩\u200d👧a\u0301 <&", "zzz zz"]
    known = ["".join(char for char in text if char in model.vocabulary) for text in texts]
    probe = """([texts, plain]) => {
      const { makeEngine } = charrnn.core(), engine = makeEngine(charrnn.model, plain);
      return texts.map(text => {
        const state = engine.zero();
        let logits = null;
        for (const character of text) logits = engine.step(state, engine.index.get(character));
        return Array.from(logits);
      });
    }"""
    network = model.network()
    for plain in (False, True):
        for text, logits in zip(known, page.evaluate(probe, [known, plain]), strict=True):
            ids = model.vocabulary.encode(text)[:, None]
            expected = network.forward(ids, network.zero_state(1))[0][-1, 0]
            np.testing.assert_allclose(logits, expected, atol=2e-4, err_msg=f"{shape} {plain}")


def in_half(model: Model) -> Model:
    half = {name: a.astype(np.float16).astype(a.dtype) for name, a in model.weights.items()}
    return replace(model, weights=half)


def test_every_cell_gives_the_logits_of_the_model(tmp_path: Path) -> None:
    with browser_page(page_of(made(), tmp_path)) as page:
        for shape in SHAPES:
            model = made(shape)
            page_of(model, tmp_path)
            page.reload()
            check_logits(page, model, shape)
        page_of(made(), tmp_path, half=True)
        page.reload()
        check_logits(page, in_half(made()), "half")


def test_half_precision_is_half_the_size_and_costs_nothing_where_it_is_given(
    tmp_path: Path,
) -> None:
    model = made()
    full, half = (len(export(model, "html", half=half)) for half in (False, True))
    described_weights = len(described(model, half=False)["weights"])
    assert full - half == pytest.approx(described_weights / 2, abs=40)
    # a compact checkpoint is in half precision anyway, and nothing is lost by it
    (tmp_path / "m.npz").write_bytes(export(model, "compact"))
    compact = Model.load(tmp_path / "m.npz")
    assert (
        export(compact, "html")
        == export(compact, "html", half=True)
        == export(model, "html", half=True)
    )
    large = replace(model, weights={name: a * 1e6 for name, a in model.weights.items()})
    with pytest.raises(ConfigError, match="too large for half precision"):
        export(large, "html", half=True)
    assert export(large, "html")


def test_of_an_ensemble_only_the_weights_within_members_are_stored(tmp_path: Path) -> None:
    model = made("gru-2-ensemble")
    alone = replace(
        model, config=replace(model.config, model=replace(model.config.model, members=1))
    )
    spared = 3 * 3 * 20 * 15  # three matrices of three gates, a quarter of each is kept
    assert len(export(alone, "html")) - len(export(model, "html")) > spared * 4
    model.weights["weight_hh_l0"][0, -1] = 1  # not an ensemble any more, whatever the config says
    with browser_page(page_of(model, tmp_path)) as page:
        check_logits(page, model, "a weight between two members")


def test_surprise_is_that_of_the_score_command(tmp_path: Path) -> None:
    model, text = made(strong=2), "Abe é\n日日 a\u0301👩\u200d👧 zz <b>\n"
    model.save(tmp_path / "m.npz")
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    expected = json.loads(
        call("score", "-c", "m.npz", "t.txt", "--json", "--unknown", "skip", cwd=tmp_path).out
    )
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_label("Text to read").fill(text)
        verdict = page.locator("#verdict", has_text="bits")
        verdict.wait_for()
        bits, nats, perplexity = (
            f"{expected[f'{name}']:.{places}f}"
            for name, places in (("bits_per_char", 3), ("nats_per_char", 3), ("perplexity", 2))
        )
        assert verdict.inner_text().startswith(
            f"{bits} bits ({nats} nats) per character, perplexity {perplexity}, "
            f"over {expected['chars']} characters."
        )
        # seen as one character, and counted as one: a with an accent, the family
        shown = page.locator("#read .letter").all_inner_texts()
        assert "a\u0301" in shown
        assert "👩\u200d👧" in shown
        assert "".join(shown).replace("\u21b5", "") == text
        # letter by letter, with the keyboard
        letters = page.get_by_role("slider", name="Surprise")
        letters.press("Home")
        assert "was given" in letters.get_attribute("aria-valuetext")
        letters.press("ArrowRight")
        second = score_of(model, "Ab")
        assert f"{second:.1f} bits" in letters.get_attribute("aria-valuetext")
        assert page.locator("#read-readout").inner_text() == letters.get_attribute("aria-valuetext")
        page.get_by_label("Text to read").fill("xß")
        page.locator("#verdict", has_text="ß").wait_for()


def score_of(model: Model, text: str) -> float:
    return model.score(text).bits_per_char


def test_the_surprise_of_written_text_can_be_seen(tmp_path: Path) -> None:
    with browser_page(page_of(made(), tmp_path)) as page:
        page.get_by_label("Begin with").fill("Ab")
        text = write(page)
        assert page.locator("#written .letter").count() == 0
        page.get_by_label("Show surprise").check()
        letters = page.locator("#written .letter")
        assert "".join(letters.all_text_contents()) == text
        assert page.locator("#written .given").count() == 3  # twice in letters, once unseen
        letters.nth(5).hover()
        assert "Expected:" in page.locator("#readout").inner_text()
        # what belongs together is one, also if it did not come together
        page.get_by_text("More settings").click()
        page.get_by_label("Pace").select_option("unhurried")
        page.get_by_label("Characters").fill("90")
        page.get_by_label("Seed").fill("16")
        write(page)
        streamed = letters.all_text_contents()
        assert max(map(len, streamed)) > 1
        page.get_by_label("Show surprise").uncheck()
        page.get_by_label("Show surprise").check()
        assert letters.all_text_contents() == streamed


def lines_model(folder: Path) -> Model:
    """Return a model of lines whose list it would repeat, if nobody held it back."""
    model = made(lines=True)
    drawn = sampled(model, folder, "--count", "30", "--random-seed", "7").split("\n")[:-1]
    ids = model.vocabulary.encode("\n" + "\n".join(drawn[::2]) + "\n")
    return replace(model, seen_lines=seen_lines(ids, model.vocabulary))


def test_a_list_has_new_lines_only_those_of_the_command_line(tmp_path: Path) -> None:
    model = lines_model(tmp_path)
    seen = model.seen_lines
    assert seen is not None
    with browser_page(page_of(model, tmp_path)) as page:
        written_list(page)
        page.get_by_text("More settings").click()
        page.get_by_label("Seed").fill("7")
        page.get_by_label("How many").fill("30")
        new = write_list(page)
        given = ["--count", "30", "--unique", "--random-seed", "7"]
        assert new == sampled(model, tmp_path, *given, "--new").split("\n")[:-1]
        assert len(set(new)) == 30
        assert not any(is_seen(seen, line) for line in new)
        page.get_by_label("None from the list").uncheck()
        every = write_list(page)
        assert every == sampled(model, tmp_path, *given).split("\n")[:-1]
        assert any(is_seen(seen, line) for line in every)
        page.get_by_label("Beginning with").fill("a")
        page.get_by_label("Shortest").fill("3")
        page.get_by_label("Longest").fill("6")
        some = write_list(page)
        rules = ["--prefix", "a", "--min-length", "3", "--max-length", "6"]
        assert some == sampled(model, tmp_path, *given, *rules).split("\n")[:-1]
        assert all(line[0] == "a" and 3 <= len(line) <= 6 for line in some)
        link = page.url
        page.goto("about:blank")
        page.goto(link)
        assert written_list(page) == some
        page.get_by_label("Show surprise").check()
        assert page.locator("#written .unseen").all_text_contents() == some
        page.locator("#written .letter").nth(1).hover()
        assert "Expected:" in page.locator("#readout").inner_text()
        page.get_by_label("Show surprise").uncheck()
        # without a beginning, and so short that many are too long or were there before
        page.get_by_label("Beginning with").fill("")
        page.get_by_label("How many").fill("10")
        page.get_by_text("More settings").click()
        page.get_by_label("Shortest").fill("1")
        page.get_by_label("Longest").fill("1")
        page.get_by_label("Seed").fill("7")
        short = ["--count", "10", "--random-seed", "7", "--max-length", "1"]
        different = write_list(page)
        assert different == sampled(model, tmp_path, *short, "--unique").split("\n")[:-1]
        assert different != sampled(model, tmp_path, *short).split("\n")[:-1]
        page.get_by_label("Temperature").fill("0")
        assert len(write_list(page)) <= 1
        assert "every line is the same" in page.locator("#status").inner_text()


def write_list(page: Any) -> list[str]:
    page.get_by_role("button", name="Write").click()
    return written_list(page)


def written_list(page: Any) -> list[str]:
    page.locator("#status", has_text="seed").wait_for()
    lines: list[str] = page.locator("#written li").all_text_contents()
    return lines


def test_the_surprise_of_lines_is_that_of_the_score_command(tmp_path: Path) -> None:
    model, text = made(lines=True, strong=2), "Abe é\n\nzz <"
    expected = model.score(text)
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_label("Lines to read").fill(text)
        page.locator("#verdict", has_text="bits").wait_for()
        verdict = page.locator("#verdict").inner_text()
        assert verdict.startswith(f"{expected.bits_per_char:.3f} bits")
        assert f"over {expected.chars} characters" in verdict


HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{model}}<!--"


def test_nothing_that_is_said_becomes_part_of_the_page(tmp_path: Path) -> None:
    base = made()
    vocabulary = Vocabulary("".join(sorted({*HOSTILE, *"\0\r\n\u2028\u202e\ufeff"})))
    model = Model.of(base.config, vocabulary, initial_state(base.config, len(vocabulary)))
    path = page_of(model, tmp_path, title=HOSTILE)
    assert path.read_text(encoding="utf-8").count("</script") == 1
    with browser_page(path) as page:
        assert page.title() == HOSTILE
        assert page.locator("h1").inner_text() == HOSTILE
        assert HOSTILE in page.locator(".lede").inner_text()
        assert page.locator("img").count() == 0
        assert page.evaluate("charrnn.model.characters") == vocabulary.characters
        page.get_by_label("Begin with").fill(HOSTILE)
        page.get_by_label("Text to read").fill(HOSTILE)
        page.locator("#verdict", has_text="bits").wait_for()
        write(page)
        page.get_by_label("Show surprise").check()
        assert page.locator("img").count() == 0


@pytest.mark.parametrize("kind", ["text", "lines"])
def test_a_page_fits_a_phone_and_every_field_has_a_name(kind: str, tmp_path: Path) -> None:
    path = page_of(made(lines=kind == "lines"), tmp_path, title="W" * 60)
    with browser_page(path, width=340, height=700, scheme="dark") as page:
        page.get_by_text("More settings").click()
        page.get_by_label("Show surprise").check()
        page.get_by_label("to read").fill("W" * 200)
        page.locator("#verdict", has_text="seen").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 340
        unnamed = page.evaluate("""[...document.querySelectorAll("input, textarea, select")]
            .filter(field => !field.labels.length).map(field => field.id)""")
        assert unnamed == []
        names = page.locator("button").all_inner_texts()
        assert all(names)


def test_random_and_half_precision_numbers_are_those_of_numpy(tmp_path: Path) -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    places = [(0, 0), (1, 2), (2**32 - 1, 7), (2**32, 0), (2**63 - 1, 2**33 + 5)]
    with browser_page(page_of(made(), tmp_path)) as page:
        for seed, index in places:
            numbers = page.evaluate(
                """([seed, index]) => {
              const random = charrnn.core().makeRandom(seed, index);
              return Array.from({ length: 20 }, random);
            }""",
                [str(seed), str(index)],
            )
            assert numbers == generator(seed, Purpose.SAMPLE, index).random(20).tolist()
        text = base64.b64encode(halves.tobytes()).decode()
        read = page.evaluate("text => Array.from(charrnn.core().numbersOf(text, true))", text)
        assert read == halves.astype(float).tolist()


def test_beside_its_model_a_page_is_small(tmp_path: Path) -> None:
    for model in (made(), made(lines=True)):
        page = page_of(model, tmp_path).stat().st_size
        assert page - len(json.dumps(described(model, half=False))) < 50_000


def test_what_is_said_of_a_model_is_true() -> None:
    model = replace(
        made("lstm-3"), progress=replace(made().progress, best_val_loss=1.5, seconds=61)
    )
    model.vocabulary.counts[:] = 1234
    told = dict(facts(model, half=True))
    assert told["Network"] == "LSTM, 3 layers of 20 units"
    assert told["Weights"] == f"{sum(a.size for a in model.weights.values()):,} in half precision"
    assert told["Loss on held-out text"].startswith("1.500 nats (2.16 bits) per character")
    assert told["Trained for"] == "61 seconds"
    assert "read 57,000 characters of “Moby-Dick”" in lede(model, "Moby-Dick")
    assert "learned from “x”" in lede(made(), "x")
    assert "Loss on held-out text" not in dict(facts(made(), half=False))


def test_exploded_weights_are_told(tmp_path: Path) -> None:
    model = made("rnn-relu-2")
    model.weights["weight_hh_l0"][...] = 1e30
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_role("alert").filter(has_text="not finite").wait_for()


def test_the_command_takes_a_title_and_refuses_what_a_format_cannot_do(tmp_path: Path) -> None:
    made().save(tmp_path / "tiny-moby.npz")
    page = call("export", "tiny-moby.npz", "--to", "html", "-o", "-", cwd=tmp_path).out
    assert "<title>Tiny moby</title>" in page
    for option in (["--half"], ["--title", "x"]):
        fails(2, f"{option[0]} goes with --to html only", "export", "tiny-moby.npz", "--to",
              "compact", *option, cwd=tmp_path)  # fmt: skip
