"""Checks of how much there is to learn from."""

from collections.abc import Iterator

from charrnn.text.doctor.examined import Examined
from charrnn.text.doctor.finding import Finding
from charrnn.text.doctor.wording import lot
from charrnn.text.split import SMALLEST_SPLIT

# Below this, nothing but the text itself can be learned.
LITTLE_TEXT = 1000


def size(text: Examined) -> Iterator[Finding]:
    """Find a text that is empty, too small, or always the same."""
    if not text.size:
        yield Finding("empty", "fault", "the text is empty", "give it a few thousand characters", 0)
    elif all(char.isspace() for char in text.counts):
        yield Finding("empty", "fault", "nothing but white space", "is it the right file?", 0)
    elif len(text.counts) == 1:
        yield Finding(
            "one-character", "fault", "one character, again and again", "is it the right file?"
        )
    elif text.size < LITTLE_TEXT:
        yield Finding(
            "too-small",
            "fault",
            f"{lot(text.size, 'character')}: too little to learn from",
            f"{LITTLE_TEXT:,} is the minimum, 20,000 a start, 200,000 plenty",
            text.size,
        )
    elif text.size < SMALLEST_SPLIT:
        yield Finding(
            "small",
            "note",
            f"{lot(text.size, 'character')}: too few to hold any out, so nothing tells when it "
            "begins to repeat the text",
            f"from {SMALLEST_SPLIT:,} on, some are held out",
            text.size,
        )
