"""The doctor names every fault, raises no false alarm, and repairs what it can."""

import gzip
import random
import re
import shlex
import shutil
import subprocess
import tarfile
import zipfile
from bz2 import compress
from pathlib import Path

import pytest

from charrnn import ConfigError, CorpusError, read_text
from charrnn.errors import DecodingError
from charrnn.text.check import Finding, check, repair
from charrnn.text.faults import OPTIONAL
from charrnn.text.form import OF_LINES, has_mostly_copies
from tests.text import faulty

FAULTY = faulty.FAULTY
FORMS = {
    **dict.fromkeys(("names", "towns", "passwords", "commits", "double-spaced"), "list"),
    **dict.fromkeys(("molecules", "positions", "moves"), "list"),
    **dict.fromkeys(("server", "syslog"), "log"),
    "records": "records",
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


@pytest.mark.parametrize("what", FAULTY)
def test_each_fault_is_named_and_nothing_else(what: str) -> None:
    names, text = FAULTY[what]
    common = {"too-small", "wrapped", "pieces", "lines", "records"}
    assert findings(text).keys() - common == set(names.split()) - common
    assert ("too-small" in faults(text)) >= ("too-small" in names)


@pytest.mark.parametrize("what", faulty.CLEAN)
def test_a_clean_text_has_no_fault_stays_as_it_is_and_has_the_right_form(what: str) -> None:
    text, form = faulty.CLEAN[what], FORMS.get(what, "prose")
    assert faults(text) <= {"too-small"}
    assert ("wrapped" in findings(text)) == (what in WRAPPED)
    assert repair(text) == (text, [])
    for ends in (text, text.replace("\n", "\r"), faulty.HEADER + text + faulty.FOOTER):
        assert check([("text.txt", ends)])[0]["form"] == form
        assert ("lines" in findings(ends)) == (form in OF_LINES)


@pytest.mark.parametrize(
    ("what", "name", "line", "count"),
    [
        ("mark between files", "bom", 21, 1),
        ("CR LF", "line-ends", 1, 137),
        ("mixed line ends", "line-ends", 1, 9),
        ("curly quotes", "quotes", 21, 2),
        ("a name twice", "duplicate-lines", 701, 1),
        ("page numbers", "page-numbers", 10, 7),
    ],
)
def test_a_finding_says_where_and_how_often(what: str, name: str, line: int, count: int) -> None:
    found = findings(FAULTY[what][1])[name]
    assert (found.line, found.count) == (line, count)


def test_the_place_is_that_in_the_file_behind_header_and_other_files() -> None:
    book = faulty.HEADER.replace("\n", "\r\n") + "A cafÃ©.\r\nThe ﬁrst." + faulty.FOOTER
    files = [("a", faulty.HEADER + "Fine." + faulty.FOOTER), ("b", book), ("c", "End.")]
    found = {finding.name: finding for finding in check(files)[1]}
    assert (found["mojibake"].file, found["mojibake"].line) == ("b", 7)
    assert (found["ligatures"].file, found["ligatures"].line) == ("b", 8)
    assert found.keys() == {"mojibake", "ligatures", "line-ends", "gutenberg", "too-small"}


def test_records_and_short_files_are_told_how_to_be_learned() -> None:
    recipes = '{"title": "Soup", "steps": ["Cook it.", "Eat it."], "of": 1}\n'
    assert findings(recipes * 30)["records"].hint == "train with --field steps"
    assert "records" not in findings('{"n": 1}\n' * 30)
    assert not faults('{"text": "A caf\\u00e9, \\u0022so\\u0022."}\n' * 30)
    files = check([(f"{n}.json", f'{{\n  "title": "Soup {n}"\n}}\n') for n in range(30)])[1]
    assert [it.hint for it in files if it.name == "files"] == ["train with --separator file"]
    assert "files" not in {it.name for it in check([("a", faulty.TSV)] * 30)[1]}


def test_a_text_of_copies_is_known_by_them_but_code_is_not() -> None:
    assert has_mostly_copies("The sea is calm.\nThe bell.\nNobody came.\n" * 300)
    assert findings("The sea is calm.\nNobody came.\n" * 450)["duplicate-lines"].count == 898
    assert not has_mostly_copies("".join(f"Fortune {n}\n%\n" for n in range(100)))
    assert not has_mostly_copies("    }\n  ];\n  return [x];\n" * 300)


MENDED = FAULTY | {
    "names again": ("duplicate-lines", faulty.PASSWORDS + faulty.PASSWORDS[:50]),
    "wrapped": ("wrapped", faulty.ENGLISH + "\n" + faulty.VERSE),
    "wrapped French": ("wrapped", faulty.FRENCH),
    "a dash at an end": (
        "long-dashes", faulty.put(faulty.ENGLISH, "He waited --\n-- then — nothing.\n-----"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MENDED)
def test_the_repair_of_a_finding_mends_it_and_destroys_nothing(what: str) -> None:
    pytest.importorskip("ftfy")
    names, text = MENDED[what]
    found = {it.name: it for it in findings(text).values() if it.repair and it.name in names}
    mended, done = repair(text, found.keys() & set(OPTIONAL))
    assert found.keys() <= set(done)
    assert not found.keys() & findings(mended).keys()
    safe, _ = repair(text)
    words, left = (set(re.findall(r"[^\W\d_]{3,}", it)) for it in (safe, mended))
    assert len(words & left) >= 0.96 * len(words)
    if "page-numbers" not in names:
        assert safe.split("\n").count("") == mended.split("\n").count("")
    assert faulty.VERSE not in text or faulty.VERSE in mended


@pytest.mark.parametrize("text", ["caf√¢. ", "cafÅ™. ", "СЏСЏСЏ "])
def test_what_the_repair_leaves_is_not_said_to_be_repaired(text: str) -> None:
    pytest.importorskip("ftfy")
    found = [it for it in check([("a", f"A cafÃ©.\n{text}\n")])[1] if it.name == "mojibake"]
    assert [(it.line, it.count, it.repair) for it in found] == [(1, 1, "--fix"), (2, 1, "")]
    assert repair(text)[0] == text


def test_a_repaired_paragraph_is_one_line() -> None:
    pages = "the\n\n12\n\nsea, and\n13\nthe\n\n- 14 -\nsea of\n15\nit.\n\n1984\n\nThe end.\n"
    assert repair(pages, ["page-numbers"])[0] == "the\nsea, and\nthe\n\nsea of\nit.\n\n\nThe end.\n"
    indented = faulty.ENGLISH.replace("\n\n", "\n    ")
    lines = repair(indented, ["wrapped"])[0].split("\n")
    assert sum(line.startswith("    ") for line in lines) == indented.count("\n    ")
    assert len(lines) < len(faulty.ENGLISH.split("\n\n")) + 9
    once = faulty.ENGLISH.split("\n\n")[2]
    assert repair(faulty.ENGLISH, ["wrapped"])[0].split("\n\n")[2] == once.replace("\n", " ")


@pytest.mark.parametrize(
    ("broken", "mended", "also"),
    [
        ("\ufeffa\r\nb\rc\r\n\u2028e\r\r\n", "a\nb\nc\n\ne\n", None),
        ("cafÃ© â€œouiâ€\x9d cÅ“ur â‚¬ 5", "café “oui” cœur € 5", None),
        ("cafÃƒÂ© ðŸ˜€ Ð¼Ð¾Ñ€Ðµ", "café 😀 море", None),
        ("don\x92t \x93a\x94", "don’t “a”", None),
        ("\x1b[1;31mred\x1b[0m a\0b _\bx \x1b]0;title\x07", "red ab x ", None),
        ("zero\u200bwidth\xad e\u0301", "zerowidth é", None),
        ("good\u3164day", "good day", None),
        ("a \t\n b  \nc   \n", "a\n b  \nc\n", None),
        ("“don’t” &amp;", '"don’t" &amp;', "quotes"),
        ("“don’t” ‘so’", "“don't” 'so'", "apostrophes"),
        ("a‑b − c — d", "a-b − c — d", "dashes"),
        ("good\xa0day\u2003c, 12\xa0m", "good day c, 12\xa0m", "spaces"),
        ("ﬁre", "fire", "ligatures"),
        ("a &amp;lt; b &eacute; &none;", "a &lt; b é &none;", "html-entities"),
        ("<p>3 < 4</p> <br/>", "3 < 4 ", "html-tags"),
        ("See https://example.org/a?b=1, a", "See  a", "urls"),
        (
            "caf=C3=A9 =E2=80=94 %C3%A9 \\u00e9\\ud83d\\ude00 \\ud83d \\u0022",
            "café — é é😀 � \\u0022",
            "escapes",
        ),
    ],
)
def test_a_repair_restores_what_was_meant_once(broken: str, mended: str, also: str | None) -> None:
    pytest.importorskip("ftfy")
    if also:
        assert repair(broken) == (broken, [])
    assert repair(broken, [also] if also else [])[0] == mended


def test_the_book_itself_is_left() -> None:
    pytest.importorskip("ftfy")
    book, cover = faulty.ENGLISH, (faulty.HEADER, faulty.FOOTER)
    two = cover[0] + book + cover[1] + cover[0] + "Second.\n" + cover[1]
    assert repair(two) == (book + "\n\nSecond.\n", ["gutenberg"])
    assert repair(book + "\nEnd of the Project Gutenberg EBook\n" + cover[1])[0] == book
    late = "It was late.\n" * 2000 + cover[0]
    assert repair(late) == (late, [])
    letter = "A book.\n" + cover[1] + "And a letter.\n" * 2000
    assert repair(letter) == (letter, [])
    assert faults(letter) >= {"gutenberg-inside"}


def test_an_unknown_repair_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no such repair: 'bom'"):
        repair("a", ["bom"])
    monkeypatch.setitem(__import__("sys").modules, "ftfy", None)
    assert repair("a\r")[0] == "a\n"
    with pytest.raises(ConfigError, match="needs the package ftfy") as caught:
        repair("A cafÃ©.")
    assert caught.value.hint == "pip install 'charrnn[doctor]'"
    assert "mojibake" in faults("A cafÃ©.")


@pytest.mark.parametrize(("encoding", "data"), faulty.ENCODED)
def test_the_encoding_is_guessed_with_a_sample(encoding: str, data: bytes, tmp_path: Path) -> None:
    pytest.importorskip("chardet")
    with pytest.raises(DecodingError, match=r"is not (?:valid )?utf-8") as caught:
        read_text(faulty.write(tmp_path, data))
    assert caught.value.guess == encoding
    assert f"--encoding {encoding}" in str(caught.value.hint)
    assert not faults(read_text(faulty.write(tmp_path, data), encoding=encoding)) - {"too-small"}


def test_a_doubtful_guess_is_not_put_into_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("chardet")
    path = faulty.write(tmp_path, b"A caf\xe9.\n")
    for hint in ("; perhaps ", "; to guess it: pip install 'charrnn[doctor]'"):
        with pytest.raises(DecodingError, match=r"byte 5 \(line 1\) .* 0xe9") as caught:
            read_text(path)
        assert caught.value.guess is None
        assert f"name the file's encoding with --encoding{hint}" in str(caught.value.hint)
        monkeypatch.setitem(__import__("sys").modules, "chardet", None)


def test_an_encoding_that_was_tried_is_no_guess(tmp_path: Path) -> None:
    pytest.importorskip("chardet")
    with pytest.raises(DecodingError, match="is not valid utf-16") as caught:
        read_text(faulty.write(tmp_path, faulty.ENGLISH.encode("utf-16") + b"a"))
    assert caught.value.guess is None
    assert "is it complete?" in str(caught.value.hint)


def test_damaged_lines_are_left_out_by_the_command_of_the_hint(tmp_path: Path) -> None:
    path = tmp_path / "my text.txt"
    halves = "A \ud83d\ude00.\n".encode("utf-8", "surrogatepass")
    for begun, joined in (
        (faulty.FRENCH, b"Ne\xe9.\n"), (faulty.FRENCH, faulty.FRENCH.encode("cp1252", "ignore")),
        ("", halves), ("", b"A \xc0\x80\n"),
    ):  # fmt: skip
        path.write_bytes(begun.encode() + joined)
        with pytest.raises(DecodingError) as caught:
            read_text(str(path))
        hint, _, command = str(caught.value.hint).partition(": ")
        assert hint.startswith("damaged UTF-8, or joined with another encoding (")
        if shutil.which("iconv"):
            subprocess.run(command, shell=True, cwd=tmp_path, check=False)  # noqa: S602
            fixed = (tmp_path / "fixed.txt").read_text()
            assert fixed == begun + joined.decode(errors="ignore")


def _make_formats(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Return files that are no texts, and what to do with them."""
    text = folder / "inside.txt"
    text.write_text(faulty.FRENCH)
    formats = {
        "a PDF": (b"%PDF-1.7\n", "pdftotext"),
        "RTF": (rb"{\rtf1 A", "pandoc"),
        "an array": (b"\x93NUMPY\x01", "name a text"),
        "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "name a text"),
        "noise": (random.Random(1).randbytes(900), "right file"),
        "twice": (gzip.compress(gzip.compress(b"A")), "unpack it once"),
        "7z": (b"7z\xbc\xaf\x27\x1c", "7z x"),
        "mobi": (b"A_Book" + bytes(54) + b"BOOKMOBI", "ebook-convert"),
        "parquet": (b"PAR1\x15\x04", "write it as a .csv"),
        "bytes": (bytes(range(256)), "right file"),
        "bzip2": (compress(faulty.FRENCH.encode()), "bunzip2"),
    }
    for member, hint in (
        ("[Content_Types].xml", "pandoc"), ("xl/workbook.xml", "write it as a .csv"),
        ("archive/data.pkl", "name a"), ("w.npy", "name a"), ("x", "unzip"),
    ):  # fmt: skip
        with zipfile.ZipFile(folder / "file", "w") as file:
            file.write(text, member)
        formats[member] = (folder / "file").read_bytes(), hint
    with tarfile.open(folder / "file", "w") as archive:
        archive.add(text, "x")
    data = (folder / "file").read_bytes()
    return formats | {"tar": (data, "tar -xf"), "tar.gz": (gzip.compress(data), "tar -xf")}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_is_not_a_text_is_told_what_to_do(encoding: str, tmp_path: Path) -> None:
    for name, (data, hint) in _make_formats(tmp_path).items():
        path = tmp_path / f"my {name.replace('/', ' ')}"
        path.write_bytes(data)
        with pytest.raises(CorpusError, match=r"is .*not a text") as caught:
            read_text(str(path), encoding=encoding)
        assert hint in str(caught.value.hint)
        command = str(caught.value.hint).partition(": ")[2]
        if hint in {"unzip", "tar -xf", "bunzip2"} and shutil.which(hint.split()[0]):
            (tmp_path / "x").unlink(missing_ok=True)
            subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
            unpacked = tmp_path / ("my bzip2.out" if hint == "bunzip2" else "x")
            assert unpacked.read_text() == faulty.FRENCH


def test_no_check_looks_twice_at_a_long_line() -> None:
    parts = [" ", "\t\n", "a\n12\n", "\r", "a-\n", "*** END OF THIS PROJECT GUTENBERG\n"]
    parts += ["a", "привет ", "\u200b字", "<a ", "‚Ä", "РІ", "ìA", "=C3=A9", "\x1b]", "aο"]
    for part in parts:
        assert len(check([("text.txt", part * (200_000 // len(part)))])[1]) < 7
