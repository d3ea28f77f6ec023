"""The doctor names every fault, raises no false alarm, and repairs what it can."""

import gzip
import random
import shlex
import shutil
import subprocess
import tarfile
import time
import zipfile
from bz2 import compress
from pathlib import Path

import pytest

from charrnn import ConfigError, CorpusError, read_text
from charrnn.text.check import Finding, check, repair
from charrnn.text.faults import OPTIONAL
from charrnn.text.form import has_mostly_copies
from tests.text import faulty

FORMS = {
    **dict.fromkeys(("names", "towns", "passwords", "moves"), "list"),
    "server": "log",
    **dict.fromkeys(("records", "reviews"), "records"),
    **dict.fromkeys(("TSV", "CSV"), "table"),
    **dict.fromkeys(("Python", "JSON", "LaTeX"), "code"),
}
WRAPPED = {
    "English prose", "a whole book", "French prose", "no punctuation", "chapters",
    "compounds at line ends",
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
    assert (repair(text)[0] != text) == (found[name].repair == "--fix")
    also = {name} & set(OPTIONAL)
    assert repair(text, also) == (mended, [name] * (text != mended))


@pytest.mark.parametrize("what", faulty.CLEAN)
def test_a_clean_text_has_no_fault_stays_as_it_is_and_has_the_right_form(what: str) -> None:
    text, form = faulty.CLEAN[what], FORMS.get(what, "prose")
    assert faults(text) <= {"too-small"}
    assert ("wrapped" in findings(text)) == (what in WRAPPED)
    assert repair(text) == (text, [])
    for ends in (text, text.replace("\n", "\r"), faulty.HEADER + text + faulty.FOOTER):
        assert check([("text.txt", ends)])[0]["form"] == form
        pieces = findings(ends).get("pieces")
        assert bool(pieces and pieces.train == "--lines") == (form in {"log", "table", "list"})


def test_a_finding_says_where_and_how_often_behind_headers_and_in_other_files() -> None:
    book = faulty.HEADER.replace("\n", "\r\n") + "A cafÃ©.\r\nThe ﬁrst ﬁre." + faulty.FOOTER
    files = [("a", "Fine."), ("b", book), ("c", "End.")]
    found = {it.name: (it.file, it.line, it.count, it.example) for it in check(files)[1]}
    assert found.keys() == {"mojibake", "ligatures", "line-ends", "gutenberg", "too-small"}
    assert found["gutenberg"] == ("b", 1, 2, faulty.HEADER[:40])
    assert found["mojibake"] == ("b", 7, 1, "Ã©.")
    assert found["ligatures"] == ("b", 8, 2, "ﬁ")
    assert found["line-ends"] == ("b", 1, 7, r"\r\n")
    assert check(files)[0]["lines"] == book.count("\n") + 1  # a file ends a line
    levels = [it.level for it in check([("a", faulty.put(faulty.ENGLISH, "\ufffd"))])[1]]
    assert levels == ["fault", "note"]  # though the table has the note first


def test_records_and_short_files_are_told_how_to_be_learned() -> None:
    recipes = '{"title": "Soup", "steps": ["Cook it.", "Eat it."], "of": 1}\n'
    assert findings(recipes * 30)["pieces"].train == "--field steps"
    assert findings(faulty.CLEAN["reviews"])["pieces"].train == "--field review"
    long = f'{{"text": "{"sea " * 2000}"}}\n' * 20
    assert findings(long)["pieces"].train == "--field text"
    assert "pieces" not in findings('{"n": 1}\n' * 30)
    assert faults('{"text": "<b>A caf\\u00e9</b>."}\n' * 30) == {"too-small"}
    files = check([(f"{n}.json", f'{{\n  "title": "Soup {n}"\n}}\n') for n in range(30)])[1]
    assert [it.train for it in files if it.name == "pieces"] == ["--separator file"]


TUNE = "X:{n}\nT:The {a} of {b}\nM:6/8\nK:D\n|:dff cee|def gfe|dff cee|dfe dBA:|\n"
POEM = "The {a}\n\nof {b}\nlies low,\nand so\ndo I.\n"
CARD = "{a} {b}\nCost: {n}\nFlies. When it dies, draw a card.\n"
PROSE = (
    "The {a} had been closed since {b}, and nobody in the village could remember\n"
    "whether the ferry still ran on Sundays. He counted the coins in his pocket,\n"
    "looked at the {b}, and decided that it would be better to wait until {n}.\n"
)
PLAY = "{a}:\nWho goes there, and at such an hour of night,\nwithout a {b}?\n"
CODE = "int {a}(int {b}) {{\n    if ({b} > {n})\n        return {b};\n    return {a};\n}}\n"
WORDS = ["lamp", "harbour", "night", "rose", "mill", "spring", "key"]


def text_of(form: str, between: str = "\n", count: int = 40) -> str:
    words = [(WORDS[n % 7], WORDS[n % 5]) for n in range(count)]
    return between.join(form.format(n=n, a=a, b=b) for n, (a, b) in enumerate(words))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (text_of(TUNE), r"\n\n"),
        (text_of(CARD, "\n\n"), r"\n\n"),
        (text_of(POEM, "%\n"), r"\n%\n"),
        (text_of(PROSE, "---\n"), r"\n---\n"),
        (text_of(PROSE), None),
        (text_of(PLAY), None),
        (text_of(CODE), None),
        (text_of(TUNE, count=10), None),
        (text_of("A {a}\n========\n\nAbout the {b}.\n"), None),
    ],
)
def test_short_pieces_are_found_but_not_in_prose_plays_and_code(
    text: str, expected: str | None
) -> None:
    found = findings(text).get("pieces")
    assert (found and found.train) == (expected and f"--separator '{expected}'")


