"""Makes a base model: texts, mixture, training, compact checkpoint.

python tools/bases/train.py english

The settings are in sources.toml. All other options go to ``charrnn train``: ``--resume`` goes on
with a run that was interrupted, ``--overwrite`` starts again.
"""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

from mixture import mix
from sources import Base, load
from texts import fetch

import charrnn
from charrnn.export import export

ROOT = Path(__file__).parent.parent.parent


def mixture_of(base: Base, folder: Path) -> str:
    """Return the mixture that a base model reads; the texts are in a folder, or will be.

    Raises ValueError if it is not the one that sources.toml describes.
    """
    texts = zip(base.texts, fetch(base.texts, folder), strict=True)
    mixed = mix([(clean[: len(clean) - text.kept], text.share) for text, clean in texts])
    digest = hashlib.sha256(mixed.encode("utf-8")).hexdigest()
    if digest != base.mixture:
        raise ValueError(f"the mixture has SHA-256 {digest}, not {base.mixture} as in sources.toml")
    return mixed


def train(corpus: Path, checkpoint: Path, options: dict[str, float], *more: str) -> int:
    """Train with options of ``charrnn train``; return its exit code."""
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "charrnn", "train", str(corpus), "-o", str(checkpoint)]
    start = [] if "--resume" in more else ["--from", "none"]
    command += [*start, *given, *more]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Make the base model that the command line names."""
    bases = load().bases
    parser = argparse.ArgumentParser(description="Make a base model.", allow_abbrev=False)
    parser.add_argument("language", choices=bases)
    parser.add_argument("--out", type=Path, help="default: charrnn/bases/LANGUAGE.npz")
    parser.add_argument("--steps", type=int, help="default: as in sources.toml")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bases",
                        help="folder for texts and the whole checkpoint")  # fmt: skip
    arguments, more = parser.parse_known_args()
    name, work = arguments.language, arguments.work.resolve()
    base = bases[name]
    corpus, checkpoint = work / f"{name}.txt", work / f"{name}.npz"
    corpus.parent.mkdir(parents=True, exist_ok=True)
    corpus.write_text(mixture_of(base, work / name), encoding="utf-8", newline="\n")
    steps = {} if arguments.steps is None else {"steps": arguments.steps}
    if code := train(corpus, checkpoint, {**base.options, **steps}, *more):
        return code
    out = arguments.out or ROOT / "charrnn" / "bases" / f"{name}.npz"
    out.write_bytes(export(charrnn.load(checkpoint), "compact"))
    print(f"{out}: {out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
