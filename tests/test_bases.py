"""The base models are what tools/bases/ says, and its texts and mixtures are made as it says."""

import re
import struct
import sys
import zlib
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn import Model
from charrnn.checkpoint.bases import BASES, FOLDER
from tests.support import ROOT


def tools() -> SimpleNamespace:
    """Return the modules of tools/bases/, which import each other by their bare names."""
    names = ("sources", "cleaning", "mixture", "packages", "texts", "train")
    sys.path.insert(0, str(ROOT / "tools" / "bases"))
    try:
        return SimpleNamespace(**{name: import_module(name) for name in names})
    finally:
        sys.path.pop(0)


TOOLS: Any = tools()
SOURCES = TOOLS.sources.load()
TEXTS = [text for base in SOURCES.bases.values() for text in base.texts] + [*SOURCES.held_out]


def test_every_shipped_base_has_its_sources_and_is_a_small_checkpoint_of_weights() -> None:
    assert set(BASES) <= set(SOURCES.bases)
    shipped = {path.stem for path in FOLDER.glob("*.npz")}
    assert shipped == set(BASES)
    for name in shipped:
        assert (FOLDER / f"{name}.npz").stat().st_size <= 3_000_000
        base = Model.load(name)
        assert not base.resume
        assert made_with(base, SOURCES.bases[name].options)


def made_with(model: Model, options: dict[str, float]) -> bool:
    """Tell whether a model was trained with these options."""
    settings: dict[str, Any] = {}
    for part in vars(model.config).values():
        settings.update(vars(part))
    return all(settings[name.replace("-", "_")] == value for name, value in options.items())


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_every_text_says_where_it_is_from_and_why_it_is_free(text: Any) -> None:
    assert text.package.registry in {"apt", "npm", "pypi"}
    assert re.fullmatch(r"[\w.+-]+", text.package.version)
    assert text.package.name
    assert text.package.license
    assert text.inside
    assert text.cleaning in TOOLS.cleaning.CLEANINGS
    assert re.fullmatch("[0-9a-f]{64}", text.sha256)
    assert text.characters > text.kept >= 0
    assert text.license.startswith("public domain: ")
    assert 0 < text.share <= 1


def test_the_page_on_the_bases_names_the_size_of_every_text() -> None:
    page = (ROOT / "docs" / "bases.md").read_text(encoding="utf-8")
    assert all(f"{text.characters:,}" in page for text in TEXTS)


LINES = st.lists(st.text("ab .'\"-", max_size=90)).map("\n".join)


@given(st.lists(LINES, max_size=4), st.sampled_from([1, 20, 20_000]))
def test_pieces_are_the_text_and_end_with_a_line(lines: list[str], size: int) -> None:
    text = "\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TOOLS.mixture, "PIECE", size)
        pieces = list(TOOLS.mixture.pieces(text))
    assert "".join(pieces) == text
    assert all(piece.endswith("\n") and len(piece) > size for piece in pieces[:-1])


@given(st.lists(LINES, max_size=4))
@example(["a'b\n" * 9000, '"a--b" ' * 9000])
def test_a_mixture_keeps_all_characters_but_for_typography(texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TOOLS.mixture, "PIECE", 50)
        patch.setattr(TOOLS.mixture, "RARE", 0)
        mixed, again = (TOOLS.mixture.mix([(text, 1.0) for text in texts]) for _ in range(2))
    assert mixed == again
    plain = mixed.translate(str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "--"}))
    assert Counter("".join(plain.split())) == Counter("".join("".join(texts).split()))


def test_a_mixture_has_every_typography_and_the_shares_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TOOLS.mixture, "PIECE", 100)
    paragraph = (
        "It is the 'sea' -- and more of it -- that she had seen from the pier, she said, no?\n"
    )
    other = "z" * 60 + "\n"
    mixed = TOOLS.mixture.mix([(paragraph * 8000, 0.5), (other * 8000, 0.25)])
    paragraphs = mixed.count("she had seen")
    assert paragraphs / 8000 == pytest.approx(0.5, abs=0.03)
    assert mixed.count(other) / 8000 == pytest.approx(0.25, abs=0.03)
    whole = sum(len(line) > 80 for line in mixed.split("\n"))
    assert whole / paragraphs == pytest.approx(0.6, abs=0.03)
    assert mixed.count("‘sea’ —") / paragraphs == pytest.approx(0.25, abs=0.03)
    # Shuffled: the two take turns.
    assert len(re.findall(r"z\nI", mixed)) > 500