def test_a_text_of_copies_is_known_by_them_but_code_is_not() -> None:
    assert has_mostly_copies("The sea is calm.\nThe bell.\nNobody came.\n" * 300)
    assert not has_mostly_copies("".join(f"Fortune {n}\n%\n" for n in range(100)))
    assert not has_mostly_copies("    }\n  ];\n  return [x];\n" * 300)


def test_a_repaired_paragraph_is_one_line_and_verse_stays() -> None:
    mended = repair(faulty.ENGLISH + "\n" + faulty.VERSE, ["wrapped"])[0]
    assert mended.endswith(faulty.VERSE)
    once = faulty.ENGLISH.split("\n\n")
    assert mended.split("\n\n")[2] == once[2].replace("\n", " ")
    indented = faulty.ENGLISH.replace("\n\n", "\n    ")
    lines = repair(indented, ["wrapped"])[0].split("\n")
    assert sum(line.startswith("    ") for line in lines) == indented.count("\n    ")
    assert len(lines) < len(once) + 9


def test_the_book_itself_is_left() -> None:
    cover = (faulty.HEADER, faulty.FOOTER)
    two = cover[0] + faulty.ENGLISH + cover[1] + cover[0] + "Second.\n" + cover[1]
    assert repair(two) == (faulty.ENGLISH + "\n\nSecond.\n", ["gutenberg"])
    for text in ("It was late.\n" * 2000 + cover[0], "A.\n" + cover[1] + "A letter.\n" * 3000):
        assert repair(text) == (text, [])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ftfy", None)
    assert repair("a\r")[0] == "a\n"
    assert "mojibake" in faults("A cafÃ©.")
    with pytest.raises(ConfigError, match="needs the package ftfy") as caught:
        repair("A cafÃ©.")
    assert caught.value.hint == "pip install 'charrnn[doctor]'"


@pytest.mark.parametrize(("encoding", "data"), faulty.ENCODED)
def test_the_encoding_is_guessed_with_a_sample(encoding: str, data: bytes, tmp_path: Path) -> None:
    pytest.importorskip("chardet")
    with pytest.raises(CorpusError, match=r"is not (?:valid|a text in) utf-8") as caught:
        read_text(faulty.write(tmp_path, data))
    assert str(caught.value.hint).startswith(f"--encoding {encoding} if this reads right: ")
    assert not faults(read_text(faulty.write(tmp_path, data), encoding=encoding)) - {"too-small"}


