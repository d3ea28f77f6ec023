"""Characters that are hard to see or to tell apart, and what they stand for."""

import re

# Escape sequences of terminals; overstruck characters of manual pages; other control characters.
CONTROLS = r"\x1b\[[0-?]*[ -/]*[@-~]|[ -~]\x08|[\x00-\x08\x0c\x0e-\x1f\x7f\x81\x8d\x8f\x90\x9d]"
CONTROL_CHARACTERS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0)))) - {"\t", "\n"}
CONTROL = re.compile("[\x00-\x08\x0c\x0e-\x1f\x7f-\x9f]")

# Invisible characters, where no neighbor needs them: emoji, Arabic, Hebrew and Indic scripts, Thai
# and others do.
_NEEDS_NONE = "\x00-\u052f\u1e00-\u206f"
INVISIBLE = frozenset(
    map(
        chr,
        (0xAD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065),
         *range(0x2066, 0x206A)),
    )
)  # fmt: skip
_INVISIBLE = "".join(sorted(INVISIBLE))
ZERO_WIDTH = rf"(?<![^{_NEEDS_NONE}])[{_INVISIBLE}]+(?![^{_NEEDS_NONE}])"

# But for the ideographic space.
OTHER_SPACE = "[\xa0\u1680\u2000-\u200a\u202f\u205f]"

STRAIGHT = dict.fromkeys("‘’‚‛′", "'") | dict.fromkeys("“”„‟″", '"')
CURLY_DOUBLE, CURLY_SINGLE = "“”„‟", "‘’‚‛"

# Dashes that look like another one, which is the usual one.
USUAL_DASHES = {"‐": "-", "‑": "-", "‒": "–", "―": "—", "−": "-", "﹘": "-", "－": "-"}

LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}

ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,24}\d{0,2});")

# Letters of other scripts that look like these Latin ones.
_CYRILLIC = ("аеорсухіјѕһАВЕКМНОРСТХУІЅЈ", "aeopcyxijshABEKMHOPCTXYISJ")
_GREEK = ("οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oABEZHIKMNOPTYX")
LOOK_ALIKES = dict(zip(*_CYRILLIC, strict=True)) | dict(zip(*_GREEK, strict=True))
_TO_CYRILLIC = dict(zip(*reversed(_CYRILLIC), strict=True))
_TO_GREEK = dict(zip(*reversed(_GREEK), strict=True))

_LATIN, _OTHER = "A-Za-zÀ-ÖØ-öø-ɏ", "\u0370-\u03ff\u0400-\u052f"
SCRIPTS_MEET = re.compile(f"[{_LATIN}][{_OTHER}]|[{_OTHER}][{_LATIN}]")
MIXED_WORD = re.compile(f"[{_LATIN}{_OTHER}]*?(?:{SCRIPTS_MEET.pattern})[{_LATIN}{_OTHER}]*")
OTHER_LETTERS = "".join(map(chr, (*range(0x370, 0x400), *range(0x400, 0x530))))
_CYRILLIC_LETTER = re.compile("[\u0400-\u052f]")


def is_latin(char: str) -> bool:
    """Return True for a letter of the Latin script."""
    return re.match(f"[{_LATIN}]", char) is not None


def unmixed(word: str) -> str:
    """Return a word of two scripts in one, if all letters of the other are look-alikes.

    A word that is mixed for a reason, such as "μm", is returned as it is.
    """
    latin = {char for char in word if is_latin(char)}
    others = set(word) - latin
    back = _TO_CYRILLIC if any(map(_CYRILLIC_LETTER.match, others)) else _TO_GREEK
    to_latin, from_latin = others <= LOOK_ALIKES.keys(), latin <= back.keys()
    if to_latin and from_latin:
        to_latin = 2 * sum(map(is_latin, word)) >= len(word)
    if to_latin:
        return "".join(LOOK_ALIKES.get(char, char) for char in word)
    if from_latin:
        return "".join(back.get(char, char) for char in word)
    return word
