"""Features: for each, texts with the label that each character should get."""

import pytest

from charrnn.inference.xray.features import FEATURES

EXAMPLES = [
    ("quotes", 'a "bc" d', "00111000"),
    ("quotes", "a “b ‘c’” d", "00111111000"),
    ("quotes", "don't 'say it' now", "000000111111100000"),
    ("quotes", "the boys' dogs", "00000000000000"),
    ("quotes", 'an inch " more\n\nthe end "', "0" * 25),
    ("quotes", '"""a\n\n"b"""', "11111111110"),
    ("quotes", "«oui» „ja“", "1111001110"),
    ("quotes", 'x = "\\"" + y', "000011100000"),
    ("brackets", "a(b[c]d)e", "011111100"),
    ("bracket-depth", "a(b[c]d)e", "011221100"),
    ("bracket-depth", "((((a))))", "123333210"),
    ("bracket-depth", ":) ok (", "0000001"),
    ("bracket-depth", "(a\n\nb)", "111000"),
    ("digits", "a1٣b", "0110"),
    ("capitals", "aBÉß", "0110"),
    ("whitespace", "a b\tc\n", "010101"),
    ("punctuation", "a, b!", "01001"),
    ("word-position", "a bcdefghij!", "101233444550"),
    ("sentence-start", "Hi you. Yes", "00000011000"),
    ("sentence-start", "“Hi”", "1000"),
    ("paragraph-line", "a\nb\n\nc", "011200"),
    ("comments", "x = 1  # one\ny", "00000001111100"),
    ("comments", "a /* b */ c", "00111111000"),
    ("comments", "// note\nhttp://x // y\n", "1111111000000000011110"),
    ("comments", 's = "# no"  # yes', "00000000000011111"),
    ("comments", "a//b\n", "00000"),
]


def labels(name: str, text: str) -> str:
    return "".join(map(str, FEATURES[name].labels(text)))


@pytest.mark.parametrize(("name", "text", "expected"), EXAMPLES)
def test_each_character_has_its_label(name: str, text: str, expected: str) -> None:
    assert labels(name, text) == expected


def test_indentation_is_known_as_far_as_it_has_been_read() -> None:
    assert labels("indentation", "a\n  b\n") == "001110"
    assert labels("indentation", "     c  d") == "111222222"
    assert labels("indentation", "\t\tx") == "233"


def test_line_position_has_four_quarters_of_the_text() -> None:
    found = labels("line-position", "abcdefgh\n" * 100)
    assert found[:9] == "011223330"
    assert set(labels("line-position", "\n\n\n")) <= set("0123")


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize(
    "text",
    ["", "\n", "(" * 5000, '"' * 4999, "'a" * 999, "\0\u202e👩‍👩‍👧é", "/*" * 500, "“" * 3000],
)
def test_any_text_has_one_small_label_per_character(name: str, text: str) -> None:
    found = FEATURES[name].labels(text)
    assert len(found) == len(text)
    assert max(found, default=0) < 8
