"""What several commands share."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from charrnn.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from charrnn.config import Normalization
    from charrnn.vocabulary import Vocabulary

CHECKPOINTS = Path("checkpoints")
UnknownPolicy = Literal["error", "skip", "replace"]


def parse_time(text: str) -> float:
    """Return the seconds that 90s, 10m, 1h30m or a bare number of seconds stand for.

    Raises ConfigError for anything else.
    """
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", text.strip())
    if match is None or not any(match.groups()):
        raise ConfigError(f"{text!r} is not a time", hint="write 90s, 10m, 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def newest_checkpoint() -> Path:
    """Return the checkpoint last written to ./checkpoints.

    Raises CheckpointError if there is none.
    """
    files = [path for path in CHECKPOINTS.glob("*.npz") if path.is_file()]
    found = sorted(files, key=lambda path: path.stat().st_mtime)
    if not found:
        raise CheckpointError(
            "there is no checkpoint in ./checkpoints yet",
            hint="make one with 'charrnn train corpus.txt', or name one with -c",
        )
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"checkpoint: {found[-1]}", file=sys.stderr)  # noqa: T201  # before rich is loaded
    return found[-1]


def fit_text(
    text: str, vocabulary: "Vocabulary", *, normalize: "Normalization", unknown: UnknownPolicy
) -> str:
    """Return a text as the model knows it.

    It is normalised like the model's corpus; the policies ``skip`` and ``replace`` leave no
    character that the model has never seen.
    """
    import unicodedata

    if normalize != "none":
        text = unicodedata.normalize("NFKC" if normalize == "NFKC" else "NFC", text)
    if unknown == "error" or not (missing := set(vocabulary.unknown(text))):
        return text
    if unknown == "skip":
        return "".join(char for char in text if char not in missing)
    return "".join(_closest(char, vocabulary) if char in missing else char for char in text)


def _closest(char: str, vocabulary: "Vocabulary") -> str:
    """Return a known character in place of an unknown one.

    Without its accent or in the other case, else a space, else the most frequent character.
    """
    import unicodedata

    bare = unicodedata.normalize("NFKD", char)[0]
    for candidate in (bare, char.swapcase(), bare.swapcase(), " "):
        if candidate in vocabulary:
            return candidate
    return vocabulary.characters[int(vocabulary.counts.argmax())]
