"""The doctor names every fault, raises no false alarm, and repairs what it can."""

import gzip
import lzma
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from charrnn import ConfigError, CorpusError, read_text
from charrnn.errors import DecodingError
from charrnn.text.check import Finding, Text, check
from charrnn.text.form import form_of
from charrnn.text.repair import OPTIONAL, SAFE, repair
from tests.text import faulty

FAULTY = faulty.FAULTY
PASSWORDS = [f"{word}{n}{'!' * (n % 4 == 0)}" for n in range(90) for word in ("tiger", "Blue")]
FORMS = {
    "passwords": ("list", PASSWORDS),
    "molecules": ("list", [f"CC(=O)N[C@@H]({'C' * n})C1=CC=C(Cl)C=C1." for n in range(1, 60)]),
    "chess": ("list", [f"rnbqkbnr/8/8/{n}/4P3/PPPP/RNBQ w KQkq - 0 {n}" for n in range(60)]),
    "names": ("list", ["Aber Falls", "Aberdour Castle", "Ben More"] * 10),
    "server": ("log", [f"2026-01-0{n % 9 + 1} 12:30 [INFO] GET /a{n} (200)" for n in range(60)]),
    "syslog": ("log", [f"Jan  {n % 9} 08:11:0{n % 9} host sshd[{n}]: closed." for n in range(60)]),
    "tsv": ("table", [f"{n}\tA sentence, and one more. It says so {n}.\tb" for n in range(60)]),
    "csv": ("table", [f"{n},name {n},{n * n}" for n in range(60)]),
    "poem": ("verse", ["Tyger, tyger, burning bright,", "In the forests of the night;"] * 20),
    "code": ("code", ["def f(x):", "    return [", "        x,", "    ]"] * 20),
    "prose": ("prose", ["It was late, and the road went on into the hills. " * 3] * 20),
    "few": ("prose", ["a", "b"]),
}  # fmt: skip


def findings(text: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in check(Text([("text.txt", text)]))}


def faults(text: str) -> set[str]:
    return {name for name, found in findings(text).items() if found.level == "fault"}


@pytest.mark.parametrize("what", FAULTY)
def test_each_fault_is_named_and_nothing_else(what: str) -> None:
    names, text = FAULTY[what]
    assert faults(text) - {"too-small"} == set(names.split()) - {"too-small"}
    assert ("too-small" in faults(text)) >= ("too-small" in names)


@pytest.mark.parametrize("what", faulty.CLEAN)
def test_a_clean_text_has_no_fault_and_stays_as_it_is(what: str) -> None:
    text = faulty.CLEAN[what]
    assert faults(text) <= {"too-small"}
    pytest.importorskip("ftfy")
    assert repair(text) == (text, [])


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
    book = faulty.HEADER.replace("\n", "\r\n") + "A cafÃ©.\r\n" + faulty.FOOTER
    files = [("a", faulty.HEADER + "Fine.\n" + faulty.FOOTER), ("b", book)]
    found = {finding.name: finding for finding in check(Text(files))}
    assert (found["mojibake"].file, found["mojibake"].line) == ("b", 7)
    assert found.keys() == {"mojibake", "line-ends", "gutenberg", "too-small"}


@pytest.mark.parametrize("what", FORMS)
def test_the_form_of_a_text_is_named(what: str) -> None:
    form, lines = FORMS[what]
    for end in ("\n", "\r"):
        text = Text([("text.txt", end.join([*lines, ""]))])
        assert text.form == form
        assert ({"log", "table", "list"} & {found.name for found in check(text)}) == (
            {form} & {"log", "table", "list"}
        )


HINTED = {name: text for name, (_, text) in FAULTY.items()} | {
    "names again": "\n".join([*PASSWORDS, *PASSWORDS[:5], ""]),
    "wrapped": faulty.ENGLISH,
    "wrapped French": faulty.FRENCH,
    "a dash at an end": faulty.put(faulty.ENGLISH, "He waited --\n-- then — nothing.\n-----"),
}


@pytest.mark.parametrize("what", HINTED)
def test_a_command_mends_what_it_is_for_and_destroys_nothing(what: str) -> None:
    pytest.importorskip("ftfy")
    text, _ = repair(HINTED[what])
    words = set(re.findall(r"[^\W\d_]{3,}", text))
    for found in findings(text).values():
        if not found.command or shutil.which(found.command.split()[0]) is None:
            continue
        after = subprocess.check_output(found.command, shell=True, input=text.encode()).decode()  # noqa: S602
        assert findings(after).keys() <= ({*findings(text)} - {found.name}) | {"too-small"}
        assert len(words & set(re.findall(r"[^\W\d_]{3,}", after))) >= 0.97 * len(words)
        blank = [it.removesuffix("\n").split("\n").count("") for it in (text, after)]
        assert blank[0] == blank[1]


@pytest.mark.parametrize("what", FAULTY)
def test_the_repair_of_a_finding_mends_it(what: str) -> None:
    pytest.importorskip("ftfy")
    text = FAULTY[what][1]
    found = {finding.repair for finding in findings(text).values() if finding.repair}
    mended, done = repair(text, found & set(OPTIONAL))
    assert found <= set(done)
    assert not found & {finding.repair for finding in findings(mended).values()}


