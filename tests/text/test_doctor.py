"""The doctor names every fault, raises no false alarm, and repairs what it can."""

import bz2
import gzip
import io
import random
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from charrnn import ConfigError, CorpusError, read_text
from charrnn.text.check import Finding, check, repair
from charrnn.text.faults import OPTIONAL
from tests.text import faulty

FORMS = {
    **dict.fromkeys(("names", "passwords", "moves"), "list"),
    "server": "log",
    **dict.fromkeys(("records", "reviews"), "records"),
    **dict.fromkeys(("TSV", "CSV"), "table"),
    **dict.fromkeys(("Python", "JSON", "LaTeX", "wrapped LaTeX", "short lines of code"), "code"),
}
WRAPPED = {
    "English prose", "a whole book", "French prose", "no punctuation", "chapters",
    "a line said twice", "compounds at line ends",
}  # fmt: skip


def findings(text: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in check([("text.txt", text)])[1]}


def faults(text: str) -> set[str]:
    return {name for name, found in findings(text).items() if found.level == "fault"}


@pytest.mark.parametrize(("name", "text", "mended"), faulty.FAULTY)
def test_each_fault_is_named_alone_and_its_repair_restores_what_was_meant_once(
    name: str, text: str, mended: str
) -> None:
    pytest.importorskip("ftfy")
    found = findings(text)
    common = {"too-small", "wrapped", "pieces"}
    assert found.keys() - common == {name} - common
    assert ("too-small" in found) >= (name == "too-small")
    assert found[name].repair or found[name].hint
    assert (repair(text)[0] != text) == (found[name].repair == "--fix")
    also = {name} & set(OPTIONAL)
    assert repair(text, also) == (mended, [name] * (text != mended))


@pytest.mark.parametrize("what", faulty.CLEAN)
def test_a_clean_text_has_no_fault_stays_as_it_is_and_has_the_right_form(what: str) -> None:
    text, form = faulty.CLEAN[what], FORMS.get(what, "prose")
    assert faults(text) <= {"too-small"}
    assert ("wrapped" in findings(text)) == (what in WRAPPED)
    assert ("duplicate-lines" in findings(text)) == (what == "Python")  # a note: long ones recur
    assert repair(text) == (text, [])
    for ends in (text, text.replace("\n", "\r"), faulty.HEADER + text + faulty.FOOTER):
        assert check([("text.txt", ends)])[0]["form"] == form
        pieces = findings(ends).get("pieces")
        assert bool(pieces and pieces.train == "--lines") == (form in {"log", "table", "list"})


def test_a_finding_says_where_and_how_often_behind_headers_and_in_other_files() -> None:
    book = faulty.HEADER.replace("\n", "\r\n") + "A cafÃ©.\r\nThe ﬁrst ﬁre." + faulty.FOOTER
    files = [("a", "Fine."), ("b", book), ("c", "End.")]
    found = {it.name: (it.file, it.line, it.count, it.example) for it in check(files)[1]}
    assert found == {
        "gutenberg": ("b", 1, 2, faulty.HEADER[:40]),
        "mojibake": ("b", 7, 1, "Ã©."),
        "ligatures": ("b", 8, 2, "ﬁ"),
        "line-ends": ("b", 1, 7, r"\r\n"),
        "too-small": (None, None, 1, ""),
    }
    assert repair(book)[1] == ["line-ends", "gutenberg", "mojibake"]
    assert check(files)[0]["lines"] == book.count("\n") + 1  # a file ends a line
    many = [(f"{n}.json", f'{{\n  "of": {n}\n}}\n') for n in range(30)]
    options = [[it.train for it in check(some)[1] if it.name == "pieces"] for some in (many, files)]
    assert options == [["--separator file"], []]
    levels = [it.level for it in check([("a", faulty.put(faulty.ENGLISH, "\ufffd"))])[1]]
    assert levels == ["fault", "note"]  # though the table has the note first
    assert not faults(faulty.ENGLISH[:1200])
    assert faults('{"text": "<b>A caf\\u00e9</b>."}\n' * 30) == {"too-small"}  # which are data


@pytest.mark.parametrize("what", faulty.PIECES)
def test_pieces_are_found_but_not_in_prose_plays_and_code(what: str) -> None:
    text, option = faulty.PIECES[what]
    found = findings(text).get("pieces")
    assert (found.train if found else None) == option


def test_a_repaired_paragraph_is_one_line_and_verse_stays() -> None:
    mended = repair(faulty.ENGLISH + "\n" + faulty.VERSE, ["wrapped"])[0]
    assert mended.endswith(faulty.VERSE)
    paragraphs = faulty.ENGLISH.split("\n\n")
    assert mended.split("\n\n")[2] == paragraphs[2].replace("\n", " ")
    indented = "\n    ".join(paragraphs)
    lines = repair(indented, ["wrapped"])[0].split("\n")
    assert sum(line.startswith("    ") for line in lines) == len(paragraphs) - 1
    assert len(lines) < len(paragraphs) + 9


