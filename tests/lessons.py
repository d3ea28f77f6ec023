"""Runs a page whose blocks build on each other, and compares what they print with the page."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
BLOCK = re.compile(
    r"^```(python|sh)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
# Printed between blocks.
MARK = "\x1e"


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Return language, code and stated output of each block of a page that runs."""
    return [(language, code, output or "") for language, code, output in BLOCK.findall(page)]


def printed(page: str, folder: Path) -> list[str]:
    """Run all blocks of a page in a folder, as one program, and return what each prints."""
    parts = ["import subprocess as _subprocess"]
    for language, code, _ in blocks(page):
        shell = f'_subprocess.run(["bash", "-ec", {code!r}], check=True)\n'
        parts += [shell if language == "sh" else code, f'print("{MARK}", end="", flush=True)']
    (folder / "lesson.py").write_text("\n".join(parts), encoding="utf-8")
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-W", "error", "lesson.py"], cwd=folder, check=False, timeout=300,
        env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"},
        capture_output=True, text=True, encoding="utf-8", stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split(MARK)[:-1]


def differences(stated: str, found: str) -> list[str]:
    """Return the lines that differ; a number may differ by one in its last place."""
    pairs = zip(stated.splitlines(), found.splitlines(), strict=False)
    wrong = [f"stated: {a}\nfound:  {b}" for a, b in pairs if not _same(a, b)]
    if len(stated.splitlines()) != len(found.splitlines()):
        wrong.append(f"stated:\n{stated}\nfound:\n{found}")
    return wrong


def _same(stated: str, found: str) -> bool:
    words, other = NUMBER.sub("#", stated), NUMBER.sub("#", found)
    if words != other:
        return False
    return all(map(_near, NUMBER.findall(stated), NUMBER.findall(found)))


def _near(stated: str, found: str) -> bool:
    places = len(stated.partition(".")[2])
    if not places:  # counts and ids are exact; what was rounded to a whole number has a unit
        return stated == found
    return abs(float(stated) - float(found)) <= 1.01 * 10.0**-places
