"""The page of a model with n-grams mixes them with the network as the command line does."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import Model, Vocabulary
from charrnn.export import export
from charrnn.export.page import page as html
from charrnn.export.page.facts import facts
from charrnn.export.page.model import described
from charrnn.ngrams.kneser_ney import GROUPS, build_ngrams
from charrnn.ngrams.mixture import TINY
from charrnn.training.next_character import initial_state
from tests.browser import browser_page
from tests.export.test_page import (
    LETTERS,
    made,
    page_of,
    sampled,
    write,
    write_list,
    written,
    written_list,
)
from tests.support import ROOT, call

HARBOUR = (ROOT / "corpora/harbour.txt").read_text(encoding="utf-8").lower()
READ = "".join(char for char in HARBOUR if char in LETTERS) + "Abe é\n日日 a\u0301👩\u200d👧\n" * 9
WEIGHTS = np.linspace(0.05, 0.8, GROUPS)
# So few are kept that some have suffixes that are not.
KEPT = 4000


def with_ngrams(model: Model, order: int = 6, text: str = READ) -> Model:
    """Return a model with the n-grams of a text, which it has not learned anything else of."""
    ids, lines = model.vocabulary.encode(text), model.config.data.lines
    end = model.vocabulary.index["\n"] if lines else None
    V = len(model.vocabulary)
    ngrams = build_ngrams(ids, V, order, line_break=end, max_entries=KEPT)
    return replace(model, ngram=ngrams.with_weights(WEIGHTS, None))


def test_what_is_clicked_is_what_the_command_line_writes(tmp_path: Path) -> None:
    model = with_ngrams(made())
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_label("Begin with").fill("Abe é the")
        page.get_by_label("Characters").fill("300")
        page.get_by_label("Temperature").fill("0")
        begin = ["--seed", "Abe é the", "-n", "300"]
        assert write(page) + "\n" == sampled(model, tmp_path, *begin, "--greedy")
        page.get_by_label("Temperature").fill("0.9")
        page.get_by_text("More settings").click()
        page.get_by_label("Seed").fill("12")
        begin += ["-t", "0.9", "--random-seed", "12"]
        text = write(page)
        assert text + "\n" == sampled(model, tmp_path, *begin)
        assert text + "\n" != sampled(replace(model, ngram=None), tmp_path, *begin)
        page.get_by_label("Top k").fill("9")
        page.get_by_label("Top p").fill("0.8")
        narrow = sampled(model, tmp_path, *begin, "--top-k", "9", "--top-p", "0.8")
        assert write(page) + "\n" == narrow


def test_without_a_worker_or_webassembly_the_text_is_the_same(tmp_path: Path) -> None:
    model = with_ngrams(made("gru-2-ensemble"))
    with browser_page(page_of(model, tmp_path)) as page:
        page.add_init_script("delete window.Worker; delete window.WebAssembly;")
        page.goto("about:blank")
        page.goto((tmp_path / "m.html").as_uri() + "#seed=3&length=200")
        assert written(page) + "\n" == sampled(model, tmp_path, "-n", "200", "--random-seed", "3")


def test_surprise_is_that_of_the_score_command(tmp_path: Path) -> None:
    model, text = with_ngrams(made(strong=2)), READ[100:400] + "日zz <b&\nABé"
    model.save(tmp_path / "m.npz")
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    done = call("score", "-c", "m.npz", "t.txt", "--json", cwd=tmp_path)
    expected = json.loads(done.out)
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_label("Text to read").fill(text)
        verdict = page.locator("#verdict", has_text="bits")
        verdict.wait_for()
        assert verdict.inner_text().startswith(f"{expected['bits_per_char']:.3f} bits")
        nats = page.evaluate("text => charrnn.score(text)", text)
    assert nats == pytest.approx(expected["nats_per_char"], abs=1e-6)
    assert nats < replace(model, ngram=None).score(text).nats_per_char - 0.5


def test_lines_are_those_of_the_command_line(tmp_path: Path) -> None:
    model, text = with_ngrams(made(lines=True, strong=2)), "the cab\n\nAbe é\nzz <\nthe"
    with browser_page(page_of(model, tmp_path)) as page:
        written_list(page)
        page.get_by_text("More settings").click()
        page.get_by_label("Seed").fill("7")
        page.get_by_label("How many").fill("25")
        given = ["--count", "25", "--unique", "--random-seed", "7"]
        assert write_list(page) == sampled(model, tmp_path, *given).split("\n")[:-1]
        page.get_by_label("Beginning with").fill("the")
        given += ["--prefix", "the"]
        assert write_list(page) == sampled(model, tmp_path, *given).split("\n")[:-1]
        nats = page.evaluate("text => charrnn.score(text)", text)
    assert nats == pytest.approx(model.score(text).nats_per_char, abs=1e-6)


def of_table(model: Model, ids: list[int]) -> tuple[Any, Any]:
    """Return the weight of the network after each character of a text, and log p of the others."""
    assert model.ngram is not None
    contexts, found = model.ngram.start(1), []
    for character in ids:
        contexts = model.ngram.feed(contexts, np.array([character]))
        found.append(model.ngram.predict(contexts)[0])
    p = np.array(found)
    weights = WEIGHTS[np.minimum(p[:, -1] * GROUPS, GROUPS - 1).astype(int)]
    return weights, np.log(np.maximum((1 - weights[:, None]) * p[:, :-1], TINY))


# A network that is sure of nothing but the first character, whose share can be taken out again.
PROBE = """([ngrams, V, ids]) => {
  const network = { characters: Array(V), zero: () => [],
                    step: () => new Float32Array(V).fill(-1e4).fill(0, 0, 1) };
  const mixture = charrnn.core().makeMixture({ ngrams }, network), state = mixture.zero();
  return JSON.stringify(ids.map(id => Array.from(mixture.step(state, id))));
}"""


def words_of(size: int, order: int) -> tuple[Model, list[int]]:
    """Return a model of a vocabulary with n-grams, and ids to read, a few of which are random."""
    rng = np.random.default_rng(size + order)
    vocabulary = Vocabulary("".join(map(chr, range(0x4E00, 0x4E00 + size))))
    empty = Model.of(made().config, vocabulary, initial_state(made().config, size))
    # Words, of which some are frequent: contexts of all lengths, and of all groups.
    words = [rng.integers(size, size=rng.integers(1, 7)) for _ in range(300)]
    drawn = np.minimum(rng.zipf(1.3, 4000), len(words)) - 1
    read = np.concatenate([words[at] for at in drawn])
    model = with_ngrams(empty, order, vocabulary.decode(read))
    return model, [*read[:120].tolist(), *rng.integers(size, size=30).tolist()]


def test_every_context_and_every_share_is_that_of_the_table(tmp_path: Path) -> None:
    with browser_page(page_of(made(), tmp_path)) as page:
        for size in (40, 300):  # ids of one byte and of two
            for order in (1, 2, 7):
                model, ids = words_of(size, order)
                assert model.ngram is not None
                weights, expected = of_table(model, ids)
                ngrams = described(model, half=False)["ngrams"]
                logits = json.loads(page.evaluate(PROBE, [ngrams, size, ids]))
                assert len(set(weights)) > 2 or order == 1
                own = np.exp(logits)[:, 0] - np.exp(expected)[:, 0]
                np.testing.assert_allclose(own, weights, atol=1e-5)
                np.testing.assert_allclose(np.array(logits)[:, 1:], expected[:, 1:], atol=1e-5)


def test_a_table_of_a_few_bytes_per_entry_is_all_that_comes_in_addition() -> None:
    model = with_ngrams(made(), order=7)
    assert model.ngram is not None
    entries, alone = model.ngram.entries, replace(model, ngram=None)
    added = len(export(model, "html")) - len(export(alone, "html"))
    assert 3 * entries < added < 5.4 * entries + 1500
    assert described(alone, half=False)["ngrams"] is None
    assert "n-grams of the text" not in html(alone, "x", half=False).partition("<script")[0]
    # those who look at the page only
    assert "n-grams of the text" in html(model, "x", half=False).partition("<script")[0]
    told = dict(facts(model, half=False))
    assert told["N-grams"] == f"{entries:,}, up to 7 characters long"
    assert "Loss on held-out text" not in told
    fitted = replace(model, ngram=model.ngram.with_weights(WEIGHTS, 1.25))
    assert dict(facts(fitted, half=False))["Loss on held-out text"].startswith("1.250 nats")


def test_openings_are_in_the_words_of_both() -> None:
    model = made(strong=1)  # its network knows nothing
    words = set(READ.split())
    found = described(with_ngrams(model), half=False)["openings"]
    known = [word for opening in found for word in opening.split() if word in words]
    assert len(known) >= 3


def test_exploded_weights_are_told(tmp_path: Path) -> None:
    model = with_ngrams(made("rnn-relu-2"))
    model.weights["weight_hh_l0"][...] = 1e30
    with browser_page(page_of(model, tmp_path)) as page:
        page.get_by_role("alert").filter(has_text="not finite").wait_for()