def test_the_book_itself_is_left() -> None:
    cover = (faulty.HEADER, faulty.FOOTER)
    two = cover[0] + faulty.ENGLISH + cover[1] + cover[0] + "Second.\n" + cover[1]
    assert repair(two) == (faulty.ENGLISH + "\n\nSecond.\n", ["gutenberg"])
    for text in ("It was late.\n" * 2000 + cover[0], "A.\n" + cover[1] + "A letter.\n" * 3000):
        assert repair(text) == (text, [])


def test_a_missing_package_and_a_repair_that_is_none_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ftfy", None)
    assert repair("a\r")[0] == "a\n"
    assert "mojibake" in faults("A cafÃ©.")
    with pytest.raises(ConfigError, match="needs the package ftfy") as caught:
        repair("A cafÃ©.")
    assert caught.value.hint == "pip install 'charrnn[doctor]'"
    with pytest.raises(ConfigError, match="no such repair: 'line-ends'"):
        repair("A", ["line-ends"])


def hint_of(folder: Path, data: bytes, encoding: str = "utf-8") -> str:
    """Return what is said to do about bytes that are not a text in this encoding."""
    (folder / "my text").write_bytes(data)
    with pytest.raises(CorpusError, match=r"my text: .*is .*not (?:valid|a text)") as caught:
        read_text(str(folder / "my text"), encoding=encoding)
    return str(caught.value.hint)


@pytest.mark.parametrize(("encoding", "data"), faulty.ENCODED)
def test_the_encoding_is_guessed_with_a_sample(encoding: str, data: bytes, tmp_path: Path) -> None:
    pytest.importorskip("chardet")
    assert hint_of(tmp_path, data).startswith(f"--encoding {encoding} if this reads right: ")
    text = read_text(str(tmp_path / "my text"), encoding=encoding)
    assert faults(text) <= {"too-small"}


@pytest.mark.parametrize(
    ("data", "tried", "hint"),
    [
        (faulty.FRENCH.encode(), "ascii", "--encoding utf-8 if this reads right: "),
        (faulty.ENGLISH.encode("utf-16") + b"a", "utf-8", "try another --encoding; is"),
        (b"A caf\xe9.\n", "utf-8", "try another --encoding; is it a text, and is"),
    ],
)
def test_a_doubtful_guess_or_one_that_was_tried_is_not_told(
    data: bytes, tried: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("chardet")
    assert hint_of(tmp_path, data, tried).startswith(hint)
    monkeypatch.setitem(sys.modules, "chardet", None)
    assert "to guess it: pip install 'charrnn[doctor]'" in hint_of(tmp_path, data, tried)


JOINED = [b"Ne\xe9.\n", b"\xc3", faulty.FRENCH.encode("cp1252", "ignore")]


@pytest.mark.parametrize("joined", JOINED)
def test_damaged_lines_are_left_out_by_the_command_of_the_hint(
    joined: bytes, tmp_path: Path
) -> None:
    hint, _, command = hint_of(tmp_path, faulty.FRENCH.encode() + joined).partition(": ")
    assert hint.startswith("damaged UTF-8, or joined with another encoding (")
    if shutil.which("iconv"):
        subprocess.run(command, shell=True, cwd=tmp_path, check=False)  # noqa: S602
        fixed = (tmp_path / "fixed.txt").read_text()
        assert fixed == faulty.FRENCH + joined.decode(errors="ignore")


def zipped(member: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, faulty.FRENCH)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"%PDF-1.7\n", "convert it to text: pdftotext {} text.txt"),
        (rb"{\rtf1 A", "convert it to text: pandoc -t plain -o text.txt {}"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "name a text"),
        (b"ID3\x04", "name a text"),
        (random.Random(1).randbytes(900), "is it the right file?"),
        (bz2.compress(faulty.FRENCH.encode()), "take the texts out: 7z x {}"),
        (b"PAR1\x15\x04", "write it as .csv, for --field"),
        (zipped("[Content_Types].xml"), "save it as text, or as .csv"),
        (zipped("w.npy"), "name a text"),
        (zipped("x"), "take the texts out: unzip {}"),
        (gzip.compress(tarfile.TarInfo("x\n").tobuf(), mtime=0), "take the texts out: tar -xf {}"),
    ],
)
def test_what_is_not_a_text_is_told_what_to_do(
    data: bytes, hint: str, encoding: str, tmp_path: Path
) -> None:
    said = hint_of(tmp_path, data, encoding)
    assert said == hint.format(shlex.quote(str(tmp_path / "my text")))


def test_the_time_to_check_is_linear_in_the_text() -> None:
    parts = [" ", "\t\n", "a\n12\n", "\r", "a-\n", *faulty.MARKERS]
    parts += ["a", "привет ", "\u200b字", "<a ", "Ð¸", "é", "\x1b]", "aо"]
    for part in parts:
        begun = time.process_time()
        assert len(check([("text.txt", part * (200_000 // len(part)))])[1]) < 7
        assert time.process_time() - begun < 3, part  # a tenth of it, where it is linear