@pytest.mark.parametrize(
    ("broken", "mended", "also"),
    [
        ("\ufeffa\r\nb\rc\r\n\u2028e", "a\nb\nc\n\ne", None),
        ("cafÃ© â€œouiâ€\x9d cÅ“ur â‚¬ 5", "café “oui” cœur € 5", None),
        ("cafÃƒÂ© ðŸ˜€ Ð¼Ð¾Ñ€Ðµ", "café 😀 море", None),
        ("don\x92t \x93a\x94", "don’t “a”", None),
        ("\x1b[1;31mred\x1b[0m a\0b _\bx", "red ab x", None),
        ("zero\u200bwidth\xad e\u0301", "zerowidth é", None),
        ("a \t\n b  \nc   \n", "a\n b  \nc\n", None),
        ("“don’t” &amp;", '"don\'t" &amp;', "quotes"),
        ("a‑b − c — d", "a-b − c — d", "dashes"),
        ("good\xa0day\u2003c, 12\xa0m", "good day c, 12\xa0m", "spaces"),
        ("ﬁre", "fire", "ligatures"),
        ("a &amp;lt; b &eacute; &none;", "a &lt; b é &none;", "entities"),
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
    assert repair(two) == (book + "\nSecond.\n", ["gutenberg"])
    letter = "A book.\n" + cover[1] + "And a letter.\n" * 701
    assert repair(letter) == (letter, [])
    assert faults(letter) >= {"gutenberg"}


def test_an_unknown_repair_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no such repair: 'bom'"):
        repair("a", [SAFE[0]])
    monkeypatch.setitem(__import__("sys").modules, "ftfy", None)
    with pytest.raises(ConfigError, match="needs the package ftfy") as caught:
        repair("a")
    assert caught.value.hint == "pip install 'charrnn[doctor]'"


@pytest.mark.parametrize(("encoding", "data"), faulty.ENCODED)
def test_the_encoding_is_guessed_with_a_sample(encoding: str, data: bytes, tmp_path: Path) -> None:
    pytest.importorskip("chardet")
    with pytest.raises(DecodingError, match=r"is not (?:valid )?utf-8") as caught:
        read_text(faulty.write(tmp_path, data))
    assert caught.value.guess == encoding
    assert f"--encoding {encoding}" in str(caught.value.hint)
    assert not faults(read_text(faulty.write(tmp_path, data), encoding=encoding)) - {"too-small"}


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        ("A café.\n".encode("cp1252"), "name the file's encoding with --encoding; perhaps "),
        ("Été à Orléans.\n".encode() * 9 + b"Ne\xe9.\n", "damaged UTF-8; to leave out the bytes"),
    ],
)
def test_a_doubtful_guess_is_not_put_into_a_command(data: bytes, hint: str, tmp_path: Path) -> None:
    pytest.importorskip("chardet")
    with pytest.raises(DecodingError) as caught:
        read_text(faulty.write(tmp_path, data))
    assert caught.value.guess is None
    assert str(caught.value.hint).startswith(hint)


def test_without_chardet_the_place_is_named_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "chardet", None)
    with pytest.raises(DecodingError, match=r"byte 5 \(line 1\) .* 0xe9") as caught:
        read_text(faulty.write(tmp_path, b"A caf\xe9.\n"))
    assert "pip install 'charrnn[doctor]'" in str(caught.value.hint)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_is_not_a_text_is_told_what_to_do(encoding: str, tmp_path: Path) -> None:
    formats = {"%PDF-1.7\n": "pdftotext", "\x93NUMPY\x01": "name a text", "\x89PNG": "name a text"}
    for member, hint in (("[Content_Types].xml", "pandoc"), ("w.npy", "name a"), ("x", "unzip")):
        with zipfile.ZipFile(tmp_path / "zip", "w") as file:
            file.writestr(member, "content")
        formats[(tmp_path / "zip").read_bytes().decode("latin-1")] = hint
    formats["".join(map(chr, range(256)))] = "right file"
    for data, hint in formats.items():
        with pytest.raises(CorpusError, match=r"is .*not a text") as caught:
            read_text(faulty.write(tmp_path, data.encode("latin-1")), encoding=encoding)
        assert hint in str(caught.value.hint)


def test_marked_and_compressed_texts_are_read(tmp_path: Path) -> None:
    data = faulty.FRENCH.encode()
    wide = [faulty.FRENCH.encode(name) for name in ("utf-16", "utf-32")]
    for stored in (gzip.compress(data), lzma.compress(data), *wide):
        assert read_text(faulty.write(tmp_path, stored)) == faulty.FRENCH
    with pytest.raises(CorpusError, match="is compressed, and damaged"):
        read_text(faulty.write(tmp_path, gzip.compress(data)[:99]))


def test_no_check_looks_twice_at_a_long_line() -> None:
    for text in (" " * 200_000, "a" * 200_000, "привет мир " * 18_000, "\u200b" * 200_000 + "字"):
        assert form_of(text) == "prose"
        assert faults(text) <= {"empty", "one-character"}