def test_typography_knows_where_a_quote_opens() -> None:
    straight = "\"'Tis (\"so\"),\" she said--\"it's 'so'.\"\n'No.'"
    assert TOOLS.mixture.typographic(straight) == "“‘Tis (“so”),” she said—“it’s ‘so’.”\n‘No.’"


def test_rare_characters_are_left_out() -> None:
    assert TOOLS.mixture.without_rare("a" * 50 + "b" * 49 + "\n" * 50) == "a" * 50 + "\n" * 50


@pytest.mark.parametrize(
    ("cleaning", "raw", "clean"),
    [
        ("prose", "[Emma by Jane Austen 1816]\n\nOne\n_two_.\n\n\n\nThree\x0c.\n\nFinis\n",
         "One two.\n\nThree.\n"),
        ("prose", "She:\n\n  Dear\n  Sir\n\nRose\nA rose\nIs a rose\n\nEnd of Project Gutenberg",
         "She:\n\nDear\nSir\n\nRose\nA rose\nIs a rose\n"),
        ("prose", "a" * 201 + "\nb\n", "a" * 201 + "\n\nb\n"),
        ("prose", "My friends, [Applause.] thank\nyou. (Laughter)", "My friends, thank you.\n"),
        ("prose", "e\u0301t\u00e9", "\u00e9t\u00e9\n"),
        ("verse", "    Tyger  Tyger,}\n   burning\tbright\n", "Tyger Tyger,\nburning bright\n"),
        ("scripture", "(1) Au # commencement* [Dieu]\nLa (1:2) terre>\n",
         "Au commencement Dieu\nLa terre\n"),
        ("bible", "Genesis\n\n1:1 In the\nbeginning\n\n1:2 And the 1:3 earth\n\n2:1 Thus\n",
         "Genesis\n\nIn the beginning\nAnd the earth\n\nThus\n"),
    ],
)  # fmt: skip
def test_cleaning_leaves_what_the_author_wrote(cleaning: str, raw: str, clean: str) -> None:
    assert TOOLS.cleaning.CLEANINGS[cleaning](raw) == clean


def test_a_text_is_found_in_a_database_of_r() -> None:
    def entry(*lines: str) -> bytes:
        data = b"RDX3" + b"\0\0\0\x10" + struct.pack(">I", len(lines))
        for line in lines:
            data += b"\0\4\0\x09" + struct.pack(">I", len(line)) + line.encode()
        return struct.pack(">I", len(data)) + zlib.compress(data)

    database = entry("EMMA", "one") + entry("MANSFIELD PARK", "(1814)", "two")
    assert TOOLS.packages.r_text(database, "mansfieldpark") == "MANSFIELD PARK\n(1814)\ntwo"
    with pytest.raises(LookupError, match="persuasion"):
        TOOLS.packages.r_text(database, "persuasion")


def test_a_text_that_differs_is_an_error(tmp_path: Path) -> None:
    text = SOURCES.held_out[0]
    (tmp_path / f"{text.name}.txt").write_text("Tyger Tyger\n")
    with pytest.raises(ValueError, match=f"{text.name} has 12 characters and SHA-256 [0-9a-f]+"):
        TOOLS.texts.fetch((text,), tmp_path)


def test_training_takes_the_options_of_the_table_and_can_go_on(tmp_path: Path) -> None:
    corpus, checkpoint = tmp_path / "corpus.txt", tmp_path / "whole.npz"
    corpus.write_text("the cat sat on the mat\n" * 100)
    small = {"hidden-size": 8, "batch-size": 4, "steps": 2, "workers": 1}
    options = {**SOURCES.bases["english"].options, **small}
    assert TOOLS.train.train(corpus, checkpoint, options, "--overwrite", "--quiet") == 0
    longer = {**options, "steps": 3}
    assert TOOLS.train.train(corpus, checkpoint, longer, "--resume", "--quiet") == 0
    assert made_with(Model.load(checkpoint), longer)
