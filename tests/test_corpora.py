"""The shipped texts are what their README says."""

import unicodedata
from pathlib import Path

CORPORA = Path(__file__).parent.parent / "corpora"


def test_the_corpora_are_described_prose_does_not_repeat_itself_and_lists_are_sorted() -> None:
    readme = (CORPORA / "README.md").read_text(encoding="utf-8")
    for path in CORPORA.glob("*.txt"):
        assert f"`{path.name}`" in readme
        text = path.read_bytes().decode()
        assert text.endswith("\n")
        assert "\r" not in text
        lines = text.splitlines()
        if path.name in {"dinosaurs.txt", "towns.txt"}:
            assert len(lines) >= 800
            assert lines == sorted(set(lines))
            assert all(line == line.strip() and line.isascii() and line for line in lines)
        else:
            assert len(text) >= 20_000
            paragraphs = [it for it in text.split("\n\n") if len(it) > 60]
            assert len(set(paragraphs)) == len(paragraphs)


def test_the_french_prose_has_its_typography() -> None:
    text = (CORPORA / "moulin.txt").read_text(encoding="utf-8")
    assert all(char in text for char in "éèêàâçîïôûùÉÀœŒæ«»\u00a0’—…")
    assert text.count("«") == text.count("»")
    assert unicodedata.is_normalized("NFC", text)
