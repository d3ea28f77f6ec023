"""The doctor names every fault, raises no false alarm, and repairs what it can."""

import io
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charrnn.errors import ConfigError, CorpusError
from charrnn.text.doctor import examined, gutenberg, repairs
from charrnn.text.doctor.diagnosis import Diagnosis, diagnose, mending
from charrnn.text.doctor.examined import Kept, Passage, whole_lines
from charrnn.text.doctor.finding import Finding
from charrnn.text.doctor.gutenberg import Stripper
from charrnn.text.doctor.repairs import REPAIRS, SAFE, Mender, chosen, repaired
from tests.text import faulty

FAULTY = list(faulty.faulty())
# What a short text is told besides.
SMALL = {"too-small"}


def faults(diagnosis: Diagnosis) -> set[str]:
    return {finding.name for finding in diagnosis.findings if finding.level == "fault"}


def finding(diagnosis: Diagnosis, name: str) -> Finding:
    return next(found for found in diagnosis.findings if found.name == name)


def examine(text: str | bytes, folder: Path) -> Diagnosis:
    return diagnose([faulty.write(folder, text if isinstance(text, bytes) else text.encode())])


@pytest.mark.parametrize(("names", "data"), [case[1:] for case in FAULTY],
                         ids=[case[0] for case in FAULTY])  # fmt: skip
def test_each_fault_is_named_and_nothing_else(names: str, data: bytes, tmp_path: Path) -> None:
    found = faults(examine(data, tmp_path))
    assert found - SMALL == set(names.split()) - SMALL
    assert ("too-small" in found) >= ("too-small" in names)


def test_there_are_more_than_thirty_faulty_texts() -> None:
    assert len({what for what, *_ in FAULTY}) > 30


@pytest.mark.parametrize("kind", faulty.CLEAN)
def test_a_clean_text_has_no_fault_and_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    text = faulty.CLEAN[kind]()
    assert faults(examine(text, tmp_path)) - SMALL == set()
    assert repaired(text) == text


@pytest.mark.parametrize(
    ("what", "line", "count"),
    [
        ("mark between files", 21, 1),
        ("CR LF", 1, 137),
        ("mixed line ends", 1, 9),
        ("NUL", 4, 1),
        ("one decomposed", 21, 1),
        ("curly quotes", 21, 2),
        ("straight quotes", 21, 2),
        ("damaged UTF-8", 6, 1),
        ("Gutenberg", 5, 2),
        ("a name twice", 701, 1),
        ("a long name", 701, 1),
        ("page numbers", 10, 7),
    ],
)
def test_a_finding_says_where_and_how_often(
    what: str, line: int, count: int, tmp_path: Path
) -> None:
    names, data = next(case[1:] for case in FAULTY if case[0] == what)
    found = finding(examine(data, tmp_path), names.split()[0])
    assert found.place is not None
    assert (found.place.line, found.count) == (line, count)


def test_notes_say_what_is_worth_knowing(tmp_path: Path) -> None:
    notes = {found.name for found in examine(faulty.names(), tmp_path).findings}
    assert {"list", "sorted"} <= notes
    assert "wrapped" in {f.name for f in examine(faulty.english(), tmp_path).findings}
    odd = faulty.english() + "0123456789"
    assert finding(examine(odd, tmp_path), "rare-characters").count >= 5  # type: ignore[operator]
    assert finding(examine("Word for word. " * 400, tmp_path), "small").level == "note"


ENCODED = {
    "cp1252": faulty.french(),
    "iso8859-15": faulty.french().translate({0x2019: "'", 0x2026: ".", 0x2014: "-"}),
    "mac_roman": faulty.french(),
    "koi8-r": faulty.RUSSIAN,
    "cp1251": faulty.RUSSIAN,
    "cp866": faulty.RUSSIAN,
    "cp1253": faulty.GREEK,
    "cp1250": faulty.POLISH,
    "cp1255": faulty.HEBREW,
    "cp932": faulty.JAPANESE,
    "euc_jp": faulty.JAPANESE,
    "gb18030": faulty.CHINESE,
    "utf-16": faulty.english(),
    "utf-32-be": faulty.english(),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_the_encoding_that_fits_is_named_with_a_sample(encoding: str, tmp_path: Path) -> None:
    data = ENCODED[encoding].encode(encoding, "ignore")
    diagnosis = examine(data, tmp_path)
    found = diagnosis.findings[0]
    assert found.name == "encoding"
    assert found.next.startswith(f"--encoding {encoding} if this reads right: ")
    assert diagnosis.text is not None
    assert diagnosis.text.encoding == encoding
    assert diagnosis.text.size == len(data.decode(encoding))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (faulty.GREEK, "cp1253"),
        (faulty.RUSSIAN, "cp1251"),
        ("Der alte Mann stieg auf den Hügel und blickte über die Straße. Schön!", "cp1252"),
        ("He said “no”, and that’s all – really… “Yes!” she said. Café.", "cp1252"),
    ],
)
def test_an_encoding_that_reads_wrongly_is_not_named(
    text: str, encoding: str, tmp_path: Path
) -> None:
    (found, *_) = examine(text.encode(encoding, "ignore"), tmp_path).findings
    assert found.message == f"not utf-8: {encoding} fits"


