"""The base models included in charrnn: their names, descriptions and files."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "bases"

# Name and training text; tools/bases/ builds them, docs/bases.md describes them.
BASES = {
    "english": "English: novels, speeches, the King James Bible",
    "french": "French: Madame Bovary, the Segond Bible",
    "spanish": "Spanish: Trafalgar, the Reina-Valera Bible",
}


def located(path: str | os.PathLike[str]) -> Path:
    """Return the path of a checkpoint, or of a base model if ``path`` is its name.

    If a file with that name exists, it takes precedence.
    """
    name = os.fspath(path)
    if name in BASES and not Path(name).exists():
        return FOLDER / f"{name}.npz"
    return Path(path)
