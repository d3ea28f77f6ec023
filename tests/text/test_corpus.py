"""Reading texts: any encoding, any size of block, and exact complaints."""

import gzip
import io
import lzma
import unicodedata
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import Corpus, CorpusError, DataConfig, Vocabulary, read_corpus, read_text
from charrnn.text import reading, storage
from charrnn.text.corpus import encode_blocks

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def corpus_of(*sources: Path, encoding: str = "utf-8", **settings: Any) -> str:
    data = DataConfig(**settings)
    corpus = read_corpus([str(source) for source in sources], data, encoding=encoding)
    return corpus.vocabulary.decode(corpus.ids)


@given(st.lists(texts, min_size=1))
def test_blocks_encode_as_their_whole(blocks: list[str]) -> None:
    ids, vocabulary = encode_blocks(blocks)
    assert vocabulary == Vocabulary.from_text("".join(blocks))
    np.testing.assert_array_equal(ids, vocabulary.encode("".join(blocks)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 20])
def test_text_is_the_same_in_any_encoding_and_block_size(
    encoding: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", block)
    text = "naïve café\r\nœ\fu\u2028f 日本語\r👩‍👩‍👧 e\u0301 \ufb01\nA\u030a\n"
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    assert read_text(str(path), encoding=encoding) == text
    normal = unicodedata.normalize("NFKC", text)
    assert read_text(str(path), encoding=encoding, normalize="NFKC") == normal
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert corpus_of(path, encoding=encoding, separator="\n") == lines


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding_and_is_left_out(
    encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffcafé 日本語\ufeff\n".encode(encoding))
    for named in ("utf-8", encoding):
        assert read_text(str(path), encoding=named) == "café 日本語\ufeff\n"


class Trickle(io.RawIOBase):
    """A pipe whose writer writes a byte at a time."""

    def __init__(self, data: bytes) -> None:
        self.bytes = iter(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = bytes(islice(self.bytes, 1))
        buffer[: len(some)] = some
        return len(some)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_may_come_in_parts(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe: Any = Trickle("The café\n".encode(encoding))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(pipe)))
    assert "".join(reading.Reader(prompt=True).blocks("-")) == "The café\n"


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(text=st.text("ae\u0301\u0323\u1100\u1161\u11a8가日\u3099か\ufb01 ", min_size=1))
def test_normalization_does_not_see_the_blocks(form: Any, text: str) -> None:
    blocks = reading.normalize_blocks(iter(text), form)
    assert "".join(blocks) == unicodedata.normalize(form, text)


def test_a_line_break_is_put_between_texts_that_have_none(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abcd"]
    for path, text in zip(paths, ("one\n", "two", "", "three\r"), strict=True):
        path.write_bytes(text.encode())
    assert corpus_of(*paths, paths[0]) == "one\ntwo\nthree\rone\n"


def test_a_folder_is_read_as_its_texts_sorted(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.txt").write_text("3\n")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"4\n"))
    (tmp_path / "a.txt").write_text("1")
    (tmp_path / "a.xz").write_bytes(lzma.compress("é\n".encode("utf-16")))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "z.gz").write_bytes(gzip.compress(b"6\n")[:-9])  # damaged
    (tmp_path / ".hidden").write_text("5\n")
    corpus = read_corpus([str(tmp_path)])
    assert corpus.vocabulary.decode(corpus.ids) == "1\né\n3\n4\n"
    left_out = f"2 files left out, not a readable text: {tmp_path / 'picture.png'}"
    assert corpus.warnings == (left_out,)
    (tmp_path / "b" / "a.txt").unlink()
    with pytest.raises(CorpusError, match="there is no text in this folder"):
        read_corpus([str(tmp_path / "b")])


@pytest.mark.parametrize("block", [1, 4, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be"])
def test_a_bad_byte_is_located(
    encoding: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", block)
    # U+0A0A has the byte of a line feed twice, and is none
    before = "one\r\ntwo \u0a0a\u0a0a\rthree\nf".encode(encoding)
    bad = {"utf-8": b"\xff", "utf-16-le": b"\x00\xdc", "utf-32-be": b"\xff\xff\xff\xff"}[encoding]
    path = tmp_path / "text.txt"
    path.write_bytes(before + bad + "more".encode(encoding))
    with pytest.raises(CorpusError, match=rf"byte {len(before)} \(line 4\)") as caught:
        read_text(str(path), encoding=encoding)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "a.gz"
    damaged.write_bytes(gzip.compress(b"one two three")[:-9])
    with pytest.raises(CorpusError, match=r"a\.gz: is compressed, and damaged"):
        read_corpus([str(damaged)])


@pytest.mark.parametrize(("text", "warning"), [("aaaa", "single character"), ("a\0b", "NUL")])
def test_an_odd_corpus_is_read_with_a_warning(text: str, warning: str, tmp_path: Path) -> None:
    (tmp_path / "odd").write_text(text)
    assert warning in " ".join(read_corpus([str(tmp_path / "odd")]).warnings)
    (tmp_path / "odd").write_text("")
    with pytest.raises(CorpusError, match="the corpus is empty"):
        read_corpus([str(tmp_path / "odd")])


@pytest.mark.parametrize("size", [30, 300, 70_000])
def test_a_long_text_is_in_a_file_and_is_the_same(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # characters of one, two and four bytes an id, new ones in every block
    text = "".join(map(chr, range(0x20, 0x20 + size))).encode("utf-8", "ignore").decode()
    blocks = [text[at : at + size // 7] for at in range(0, len(text), size // 7)] * 2
    monkeypatch.setattr(storage, "IN_MEMORY", 20)
    corpus = Corpus(*encode_blocks(blocks))
    assert isinstance(corpus.ids.base, np.memmap)
    assert corpus.vocabulary == Vocabulary.from_text(text * 2)
    expected = corpus.vocabulary.encode(text * 2)
    np.testing.assert_array_equal(corpus.ids, expected)
    assert corpus.ids.dtype == expected.dtype
    other = Vocabulary("".join(sorted({*corpus.vocabulary.characters, "\t", "\U0001f600"})))
    np.testing.assert_array_equal(corpus.encoded_with(other).ids, other.encode(text * 2))


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
