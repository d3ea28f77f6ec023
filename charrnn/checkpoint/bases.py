"""The base models included in charrnn: their names, descriptions and files."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "bases"

# Names, and what each was trained on; tools/bases/ builds them, docs/bases.md describes them.
BASES = {
    "english": "English: novels, speeches, the King James Bible",
    "french": "French: Madame Bovary, the Segond Bible",
    "spanish": "Spanish: Trafalgar, the Reina-Valera Bible",
}

# Where other models are found by name; the command line adds the folder of the user's own.
FOLDERS: list[Path] = []


def resolve_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a checkpoint, or of a base model or one in FOLDERS if that is its name.

    If a file with that name exists, it takes precedence.
    """
    name = os.fspath(path)
    if Path(name).name != name or Path(name).exists():
        return Path(path)
    folders = [*([FOLDER] if name in BASES else []), *FOLDERS]
    files = [folder / f"{name}.npz" for folder in folders]
    return next((file for file in files if file.exists()), Path(path))