def test_a_text_with_another_encoding_given_is_suspected(tmp_path: Path) -> None:
    path = faulty.write(tmp_path, faulty.french().encode())
    found = finding(diagnose([path], "latin-1"), "mojibake")
    assert found.next == "try --encoding utf-8"
    with pytest.raises(ConfigError, match="unknown encoding"):
        diagnose([path], "latin-99")


def test_noise_is_no_text(tmp_path: Path) -> None:
    diagnosis = examine(bytes(range(256)) * 9, tmp_path)
    assert diagnosis.text is None
    assert "is it a text?" in diagnosis.findings[0].message


def test_a_long_text_is_counted_whole_and_looked_at_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examined, "LOOKED_AT", 1 << 20)
    line = "The sea is never twice the same, nor is the harbour, nor the bell above.\n"
    text = line * 60_000 + "The end\0\r\n"
    diagnosis = examine(text, tmp_path)
    seen = diagnosis.text
    assert seen is not None
    assert seen.size == len(text)
    assert seen.crlf == 1
    assert 1 << 18 < seen.looked_at <= 2 << 20
    assert not seen.whole
    assert seen.passages[0].text.startswith(line)
    assert seen.passages[-1].text.endswith("The end\0\r\n")
    assert seen.passages[-1].line + seen.passages[-1].text.count("\n") == 60_002
    place = finding(diagnosis, "controls").place
    assert place is not None
    assert place.line == 60_001


@pytest.mark.parametrize("count", range(1, 12))
def test_the_last_passage_is_always_looked_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examined, "LOOKED_AT", 8)
    kept = Kept()
    for line in range(1, count + 1):
        kept.add(Passage("a", line, "ab\n"))
    passages = kept.joined()
    assert passages[0].line == 1
    assert passages[-1].line + passages[-1].text.count("\n") == count + 1
    assert sum(len(passage.text) for passage in passages) <= 8 + 3


def test_a_long_line_is_not_cut_inside_a_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examined, "LONGEST_LINE", 4)
    assert list(whole_lines(iter(["abc\r", "\nd"]))) == ["abc", "\r\n", "d"]
    assert list(whole_lines(iter(["ab", "cdef", "g"]))) == ["abcdef", "g"]


NASTY = st.text(
    st.sampled_from(
        "aAbé e\u0301\u0327ÃÂâÄÐÑ"
        "©¢€™”“\x80\x92\x99\xa0\xad\u200b\u200d\ufeff\u202e👩к\u0430\u212b\u2126ﬁ"
        "\r\n\t\v\f\x00\x08\x1b[3m&amp;#;x-–‑−—'’\"\u2028\x85中が\u3099"
    ),
    max_size=40,
)  # fmt: skip
NAMES = st.sets(st.sampled_from(list(REPAIRS)))


@given(NASTY, NAMES)
def test_what_is_mended_stays_as_it_is(text: str, names: set[str]) -> None:
    once = repaired(text, names)
    assert repaired(once, names) == once


@given(NASTY)
def test_what_is_mended_has_no_fault_that_it_could_mend(text: str) -> None:
    mender = Mender()
    "".join(mender.mended([repaired(text)]))
    assert mender.counts == {}


@given(st.lists(NASTY, max_size=6), NAMES)
def test_it_does_not_matter_how_a_text_is_cut(pieces: list[str], names: set[str]) -> None:
    assert "".join(Mender(names).mended(pieces)) == repaired("".join(pieces), names)


NEIGHBORS = st.text(st.sampled_from("ae\u0301Ã© \t\u200bb中\x08👩"), max_size=8)


@example(["ea", "\u0301x"], 1)
@example(["ab Ã", "© cd"], 1)
@given(st.lists(NASTY | NEIGHBORS, min_size=1, max_size=6), st.integers(1, 30))
def test_long_lines_are_cut_where_no_repair_looks_across(pieces: list[str], longest: int) -> None:
    pieces = [piece.replace("\n", "a b").replace("\r", "中中") for piece in pieces]
    whole = repaired("".join(pieces))
    with mock.patch.object(repairs, "LONGEST_BLOCK", longest):
        assert "".join(Mender().mended(pieces)) == whole


BOOK = st.lists(
    st.sampled_from(
        [
            "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n",
            "*** END OF THE PROJECT GUTENBERG EBOOK X ***\n",
            "End of Project Gutenberg's X\n",
            "*END*THE SMALL PRINT!\n",
            "A line.\n",
            "Another line.\n",
            "\n",
            "  \n",
        ]
    ),
    max_size=25,
)


@given(BOOK, st.integers(1, 4))
def test_a_book_without_its_cover_has_none(lines: list[str], near: int) -> None:
    with mock.patch.object(gutenberg, "NEAR", near):
        once = "".join(Stripper().stripped(lines))
        assert "".join(Stripper().stripped([once])) == once
        assert "".join(Stripper().stripped(["".join(lines)])) == once


