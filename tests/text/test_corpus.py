"""Reading texts: any encoding, any size of block, and exact complaints."""

import gzip
import hashlib
import lzma
import unicodedata
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn import Corpus, CorpusError, DataConfig, Vocabulary, read_corpus, read_text
from charrnn.text import reading, storage
from charrnn.text.corpus import corpus_of, encode_blocks

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
# More characters than fit into ids of two bytes.
MANY = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x12000)]))


@given(st.lists(TEXTS, min_size=1))
@example(["b", MANY[:300], "a"])
@example(["b", MANY, "a"])
def test_blocks_are_encoded_like_the_whole_in_memory_or_in_a_file(blocks: list[str]) -> None:
    text = "".join(blocks)
    with patch.object(storage, "IN_MEMORY", 20):
        corpus = Corpus(*encode_blocks(blocks))
        assert corpus.vocabulary == Vocabulary.from_text(text)
        assert corpus.ids.dtype == corpus.vocabulary.encode(text).dtype
        other = Vocabulary("".join(sorted({*text, "\t", "b", "\U0001f600"})))
        for found in (corpus, corpus.encoded_with(other)):
            np.testing.assert_array_equal(found.ids, found.vocabulary.encode(text))
            assert isinstance(found.ids.base, np.memmap) == (found.ids.nbytes > 20)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
def test_text_is_the_same_in_any_encoding_and_block_size(
    encoding: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", block)
    text = "naïve café\r\nœ\fu\u2028f 日本語\ufeff\r👩‍👩‍👧 e\u0301 \ufb01\nA\u030a\r"
    normal, path = unicodedata.normalize("NFKC", text), tmp_path / "text.txt"
    data = DataConfig(normalize="NFKC", separator="\n")
    lines = normal.replace("\r\n", "\n").replace("\r", "\n")
    for mark, name in (("", encoding), ("\ufeff", encoding), ("\ufeff", "utf-8")):
        path.write_bytes(f"{mark}{text}".encode(encoding))
        assert read_text(str(path), encoding=name) == text
        assert read_text(str(path), encoding=name, normalize="NFKC") == normal
        corpus = read_corpus([str(path)] * 2, data, encoding=name)
        assert corpus.vocabulary.decode(corpus.ids) == 2 * lines
        assert corpus.sha256 == hashlib.sha256(2 * path.read_bytes()).hexdigest()


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(text=st.text("ae\u0301\u0323\u1100\u1161\u11a8가日\u3099か\ufb01 ", min_size=1))
def test_normalization_does_not_see_the_blocks(form: Any, text: str) -> None:
    blocks = reading.normalize_blocks(iter(text), form)
    assert "".join(blocks) == unicodedata.normalize(form, text)


def test_files_of_folders_are_joined_sorted_with_line_breaks_and_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", 7)
    for name, content in {
        "b/a.txt": b"3\r",
        "c.txt.gz": gzip.compress(b"4\0\n"),
        "a.txt": b"one, two",
        "a.xz": lzma.compress("été\n".encode("utf-16")),
        "b.txt": b"",
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "z.gz": gzip.compress(b"5\n")[:-9],  # damaged
        ".hidden": b"5\n",
        ".git/a.txt": b"6\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    corpus = read_corpus([str(tmp_path), str(tmp_path / "a.txt")])
    assert corpus.vocabulary.decode(corpus.ids) == "one, two\nété\n3\r4\0\none, two"
    left_out = f"2 files left out, not a readable text: {tmp_path / 'picture.png'}"
    assert corpus.warnings == (left_out, "the corpus holds NUL characters: is it a text?")
    (tmp_path / "b" / "a.txt").unlink()
    with pytest.raises(CorpusError, match="there is no text in this folder"):
        read_corpus([str(tmp_path / "a.txt"), str(tmp_path / "b")])


@pytest.mark.parametrize("block", [1, 4, 1 << 20])
@pytest.mark.parametrize(
    ("encoding", "bad"),
    [("utf-8", b"\xff"), ("utf-16-le", b"\x00\xdc"), ("utf-32-be", b"\xff\xff\xff\xff")],
)
def test_a_bad_byte_is_located(
    encoding: str, bad: bytes, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", block)
    # U+0A0A has the byte of a line feed twice, and is none
    before = "one\r\ntwo \u0a0a\u0a0a\rthrée\r".encode(encoding)
    path = tmp_path / "text.txt"
    path.write_bytes(before + bad + "more".encode(encoding))
    complaint = rf"text\.txt: byte {len(before)} \(line 4\) is not valid {encoding}"
    with pytest.raises(CorpusError, match=complaint) as caught:
        read_text(str(path), encoding=encoding)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the corpus is empty"),
        (gzip.compress(b"one two three", mtime=0)[:-9], "is compressed, and damaged"),
        (lzma.compress(b"one two three")[:-9], "is compressed, and damaged"),
    ],
)
def test_an_empty_or_damaged_file_is_refused(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"a\.gz: {complaint}"):
        read_corpus([str(tmp_path / "a.gz")])


@pytest.mark.parametrize(("text", "warning"), [("aaaa", "a single character"), ("a\0b", "NUL")])
def test_an_odd_corpus_is_read_with_a_warning(text: str, warning: str) -> None:
    (found,) = corpus_of(text).warnings
    assert warning in found


def test_a_long_text_without_room_for_its_ids_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    full = Path("/dev/full").open("w+b", 0)  # noqa: SIM115  # closed by whoever writes to it
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: full)
    with pytest.raises(CorpusError, match="no room for the ids of the text in") as caught:
        encode_blocks(["abc" * 1000])
    assert "TMPDIR" in (caught.value.hint or "")