def test_a_doubtful_guess_or_one_that_was_tried_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("chardet")
    with pytest.raises(CorpusError, match="is not valid utf-16") as caught:
        read_text(faulty.write(tmp_path, faulty.ENGLISH.encode("utf-16") + b"a"))
    assert "is it complete?" in str(caught.value.hint)
    with pytest.raises(CorpusError, match="is not valid ascii") as caught:
        read_text(faulty.write(tmp_path, faulty.FRENCH.encode()), encoding="ascii")
    assert str(caught.value.hint).startswith("--encoding utf-8 if this reads right: ")
    path = faulty.write(tmp_path, b"A caf\xe9.\n")
    for hint in ("; is it a text", "; to guess it: pip install 'charrnn[doctor]'"):
        with pytest.raises(CorpusError, match=r"byte 5 \(line 1\) .* 0xe9") as caught:
            read_text(path)
        assert f"name its encoding with --encoding{hint}" in str(caught.value.hint)
        monkeypatch.setitem(__import__("sys").modules, "chardet", None)


def test_damaged_lines_are_left_out_by_the_command_of_the_hint(tmp_path: Path) -> None:
    path = tmp_path / "my text.txt"
    for begun, joined in (
        (faulty.FRENCH, b"Ne\xe9.\n"), (faulty.FRENCH, faulty.FRENCH.encode("cp1252", "ignore")),
    ):  # fmt: skip
        path.write_bytes(begun.encode() + joined)
        with pytest.raises(CorpusError) as caught:
            read_text(str(path))
        hint, _, command = str(caught.value.hint).partition(": ")
        assert hint.startswith("damaged UTF-8, or joined with another encoding (")
        if shutil.which("iconv"):
            subprocess.run(command, shell=True, cwd=tmp_path, check=False)  # noqa: S602
            fixed = (tmp_path / "fixed.txt").read_text()
            assert fixed == begun + joined.decode(errors="ignore")


def _pack(folder: Path, member: str) -> bytes:
    """Return a text in a zip archive."""
    with zipfile.ZipFile(folder / "file", "w") as file:
        file.writestr(member, faulty.FRENCH)
    return (folder / "file").read_bytes()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_is_not_a_text_is_told_what_to_do(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "inside.txt").write_text(faulty.FRENCH)
    with tarfile.open(tmp_path / "tar", "w") as archive:
        archive.add(tmp_path / "inside.txt", "x")
    path = tmp_path / "my file"
    for data, hint in (
        (b"%PDF-1.7\n", "pdftotext"),
        (rb"{\rtf1 A", "pandoc"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "name a text"),
        (random.Random(1).randbytes(900), "right file"),
        (compress(faulty.FRENCH.encode()), "7z x"),
        (b"PAR1\x15\x04", "write it as .csv"),
        (_pack(tmp_path, "[Content_Types].xml"), "save it as text"),
        (_pack(tmp_path, "w.npy"), "name a text"),
        (_pack(tmp_path, "x"), "unzip"),
        (gzip.compress((tmp_path / "tar").read_bytes()), "tar -xf"),
    ):
        path.write_bytes(data)
        with pytest.raises(CorpusError, match=r"is .*not a text") as caught:
            read_text(str(path), encoding=encoding)
        assert hint in str(caught.value.hint)
        command = str(caught.value.hint).partition(": ")[2]
        if hint in {"unzip", "tar -xf"} and shutil.which(hint.split()[0]):
            (tmp_path / "x").unlink(missing_ok=True)
            subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
            assert (tmp_path / "x").read_text() == faulty.FRENCH


def test_the_time_to_check_is_linear_in_the_text() -> None:
    parts = [" ", "\t\n", "a\n12\n", "\r", "a-\n", *faulty.MARKERS]
    parts += ["a", "привет ", "\u200b字", "<a ", "Ð¸", "é", "\x1b]", "aо"]
    for part in parts:
        begun = time.process_time()
        assert len(check([("text.txt", part * (200_000 // len(part)))])[1]) < 7
        assert time.process_time() - begun < 3, part  # a tenth of it, where it is linear
