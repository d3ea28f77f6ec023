"""Every help begins with three examples, and they run as they stand."""

import contextlib
import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer  # the examples are read from where the command line has them

from charrnn.cli.app import COMMANDS, app, load_command
from tests.cli.test_options import NAMES, torch_weights
from tests.support import BASH, ROOT, call, posix, shell


def examples_of(epilog: str | None) -> list[str]:
    return [line.strip() for line in (epilog or "").splitlines()]


EXAMPLES = {
    "": examples_of(typer.main.get_command(app).epilog),
    **{command: examples_of(load_command(command).epilog) for command in COMMANDS},
}


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("command", EXAMPLES)
def test_help_lists_every_option_and_ends_with_three_examples(
    command: str, columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = call(*filter(None, [command]), "--help", cwd=tmp_path)
    assert done.returncode == 0
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert len(EXAMPLES[command]) == 3
    assert [line.strip() for line in lines if line.strip()][-3:] == EXAMPLES[command]
    params = (load_command(command) if command else typer.main.get_command(app)).params
    for name in {name for param in params for name in param.opts if name.startswith("--")}:
        assert re.search(rf"{name}(?![\w-])", done.out), name


def test_help_takes_brackets_for_text(tmp_path: Path) -> None:
    words = " ".join(re.sub("[│\\s]+", " ", call("sample", "--help", cwd=tmp_path).out).split())
    assert "as inside the [...] of a regular expression" in words


def quickened(example: str) -> str:
    """Return an example that trains for a few steps only."""
    if not re.search(r"charrnn train", example):
        return example
    steps = "--steps 4" if "--resume" in example else "--steps 3"
    size = "" if re.search("--resume|--from", example) else " --hidden-size 16"
    return f"{re.sub(r' --time [^ ]+', '', example)} {steps}{size}"


def write_inputs(folder: Path) -> None:
    """Write what the examples read; models are what earlier examples write."""
    text = (ROOT / "corpora" / "harbour.txt").read_text(encoding="utf-8")[:6000]
    for name in ("corpus.txt", "chapter.txt", "notes.txt"):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "names.txt").write_text("\n".join(NAMES))
    (folder / "lines.txt").write_text("the cat sat\nla mer\n")
    (folder / "access.log").write_text("GET / 200\nGET /x 404\n")
    (folder / "prompts.txt").write_text("The ca\nThe do\n")
    (folder / "characters.json").write_text('["a", "b", "c"]')
    np.savez(folder / "weights.npz", **torch_weights(3))
    with contextlib.suppress(ImportError):
        safetensors: Any = import_module("safetensors.numpy")
        safetensors.save_file(torch_weights(len({*text})), folder / "weights.safetensors")


@posix
def test_the_examples_run_one_after_another(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    order = ["", *sorted(COMMANDS, key=lambda command: command != "train")]
    for example in dict.fromkeys(line for command in order for line in EXAMPLES[command]):
        if "safetensors" in example and not (tmp_path / "weights.safetensors").exists():
            continue
        line = quickened(example)
        if shutil.which(BASH) and re.search("[|<]", line):
            done = shell(line, tmp_path)
        else:
            done = call(*shlex.split(line)[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{example}\n{done.err}"
