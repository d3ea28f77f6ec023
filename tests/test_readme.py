"""The README is true: every command in it runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from charrnn.cli.commands import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
SHELL = "\n".join(text for language, text in BLOCKS if language in ("sh", "console"))
# A second of training shows that a command works as well as five minutes would.
SHORT = re.compile(r"--time \S+")


def commands() -> list[str]:
    """Return the README's charrnn commands, those that make checkpoints first, shortened."""
    lines = [line.removeprefix("$ ").strip() for line in SHELL.splitlines()]
    found = [line for line in lines if re.match(r"((cat|head) [^|]+ \| )?charrnn |awk ", line)]
    return [SHORT.sub("--steps 3 --hidden-size 16", line) for line in found]


def run(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return subprocess.run(
        [shutil.which("bash") or "bash", "-c", f"set -o pipefail; {command}"],
        cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="the README's shell is POSIX")
def test_every_command_and_the_python_example_run(tmp_path: Path) -> None:
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(ROOT / "checkpoints" / "example.npz", tmp_path / "checkpoints")
    found = commands()
    assert len(found) > 15
    assert {line.split()[1] for line in found if line.startswith("charrnn")} == {
        "train",
        "sample",
        "score",
        "inspect-vocab",
        "train-classifier",
        "classify",
        "export",
        "import",
    }
    for command in found:
        resumed = command.replace("--steps 3 --hidden-size 16 --resume", "--steps 4 --resume")
        done = run(resumed, tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    (python,) = (text for language, text in BLOCKS if language == "python")
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True, capture_output=True)


def test_every_option_is_in_the_readme_and_every_option_of_the_readme_exists() -> None:
    options: dict[str, set[str]] = {}
    for command in COMMANDS:
        program = "from charrnn.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, command, "--help"],
            env={**os.environ, "COLUMNS": "300", "NO_COLOR": "1"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        options[command] = set(re.findall(r"(?<!\w)--[a-z][a-z-]+", done.stdout)) - {"--help"}
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    existing = set().union(*options.values()) | {"--debug", "--install-completion", "--version"}
    existing.add("--line-buffered")  # of grep
    assert mentioned <= existing
    assert set().union(*options.values()) <= mentioned | {"--quiet", "--verbose", "--output",
                                                          "--checkpoint"}  # fmt: skip
    for line in commands():
        for part in line.split("|"):
            words = shlex.split(part)
            if words[0] == "charrnn":
                used = {word for word in words if word.startswith("--")}
                assert used <= options[words[1]], line


def test_every_file_it_names_exists() -> None:
    for name in re.findall(r"`((?:charrnn|tests|corpora)/[\w./]*)`", README):
        assert (ROOT / name).exists(), name
