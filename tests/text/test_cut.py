"""Texts are cut into pieces: at a separator, by files and by records, whatever the blocks."""

import gzip
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import CorpusError, read_corpus
from charrnn.config import DataConfig
from charrnn.text import cut
from charrnn.text.corpus import corpus_of

SEPARATORS = ["\n\n", "\n%\n", "%", "\n\n--\n", "%\n", "a%"]


def pieces_of(source: Path | str, **settings: Any) -> list[str]:
    """Return the pieces of a text or of a file."""
    data = DataConfig(**settings)
    if isinstance(source, str):
        corpus = corpus_of(source, data)
    else:
        corpus = read_corpus([str(source)], data)
    text = corpus.vocabulary.decode(corpus.ids)
    return [piece for piece in text.split(data.end) if piece]


@given(st.lists(st.text("ab%-\n", max_size=8)), st.sampled_from(SEPARATORS))
def test_a_text_is_cut_the_same_in_any_blocks(blocks: list[str], separator: str) -> None:
    data = DataConfig(separator=separator)
    text = "".join(blocks)
    once, parts = ([*cut.cut_text(it, data)] for it in ([text], blocks))
    assert [*chain(*parts)] == [*chain(*once)]
    if separator.strip("\n") == separator:  # no rule about lines
        assert [*chain(*once)] == [it for part in text.split(separator) if (it := part.strip("\n"))]


def test_line_breaks_around_pieces_and_empty_pieces_are_left_out() -> None:
    poems = "\n\nA rose\nis red\n\n\nA cup\n\n\n\n"
    for line_break in ("\n", "\r\n", "\r"):
        pieces = pieces_of(poems.replace("\n", line_break), separator="\n\n")
        assert pieces == ["A rose\nis red", "A cup"]
    fortunes = "%\nYes.\n%\n%\n100%\n\nsure\n%"
    assert pieces_of(fortunes, separator="\n%\n") == ["Yes.", "100%\n\nsure"]
    assert pieces_of("a%b\n%\n%c", separator="%") == ["a", "b", "c"]


def test_pieces_end_with_their_files(tmp_path: Path) -> None:
    for name, text in (("a", "one\n\ntwo"), ("b", "three\n\nfour"), ("c", "\n"), ("d", "five")):
        (tmp_path / f"{name}.txt").write_text(text)
    assert pieces_of(tmp_path, separator="\n\n") == ["one", "two", "three", "four", "five"]
    assert pieces_of(tmp_path, separator="file") == ["one\n\ntwo", "three\n\nfour", "five"]


JSON_LINES = (
    '{"text": "one\\r\\ntwo", "by": 1}\n\n{"by": 2}\n{"text": null}\n{"text": ["été", ""]}\n'
)
TABLE = 'by, text\n1,"one\ntwo"\n2,\n3\n\n4,été\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", JSON_LINES), ("a", JSON_LINES.replace("\n{", "\n\ufeff\x1e{")), ("a.csv", TABLE),
     ("A.TSV", TABLE.replace(",", "\t")), ("b.csv", TABLE.replace(",", ";")), ("a.CSV.gz", TABLE),
     ("c.csv", TABLE.replace(",", ";").replace("by", '"by, or of"')), ("long.csv", "text\nLONG\n")],
)  # fmt: skip
def test_a_field_of_each_record_is_a_piece(name: str, content: str, tmp_path: Path) -> None:
    data = content.replace("LONG", "é" * 200_000).encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    expected = ["é" * 200_000] if name == "long.csv" else ["one\ntwo", "été"]
    assert pieces_of(tmp_path / name, field="text") == expected
    assert pieces_of(tmp_path / name, field="text", normalize="NFC") == expected


@pytest.mark.parametrize(
    ("text", "settings", "complaint"),
    [
        ("no break", {"separator": "\n"}, r"'\\n' separates nothing in the text"),
        ("a\n\nb", {"separator": "\n%\n"}, r"'\\n%\\n' separates nothing in the text"),
        ("a\x1eb\n\nc", {"separator": "\n\n"}, r"the character U\+001E"),
        ('{"a": "\\u001e"}', {"field": "a"}, r"the character U\+001E"),
        ('{"a": "x"}\n[1]\n', {"field": "a"}, "line 2 is not a JSON object"),
        ('{"a": "x"}\n', {"field": "b"}, "the field 'b' is in no record"),
        ('{"a": 5}\n{"a": null}\n', {"field": "a"}, "the field 'a' has no text"),
    ],
)
def test_what_cannot_be_cut_is_refused(text: str, settings: Any, complaint: str) -> None:
    with pytest.raises(CorpusError, match=complaint):
        corpus_of(text, DataConfig(**settings))


@pytest.mark.parametrize(
    ("name", "text", "complaint", "hint"),
    [
        ("a.csv", "by,text\n1,one\n", "there is no column 'body'", "there are: by, text"),
        ("a.csv", "body,body\n", "there is more than one column 'body'", "there are: body, body"),
        ("a.csv", 'body\n"one\ntwo"\n"three\nfour\n', "line 4: unexpected end", "is a quotation"),
        ("a.csv", 'body,by\n"one,1\n"two",2\n', "line 2: ',' expected after '\"'", "is a quot"),
        ("a.csv", "by,body\n1,one, two\n", "line 2: 3 fields, but there are 2 columns", "is a"),
        ("a.csv", "", "the corpus is empty", "give it a text"),
        ("a.json", '[{"body": "one"},\n', "line 1 is not a JSON object", "make JSON Lines of it"),
        ("a.json", '{\n"body": "a"\n}', "line 1 is not a JSON object", "make JSON Lines of it"),
        ("a", '{"body": "a\\ud83d"}\n', "line 1: the text has half a character", ""),
    ],
)  # fmt: skip
def test_records_that_cannot_be_read_are_named(
    name: str, text: str, complaint: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=complaint) as caught:
        pieces_of(tmp_path / name, field="body")
    assert (caught.value.hint or "").startswith(hint)


def test_a_text_without_its_separator_is_not_gathered_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cut, "MAX_PIECE", 100)
    endless = iter(lambda: "no end ", "")
    with pytest.raises(CorpusError, match=r"100 characters without"):
        for _ in cut.cut_blocks(endless, "\n\n"):
            pass
