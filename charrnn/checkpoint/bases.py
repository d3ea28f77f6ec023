"""The base models that come with charrnn: what they are, and where their files lie."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "bases"

# Name and what it has read; tools/bases/ makes them, docs/bases.md describes them.
BASES = {
    "english": "English prose: novels, speeches, the King James Bible",
}


def located(path: str | os.PathLike[str]) -> Path:
    """Return the path of a checkpoint, or that of a base model if it names one.

    A file of that name comes first.
    """
    name = os.fspath(path)
    if name in BASES and not Path(name).exists():
        return FOLDER / f"{name}.npz"
    return Path(path)
