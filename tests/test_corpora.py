"""The shipped texts are what their README says."""

import unicodedata
from pathlib import Path

import pytest

CORPORA = Path(__file__).parent.parent / "corpora"


def read(name: str) -> str:
    return (CORPORA / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "least"), [("harbour.txt", 40_000), ("moulin.txt", 20_000)])
def test_prose_is_long_enough_and_does_not_repeat_itself(name: str, least: int) -> None:
    text = read(name)
    assert len(text.encode()) >= least
    paragraphs = [p for p in text.split("\n\n") if len(p) > 60]
    assert len(set(paragraphs)) == len(paragraphs)


def test_the_french_prose_has_its_typography() -> None:
    text = read("moulin.txt")
    assert all(char in text for char in "éèêàâçîïôûùÉÀœŒæ«»\u00a0’—…")
    assert text.count("«") == text.count("»")
    assert unicodedata.is_normalized("NFC", text)


@pytest.mark.parametrize("name", ["dinosaurs.txt", "towns.txt"])
def test_lists_are_sorted_and_distinct(name: str) -> None:
    lines = read(name).splitlines()
    assert len(lines) >= 800
    assert lines == sorted(set(lines))
    assert all(line == line.strip() and line.isascii() and line for line in lines)


def test_every_corpus_is_described_and_ends_with_a_line_break() -> None:
    readme = read("README.md")
    texts = sorted(CORPORA.glob("*.txt"))
    assert len(texts) >= 4
    for path in texts:
        assert f"`{path.name}`" in readme
        data = path.read_bytes()
        assert data.endswith(b"\n")
        assert b"\r" not in data
