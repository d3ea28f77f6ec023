"""Mixes the texts of a base model into one, in short pieces and with several typographies.

A model that read one text after the other would end up with the last one's style. And the texts
that users bring may or may not be wrapped, and may have straight quotes or typographic ones, so the
model has to know all of these.
"""

import random
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

PIECE = 20_000  # characters, and what is left of the line
WRAPPED = 0.4  # chance that a piece is wrapped
WIDTHS = (58, 80)  # the narrowest and the widest
TYPOGRAPHIC = 0.25  # chance that a piece has typographic quotes and dashes
RARE = 50  # a character that occurs less often is left out: it cannot be learned


def mix(texts: Sequence[tuple[str, float]]) -> str:
    """Return the mixture of texts, each with the share of its pieces to take.

    The same texts in the same order give the same mixture.
    """
    rng = random.Random(0)
    taken = [piece for text, share in texts for piece in pieces(text) if rng.random() < share]
    rng.shuffle(taken)
    return without_rare("".join(_varied(piece, rng) for piece in taken))


def pieces(text: str) -> Iterator[str]:
    """Yield all of a text in pieces that end with a line."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + PIECE) + 1 or len(text)
        yield text[at:end]
        at = end


def wrapped(text: str, width: int) -> str:
    """Break lines longer than ``width`` at spaces."""
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        if len(line) > width
        else line
        for line in text.split("\n")
    )


def typographic(text: str) -> str:
    """Turn straight quotes into curly ones and double hyphens into dashes.

    A quote opens at the beginning of a line and after a space, bracket or hyphen.
    """
    text = re.sub(r'(^|[\s(\[-])"', r"\1“", text, flags=re.MULTILINE).replace('"', "”")
    text = re.sub(r"(^|[\s(\[“-])'", r"\1‘", text, flags=re.MULTILINE).replace("'", "’")
    return text.replace("--", "—")


def without_rare(text: str) -> str:
    """Leave out the characters that occur less than RARE times."""
    rare = [char for char, count in Counter(text).items() if count < RARE]
    return text.translate(dict.fromkeys(map(ord, rare)))


def _varied(piece: str, rng: random.Random) -> str:
    if rng.random() < WRAPPED:
        piece = wrapped(piece, rng.randint(*WIDTHS))
    if rng.random() < TYPOGRAPHIC:
        piece = typographic(piece)
    return piece if piece.endswith("\n") else piece + "\n"
