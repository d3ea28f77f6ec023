"""The README and the guide are true: every command in them runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from charrnn.cli.app import COMMANDS, app
from tests.support import ROOT, call, posix, shell

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
README, GUIDE, TASKS = (TEXTS[name] for name in ("README.md", "guide.md", "tasks.md"))


def blocks(text: str, *languages: str) -> list[str]:
    """Return the code of these languages in a page."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [code for language, code in found if language in languages]


def shorten(command: str) -> str:
    """Make a training run short: a few steps show that a command works."""
    # The size of a run that starts from a base model is that of the base model.
    short = "--steps 3" if "--from english" in command else "--steps 3 --hidden-size 16"
    short = "--steps 4" if "--resume" in command else short
    return re.sub(r"--time \S+", short, command)


def commands(text: str) -> list[str]:
    """Return a page's charrnn commands of one line, shortened."""
    lines = [line for code in blocks(text, "sh") for line in code.splitlines()]
    return [shorten(line) for line in lines if COMMAND.fullmatch(line)]


# Another program, if any; charrnn and its arguments; a file on stdin; where the output goes.
COMMAND = re.compile(
    r"(?:((?:cat|head|printf) [^|]+) \| )?charrnn ([^|<>]+)(?:< ([\w./]+))?([|>] [^#]+)?(?:#.*)?"
)


def run(command: str, folder: Path) -> str:
    """Run a command, and return what it prints: charrnn in this process, the rest in a shell."""
    match = COMMAND.fullmatch(command)
    if match is None or "$" in command:
        done = shell(command, cwd=folder)
        assert done.returncode == 0, f"{command}\n{done.err}"
        return done.out
    before, arguments, file, after = match.groups()
    before = f"cat {file}" if file else before
    stdin = shell(before, cwd=folder).stdout if before else b""
    done = call(*shlex.split(arguments, comments=True), cwd=folder, stdin=stdin)
    assert done.returncode == 0, f"{command}\n{done.err}"
    if not after:
        return done.out
    (folder / "out").write_bytes(done.stdout)
    return shell(f"cat out {after}", cwd=folder).out


@posix
@pytest.mark.parametrize("page", ["README.md", "guide.md"])
def test_every_command_and_python_example_runs(page: str, tmp_path: Path) -> None:
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    (tmp_path / "checkpoints").mkdir()
    found = commands(TEXTS[page])
    assert len(found) > 5
    for command in found:
        run(command, tmp_path)
    python = "\n".join(blocks(TEXTS[page], "python"))
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True, capture_output=True)


def console(text: str) -> list[tuple[str, list[str]]]:
    """Return the commands after a prompt in a page, and the lines that each prints."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks(text, "console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> "):
            found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
        else:
            found[-1][1].append(line)
    return found


@posix
def test_the_commands_of_the_tasks_run_and_find_the_odd_lines(tmp_path: Path) -> None:
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    found = console(TASKS)
    assert len(found) > 12
    for command, output in found:
        printed = run(shorten(command), tmp_path)
        if "--top" in command:  # after three steps, the n-grams find them
            (odd, stated) = (lines[1].split("\t")[0] for lines in (printed.splitlines(), output))
            assert odd == stated


def test_the_guide_uses_every_command_and_the_readme_names_it() -> None:
    used = {line.split()[1] for line in commands(GUIDE) if line.startswith("charrnn")}
    assert used == set(COMMANDS)
    assert all(f"`charrnn {command}`" in README for command in COMMANDS)


def test_every_option_of_the_readme_and_the_guide_exists() -> None:
    program: Any = typer.main.get_command(app)
    options: dict[str, set[str]] = {}
    for command in COMMANDS:
        listed = program.get_command(None, command).params
        every = {name for it in listed for name in (*it.opts, *it.secondary_opts)}
        options[command] = {name for name in every if name.startswith("--")}
    existing = {"--debug", "--install-completion", "--show-completion"}.union(*options.values())
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README + GUIDE + TASKS)) <= existing
    for line in commands(README) + commands(GUIDE):
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
