"""The README and the guide are true: every command in them runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import typer

from charrnn.cli.app import COMMANDS, app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
LESSON = (ROOT / "docs" / "text-to-page.md").read_text(encoding="utf-8")
TEXTS = {"README.md": README, "guide.md": GUIDE, "text-to-page.md": LESSON}


def blocks(text: str, *languages: str) -> str:
    """Return the code of these languages in a page."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(code for language, code in found if language in languages)


# A second of training shows that a command works as well as five minutes would.
SHORT = re.compile(r"--time \S+")


def commands(text: str) -> list[str]:
    """Return a page's charrnn commands, shortened."""
    lines = [line.strip() for line in blocks(text, "sh").splitlines()]
    found = [
        line for line in lines if re.match(r"((cat|head) [^|]+ \| )?charrnn |awk |mkdir ", line)
    ]
    # The size of a run that starts from a base model is that of the base model.
    return [
        SHORT.sub("--steps 3" if "--from english" in line else "--steps 3 --hidden-size 16", line)
        for line in found
    ]


def run(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return subprocess.run(
        [shutil.which("bash") or "bash", "-c", f"set -o pipefail; {command}"],
        cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="the shell is POSIX")
@pytest.mark.parametrize("page", TEXTS)
def test_every_command_and_python_example_runs(page: str, tmp_path: Path) -> None:
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    (tmp_path / "checkpoints").mkdir()
    found = commands(TEXTS[page])
    assert len(found) > 5
    for command in found:
        resumed = command.replace("--steps 3 --hidden-size 16 --resume", "--steps 4 --resume")
        done = run(resumed, tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    python = blocks(TEXTS[page], "python")
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True, capture_output=True)


def test_the_guide_uses_every_command_and_the_readme_names_it() -> None:
    used = {line.split()[1] for line in commands(GUIDE) if line.startswith("charrnn")}
    assert used == set(COMMANDS)
    assert all(f"`charrnn {command}`" in README for command in COMMANDS)


def test_every_option_is_in_the_readme_and_every_option_of_the_readme_exists() -> None:
    program: Any = typer.main.get_command(app)
    options: dict[str, set[str]] = {}
    for command in COMMANDS:
        listed = program.get_command(None, command).params
        shown = [it for it in listed if not getattr(it, "hidden", False)]
        every = {name for it in shown for name in (*it.opts, *it.secondary_opts)}
        options[command] = {name for name in every if name.startswith("--")} - {"--help"}
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README + GUIDE))
    existing = set().union(*options.values()) | {
        *("--debug", "--install-completion", "--show-completion", "--version")
    }
    existing.add("--line-buffered")  # of grep
    assert mentioned <= existing
    assert set().union(*options.values()) <= mentioned | {"--quiet", "--verbose", "--output",
                                                          "--checkpoint"}  # fmt: skip
    for line in commands(README) + commands(GUIDE) + commands(LESSON):
        for part in line.split("|"):
            words = shlex.split(part)
            if words[0] == "charrnn":
                used = {word for word in words if word.startswith("--")}
                assert used <= options[words[1]], line


def test_every_file_and_link_exists() -> None:
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for name in re.findall(r"`((?:charrnn|tests|corpora|docs|benchmarks)/[\w./]*)`", text):
            if "NAME" not in name:
                assert (ROOT / name).exists(), (page, name)
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (page.parent / link).exists(), (page, link)