def test_the_book_itself_is_left() -> None:
    text = faulty.english()
    assert repaired(faulty.HEADER + text + faulty.FOOTER) == text
    two = faulty.HEADER + text + faulty.FOOTER + faulty.HEADER + "Second.\n" + faulty.FOOTER
    assert repaired(two) == text + "\nSecond.\n"


def test_a_license_with_a_text_behind_it_is_left() -> None:
    text = "A book.\n" + faulty.FOOTER + "And a letter.\n" * (gutenberg.NEAR + 1)
    assert repaired(text) == text


def test_a_license_after_a_license_goes_with_it() -> None:
    terms = "Terms.\n" * (gutenberg.NEAR - 10)
    assert repaired("A book.\n" + faulty.FOOTER + terms + faulty.FOOTER + terms) == "A book.\n"


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("\ufeffa", "a"),
        ("a\r\nb\rc\r\r\nd\u2028e", "a\nb\nc\nd\ne"),
        ("cafÃ© â€œouiâ€\x9d cÅ“ur â‚¬ 5", "café “oui” cœur € 5"),
        ("cafÃƒÂ©", "café"),
        ("ðŸ˜€ Ð¼Ð¾Ñ€Ðµ", "😀 море"),
        ("don\x92t \x93a\x94", "don’t “a”"),
        ("LA Ñ” DE Ð” EN ESPAÑA: MAÇÃ” VOILÀ\xa0! ESPAÑA, «\xa0à\xa0», É\xa0!", None),
        ("\x1b[1;31mred\x1b[0m a\0b _\bx", "red ab x"),
        ("zero\u200bwidth\xad", "zerowidth"),
        ("👩\u200d🚀 می\u200cرود क्\u200dष", None),
        ("e\u0301", "é"),
        ("a \t\n b", "a\n b"),
        ("a  ", None),
    ],
)
def test_a_repair_restores_what_was_meant(broken: str, mended: str | None) -> None:
    assert repaired(broken) == (broken if mended is None else mended)


@pytest.mark.parametrize(
    ("name", "broken", "mended"),
    [
        ("quotes", "“don’t”", '"don\'t"'),
        ("dashes", "a‑b − c — d", "a-b - c — d"),
        ("spaces", "a\xa0b\u2003c", "a b c"),
        ("ligatures", "ﬁre", "fire"),
        ("look-alikes", "cаr, μm, привeт", "car, μm, привет"),
        ("entities", "a &amp;lt; b &eacute; &none;", "a < b é &none;"),
    ],
)
def test_others_repair_only_for_who_asks(name: str, broken: str, mended: str) -> None:
    assert repaired(broken) == broken
    assert repaired(broken, chosen([name])) == mended


def test_a_repair_can_be_left_out() -> None:
    assert repaired("a \r\n", chosen(skip=["line-ends"])) == "a\r\n"
    assert repaired("a \r\n", chosen(skip=["trailing-space"])) == "a \n"
    with pytest.raises(ConfigError, match="no repair 'everything'"):
        chosen(["everything"])


def test_every_repair_that_a_finding_names_mends_it(tmp_path: Path) -> None:
    for _, _, data in FAULTY:
        diagnosis = examine(data, tmp_path)
        for found in diagnosis.findings:
            if found.repair is not None and diagnosis.text is not None:
                text = data.decode(diagnosis.text.encoding)
                mended = repaired(text, chosen([found.repair]))
                after = examine(mended, tmp_path / "").findings
                assert found.name not in {other.name for other in after}, found


def test_a_text_that_cannot_be_decoded_is_not_mended(tmp_path: Path) -> None:
    path = faulty.write(tmp_path, faulty.french().encode("cp1252"))
    with pytest.raises(CorpusError, match="not utf-8: cp1252 fits") as raised, mending([path]):
        pass
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("--encoding cp1252")
    with mending([path], "cp1252") as (pieces, mender):
        assert "".join(pieces) == faulty.french()
    assert mender.counts == {}


def test_a_byte_order_mark_is_repaired_or_left(tmp_path: Path) -> None:
    path = faulty.write(tmp_path, b"\xef\xbb\xbfa")
    for names, text, counts in ((SAFE, "a", {"bom": 1}), (("controls",), "\ufeffa", {})):
        with mending([path], names=names) as (pieces, mender):
            assert "".join(pieces) == text
        assert mender.counts == counts


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    text = faulty.french()
    pipe = io.TextIOWrapper(io.BytesIO(text.encode("cp1252")))
    with mock.patch.object(sys, "stdin", pipe):
        diagnosis = diagnose(["-"])
    assert diagnosis.text is not None
    assert (diagnosis.text.encoding, diagnosis.text.size) == ("cp1252", len(text))
    with pytest.raises(CorpusError, match="no such file"):
        diagnose([str(tmp_path / "none.txt")])
