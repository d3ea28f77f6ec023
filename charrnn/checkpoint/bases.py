"""The base models included in charrnn: their names, descriptions and files."""

import os
from difflib import get_close_matches
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
# Where training writes checkpoints.
CHECKPOINTS = Path("checkpoints")


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


def suggest_model(path: Path) -> str:
    """Return the next step after a path that no model has: a similar one, or how to find one."""
    own = {file.stem: file.stem for folder in FOLDERS for file in folder.glob("*.npz")}
    written = {file.stem: str(file) for file in CHECKPOINTS.glob("*.npz") if file.exists()}
    known = {name: name for name in BASES} | own | written
    close = get_close_matches(path.name.removesuffix(".npz"), known, 1)
    others = "make one: charrnn train corpus.txt; 'charrnn models' lists others"
    return f"did you mean {known[close[0]]}?" if close else others
