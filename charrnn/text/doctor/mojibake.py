"""Text that was decoded wrongly, and decoding it once more.

UTF-8 that was read as cp1252 or Latin-1 turns each character into two to four: "é" into "Ã©". Only
sequences count that no language has: those of accented letters and punctuation wherever they stand,
those that words in capitals could end with (Ã before a quotation mark, as in "MAÇÃ”") only where no
capital is before them, and those of other scripts only in a row.

cp1252 that was read as Latin-1 turns its quotation marks and dashes into control characters, which
no text has on purpose.
"""

import re
from contextlib import suppress


def _read_as(byte: int) -> str:
    """Return how a byte reads in cp1252 and in Latin-1, as the inside of a character class."""
    characters = {chr(byte)}
    with suppress(UnicodeDecodeError):  # five bytes that cp1252 leaves out
        characters.add(bytes([byte]).decode("cp1252"))
    return "".join(map(re.escape, sorted(characters)))


_CONTINUATION = "".join(map(_read_as, range(0x80, 0xC0)))
_NEXT = f"[{_CONTINUATION}]"
# What may stand behind a capital at the end of a word.
_SPACE_OR_PUNCTUATION = "[\xa0\xab\xbb‘’“”–—…‚„‹›]"
_AFTER_CAPITAL = rf"(?<=[A-ZÀ-ÖØ-Þ]){{lead}}{_SPACE_OR_PUNCTUATION}"


def _two(leads: str) -> str:
    return rf"(?!{_AFTER_CAPITAL.format(lead=f'[{leads}]')})[{leads}]{_NEXT}"


_PATTERN = re.compile(
    "|".join(
        [
            _two("ÂÃ"),  # Latin-1
            # Latin Extended-A, inside a word
            rf"(?<=[a-zß-öø-ÿ])[ÄÅ]{_NEXT}|[ÄÅ]{_NEXT}(?=[a-zß-öø-ÿ])",
            # quotation marks, dashes, the euro, arrows, check marks; not "â" before a letter
            rf"â[{''.join(map(_read_as, (0x80, 0x82, 0x84, 0x86, 0x88, 0x98, 0x9C)))}]{_NEXT}",
            rf"ðŸ{_NEXT}{{2}}|ð\x9f{_NEXT}{{2}}",  # emoji
            rf"ï¸\x8f|ï¸{_read_as(0x8F)}",  # what makes some of them colored
            rf"(?:[ÐÑ]{_NEXT}){{2,}}",  # Cyrillic
            rf"(?:[ÎÏ]{_NEXT}){{2,}}",  # Greek
            rf"(?:[ãäåæçèé]{_NEXT}{{2}}){{2,}}",  # Chinese, Japanese, Korean
        ]
    )
)
_LEADS = "ÂÃÄÅâðïÐÑÎÏãäåæçèé"
_LIKELY = re.compile(f"[{_LEADS}]{_NEXT}")
# Control characters that are printed ones in cp1252.
_CONTROLS = re.compile("[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]")


# A text without any of these has nothing that was decoded wrongly.
SIGNS = frozenset(_LEADS) | frozenset(map(chr, range(0x80, 0xA0)))


def _bytes_of(text: str) -> bytes:
    out = bytearray()
    for char in text:
        try:
            out += char.encode("cp1252")
        except UnicodeEncodeError:
            out += char.encode("latin-1")
    return bytes(out)


def _decoded(match: re.Match[str]) -> str:
    try:
        return _bytes_of(match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def misread_controls(text: str) -> list[tuple[int, str, str]]:
    """Return control characters that are printed ones in cp1252, as ``sequences`` does."""
    return [
        (match.start(), match[0], match[0].encode("latin-1").decode("cp1252"))
        for match in _CONTROLS.finditer(text)
    ]


def sequences(text: str) -> list[tuple[int, str, str]]:
    """Return what is certainly mojibake: its offset, what stands there and what it stands for."""
    if _LIKELY.search(text) is None:
        return []
    found = [(match.start(), match[0], _decoded(match)) for match in _PATTERN.finditer(text)]
    return [entry for entry in found if entry[1] != entry[2]]


def undo(text: str) -> tuple[str, int]:
    """Return the text as it was meant, and how many sequences stood for something else."""
    count = 0

    def decoded(match: re.Match[str]) -> str:
        nonlocal count
        meant = _decoded(match)
        count += meant != match[0]
        return meant

    if _LIKELY.search(text) is not None:
        text = _PATTERN.sub(decoded, text)
    text, controls = _CONTROLS.subn(lambda match: match[0].encode("latin-1").decode("cp1252"), text)
    return text, count + controls
