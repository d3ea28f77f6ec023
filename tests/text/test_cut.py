"""Texts are cut into pieces: at a separator, by files and by records, whatever the blocks."""

import gzip
import unicodedata
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn import CorpusError, read_corpus
from charrnn.config import DataConfig
from charrnn.text import cut
from charrnn.text.corpus import corpus_of

SEPARATORS = ["\n\n", "\n%\n", "%", "\n\n--\n", "%\n", "a%"]


def pieces_of(path: Path, **settings: Any) -> list[str]:
    data = DataConfig(**settings)
    corpus = read_corpus([str(path)], data)
    return [it for it in corpus.vocabulary.decode(corpus.ids).split(data.end) if it]


@given(st.lists(st.text("ab%-\n", max_size=8)), st.sampled_from(SEPARATORS))
@example(["a"], "%")
@example(["%\na\n%\n%\nb\n%"], "\n%\n")
def test_a_text_in_any_blocks_is_cut_where_it_has_the_separator(
    blocks: list[str], separator: str
) -> None:
    mark = separator.strip("\n") or separator
    before, after = separator.split(mark)
    # A text begins and ends a line, and line breaks count for the separators on both sides.
    rest = f"{before}{''.join(blocks)}{after}"
    while separator in rest:
        rest = rest.replace(separator, f"{before}\0{after}")
    pieces = [piece for part in rest.split("\0") if (piece := part.strip("\n"))]
    assert [*chain(*cut.cut_text(blocks, DataConfig(separator=separator)))] == pieces


def test_every_line_break_counts_and_pieces_end_with_their_files(tmp_path: Path) -> None:
    for name, text in (
        ("a", "one\r\n\r\ntwo"),
        ("b", "three file\r\rfour"),
        ("c", "\n"),
        ("d", "five"),
    ):
        (tmp_path / f"{name}.txt").write_text(text, newline="")
    assert pieces_of(tmp_path, separator="\n\n") == ["one", "two", "three file", "four", "five"]
    assert pieces_of(tmp_path, separator="file") == ["one\n\ntwo", "three file\n\nfour", "five"]
    corpus = corpus_of("\n\ne\u0301\r\nbb\r\r\rc\n", DataConfig(separator="\n\n", normalize="NFC"))
    assert corpus.vocabulary.decode(corpus.ids) == "é\nbb\x1ec\x1e"


PIECES, LONG = ["one\n\ntwo", "", "", "e\u0301te\u0301"], ["é" * 200_000]
MANY = [f"{n}" for n in range(600)]
JSON_LINES = (
    '{"text": "one\\r\\n\\rtwo", "by": 1}\n\n{"by": 2}\n'
    '{"text": ["a", 1]}\n{"text": ["e\\u0301te\\u0301", ""]}\n'
)
TABLE = 'by, text\n1,"one\n\ntwo"\n2,\n3\n\n4,e\u0301te\u0301\n'
RECORDS = {
    "a.jsonl": (JSON_LINES, PIECES),
    "a": (JSON_LINES.replace("\n{", "\n\ufeff\x1e{"), PIECES),
    "a.csv": (TABLE, PIECES),
    "A.TSV": (TABLE.replace(",", "\t"), PIECES),
    "b.csv": (TABLE.replace(",", ";"), PIECES),
    "a.CSV.gz": (TABLE, PIECES),
    "c.csv": (TABLE.replace(",", ";").replace("by", '"by, or of"'), PIECES),
    "wide.csv": (TABLE.replace("\n2,\n", "\n2,,,\n"), PIECES),
    "long.csv": ("\n".join(["text", *LONG]), LONG),
    "many.csv": ("\n".join(["text", *MANY]), MANY),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_field_of_each_record_is_a_piece(name: str, tmp_path: Path) -> None:
    content, expected = RECORDS[name]
    data = content.encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    path, composed = tmp_path / name, [unicodedata.normalize("NFC", piece) for piece in expected]
    assert [*chain(*cut.read_pieces(str(path), DataConfig(field="text")))] == expected
    assert pieces_of(path, field="text", normalize="NFC") == [*filter(None, composed)]


FIELD, POEMS, ARRAY = {"field": "body"}, {"separator": "\n\n"}, "make JSON Lines of it: jq -c "


@pytest.mark.parametrize(
    ("name", "text", "settings", "complaint", "hint"),
    [
        ("a", "no break", {"separator": "\n"}, r"'\\n' separates nothing", "leave out --lines"),
        ("a", "a\n%\nb", {"separator": "%%"}, "'%%' separates nothing", "check --separator"),
        ("a", "a\x1eb\n\nc", POEMS, r"the character U\+001E", "remove it"),
        ("a", '{"body": "\\u001e"}', FIELD, r"the character U\+001E", "remove it"),
        ("a", '{"by": "x"}\n\nyes\n', FIELD, "line 3 is not a JSON object", "--field takes"),
        ("a", '[{"body": "one"},\n', FIELD, "line 1 is not a JSON", f"{ARRAY}'.[]'"),
        ("a", '{\n"body": "a"\n}', FIELD, "line 1 is not a JSON", f"{ARRAY}. "),
        ("a", '{"by": "x"}\n', FIELD, "the field 'body' is in no record", "there are: by"),
        ("a", '{"body": 5}\n{"body": null}\n', FIELD, "the field 'body' has no text", "there are"),
        ("a", '{"body": "a\\ud83d"}\n', FIELD, "line 1: the text has half a character", ""),
        ("a.csv", "by,text\n1,one\n", FIELD, "no column 'body'", "there are: by, text"),
        ("a.csv", "body,body\n", FIELD, "more than one column 'body'", "there are: body, body"),
        ("a.csv", 'body\n"a\nb"\n"c\nd\n', FIELD, "line 4: unexpected end", "is a quotation"),
        ("a.csv", 'body,by\n"one,1\n"two",2\n', FIELD, "line 2: ',' expected after", "is a quot"),
        ("a.csv", "by,body\n1,one, two\n", FIELD, "line 2: 3 fields, but there are 2", "is a"),
        ("a.csv", "", FIELD, "the corpus is empty", "give it a text"),
    ],
)
def test_what_cannot_be_cut_is_refused(
    name: str, text: str, settings: Any, complaint: str, hint: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=complaint) as caught:
        pieces_of(tmp_path / name, **settings)
    assert (caught.value.hint or "").startswith(hint)


def test_a_text_without_its_separator_is_not_gathered_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cut, "MAX_PIECE", 100)
    endless = iter(lambda: "no end ", "")
    with pytest.raises(CorpusError, match="100 characters without"):
        [*cut.cut_blocks(endless, "\n\n")]
