"""Reading texts: any encoding, any size of piece, and exact complaints."""

import io
import os
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn import ConfigError, Corpus, CorpusError, Vocabulary, read_corpus, read_text
from charrnn.text import reading, storage
from charrnn.text.corpus import encode_pieces

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(texts, min_size=1))
def test_pieces_encode_as_their_whole(pieces: list[str]) -> None:
    whole = "".join(pieces)
    encoded = Corpus(*encode_pieces(pieces))
    assert encoded.vocabulary.decode(encoded.ids) == whole
    assert encoded.vocabulary.characters == "".join(sorted(set(whole)))
    assert encoded.vocabulary.counts.tolist() == [
        whole.count(char) for char in encoded.vocabulary.characters
    ]
    np.testing.assert_array_equal(encoded.ids, encoded.vocabulary.encode(whole))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 20])
def test_text_is_the_same_in_any_encoding_and_piece_size(
    encoding: str, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", piece)
    text = "naïve café\r\nœuf 日本語 👩‍👩‍👧 e\u0301\n"
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    assert read_text(str(path), encoding=encoding) == text


def test_several_files_follow_each_other_as_cat_would_have_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two")
    read = read_corpus([str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "a")])
    assert read.vocabulary.decode(read.ids) == "one\ntwoone\n"


def test_the_byte_order_mark_goes_and_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb")
    assert read_text(str(path)) == "a\r\nb"


@pytest.mark.parametrize("piece", [1, 4, 1 << 20])
def test_a_bad_byte_is_located(piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", piece)
    path = tmp_path / "latin.txt"
    path.write_bytes("première\nligne à\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"byte 5 \(line 1\) is not valid utf-8: 0xe8") as caught:
        read_text(str(path))
    assert str(path) in str(caught.value)
    assert "--encoding" in str(caught.value.hint)
    path.write_bytes("premiere\nl é".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"byte 11 \(line 2\)"):
        read_text(str(path))


@pytest.mark.parametrize("normalize", ["NFC", "NFKC"])
@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_normalization_does_not_see_the_pieces(
    normalize: str, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", piece)
    text = "cafe\u0301 \ufb01n\nA\u030a"
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    read = read_text(str(path), normalize=normalize)  # type: ignore[arg-type]
    assert read == unicodedata.normalize(normalize, text)  # type: ignore[arg-type]


def test_standard_input_is_read_once_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("été".encode())))
    assert read_text("-") == "été"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("missing.txt", "no such file"), (".", "is a folder"), ("a\0b", "not a valid path")],
)
def test_what_cannot_be_read_is_named(
    name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=complaint):
        read_text(name)


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(CorpusError, match="the corpus is empty"):
        read_corpus([str(tmp_path / "empty")])


@pytest.mark.parametrize("encoding", ["nonsense", "base64"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(ConfigError, match="unknown encoding"):
        read_text("-", encoding=encoding)


@pytest.mark.parametrize(("text", "warning"), [("aaaa", "single character"), ("a\0b", "NUL")])
def test_an_odd_corpus_is_read_with_a_warning(text: str, warning: str, tmp_path: Path) -> None:
    (tmp_path / "odd").write_text(text)
    assert warning in " ".join(read_corpus([str(tmp_path / "odd")]).warnings)


@pytest.mark.parametrize("size", [30, 300, 70_000])
def test_a_long_text_lies_in_a_file_and_is_the_same(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # characters of one, two and four bytes an id, new ones in every piece
    text = "".join(map(chr, range(0x20, 0x20 + size))).encode("utf-8", "ignore").decode()
    pieces = [text[at : at + size // 7] for at in range(0, len(text), size // 7)] * 2
    in_memory = Corpus(*encode_pieces(pieces))
    monkeypatch.setattr(storage, "IN_MEMORY", 20)
    in_file = Corpus(*encode_pieces(pieces))
    assert isinstance(in_file.ids.base, np.memmap)
    assert not isinstance(in_memory.ids.base, np.memmap)
    np.testing.assert_array_equal(in_file.ids, in_memory.ids)
    assert in_file.ids.dtype == in_memory.ids.dtype
    assert in_file.vocabulary == in_memory.vocabulary
    other = Vocabulary("".join(sorted({*in_file.vocabulary.characters, "\t", "\U0001f600"})))
    np.testing.assert_array_equal(
        in_file.encoded_with(other).ids, other.encode(text[: len(text)] * 2)
    )


def test_a_long_text_without_room_for_its_ids_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "IN_MEMORY", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    full = Path("/dev/full").open("w+b", 0)  # noqa: SIM115  # closed by whoever writes to it
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: full)
    with pytest.raises(CorpusError, match="no room for the ids of the text in") as caught:
        encode_pieces(["abc" * 1000])
    assert "TMPDIR" in (caught.value.hint or "")


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@given(text=st.text("ae\u0301\u0323\u1100\u1161\u11a8가日\u3099か\ufb01 ", min_size=1))
def test_text_without_line_ends_is_normalized_piece_by_piece(form: Any, text: str) -> None:
    pieces = iter(text)
    reader = reading.Reader("utf-8", form)
    assert "".join(reader._normalized(pieces)) == unicodedata.normalize(form, text)  # noqa: SLF001


def test_a_source_that_does_not_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    with open(read_end, "rb") as stream:  # noqa: PTH123
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
        with pytest.raises(CorpusError, match="set not to wait"):
            read_corpus(["-"])
    os.close(write_end)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be"])
def test_a_fault_is_named_by_the_line_of_the_text(encoding: str, tmp_path: Path) -> None:
    # U+0A0A has the byte of a line end twice, and none of its own
    sound = "one\ntwo \u0a0a\u0a0a\nthree".encode(encoding)
    bad = {"utf-8": b"\xff", "utf-16-le": b"\x00\xdc", "utf-32-be": b"\xff\xff\xff\xff"}[encoding]
    path = tmp_path / "text.txt"
    path.write_bytes(sound + bad + "more".encode(encoding))
    with pytest.raises(CorpusError, match=rf"byte {len(sound)} \(line 3\)"):
        read_text(str(path), encoding=encoding)
