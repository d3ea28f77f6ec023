"""What the tables of options are made of: a row for each option, and what a run with it did."""

import functools
import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from charrnn import Model
from tests.support import TEXT, Done, call

# How each command is called without the option in question. What is given twice counts as given
# last, so an option can also be tested whose value stands here.
_SMALL = "-o m.npz --hidden-size 6 --steps 4 --random-seed 1 --workers 1 --batch-size 4"
_NOTHING_DROPPED = "--dropout 0 --weight-drop 0"
BASES = {
    "train": f"train {{file}} {_SMALL} {_NOTHING_DROPPED} --seq-length 5",
    "sample": "sample --length 20 --random-seed 1",
    "complete": "complete",
    "score": "score {file}",
    "inspect": "inspect",
    "inspect-vocab": "inspect-vocab {file}",
    "xray": "xray --unknown skip",
    "models": "models",
    "doctor": "doctor {file}",
    "export": "export checkpoints/newest.npz --to compact -o c.npz",
    "import": "import w.npz --vocab abc.json",
}

# What every command may read from stdin.
STDIN = "The cat\nThe dog ß\n"

NAMES = ["al", "bo", "cara", "dolores"] * 9


@dataclass(frozen=True)
class Ran:
    """A command that was run in a folder of its own."""

    line: str
    folder: Path
    done: Done

    @property
    def out(self) -> str:
        return self.done.out

    @property
    def err(self) -> str:
        return self.done.err

    @property
    def rows(self) -> list[list[str]]:
        """The output as a table."""
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def objects(self) -> list[Any]:
        """The output as one JSON object per line; nothing if it is something else."""
        try:
            return [json.loads(line) for line in self.out.splitlines()]
        except ValueError:
            return []

    @property
    def log(self) -> list[Any]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    @property
    def trained(self) -> Any:
        """The model that was written: the last -o names its file."""
        words = shlex.split(self.line)
        return Model.load(self.folder / words[len(words) - words[::-1].index("-o")])

    def wrote(self, name: str) -> bool:
        return (self.folder / name).exists()

    def model(self, name: str = "checkpoints/newest.npz") -> Model:
        return Model.load(self.folder / name)


Claim = Callable[[Ran], bool]
Runner = Callable[[str], Ran]


class Row(NamedTuple):
    """What an option does: true of a run with it, and not of the same run without it.

    given    the option and its value
    beside   what both runs are given beside it
    file     what both runs read, if it is not what they usually read
    """

    given: str
    claim: Claim
    beside: str = ""
    file: str = ""


def base(command: str, beside: str = "", file: str = "") -> str:
    """Return the line of a run without the option."""
    return f"{BASES[command]} {beside}".replace("{file}", file or "text.txt")


def same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].shape == other[name].shape and np.allclose(one[name], other[name])
        for name in one
    )  # fmt: skip


def runner(inputs: Path, folders: Callable[[], Path]) -> Runner:
    """Return what runs a line, once, in a folder with all that rows read."""
    _write_inputs(inputs)

    @functools.cache
    def run(line: str) -> Ran:
        folder = folders()
        shutil.copytree(inputs, folder, dirs_exist_ok=True)
        return Ran(line, folder, call(*shlex.split(line), cwd=folder, stdin=STDIN.encode()))

    return run


def _write_inputs(folder: Path) -> None:
    texts = {
        "text.txt": TEXT,
        "lines.txt": "yes yes\nno no\n",
        "records.jsonl": '{"text": "abab", "by": "cd"}\n{"text": "e fe"}\n' * 20,
        "odd.txt": "The cat ß sat.",
        "surprising.txt": "no no\nyyyy\n",
        "prompt.txt": "The cat\nsat",
        "old.html": "<!doctype html>",
        "faulty.txt": "“The cat” \r\n",
        "abc.json": '["a", "b", "c"]',
        "xyz.json": '["x", "y", "z"]',
        "train.nfd": TEXT + "e\u0301",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    (folder / "latin.txt").write_bytes("The café".encode("latin-1"))
    (folder / "train.latin").write_bytes((TEXT + "é").encode("latin-1"))
    np.savez(folder / "w.npz", **torch_weights(3))
    (folder / "names.txt").write_text("\n".join(NAMES))
    # Half of the runs that the bases describe, a quarter of another, and a model for all the rest;
    # without n-grams, with which all models of so simple a text say the same.
    for file, options in (
        ("text.txt", "--steps 2 -o train.npz"),
        ("text.txt", "--random-seed 2 -o other.npz"),
        ("names.txt", "--lines --steps 100 --hidden-size 16 --seq-length 9 -o lines.npz"),
        ("text.txt", "-o checkpoints/newest.npz"),
    ):
        line = f"{base('train', file=file)} --no-ngram {options}"
        done = call(*shlex.split(line), cwd=folder)
        assert done.returncode == 0, done.err


def torch_weights(size: int) -> dict[str, Any]:
    """Return the weights of a model of this many characters, with the names of torch.nn."""
    rng, shapes = np.random.default_rng(0), {
        "weight_ih_l0": (5, size), "weight_hh_l0": (5, 5), "bias_ih_l0": (5,), "bias_hh_l0": (5,),
        "fc.weight": (size, 5), "fc.bias": (size,),
    }  # fmt: skip
    return {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
