"""The lessons are true: their blocks run from top to bottom and print what the pages say."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the shell is POSIX")
DOCS = Path(__file__).parent.parent / "docs"
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


@pytest.mark.parametrize("lesson", ["rnn-from-scratch", "gates"])
def test_every_block_of_a_lesson_prints_what_stands_below_it(lesson: str, tmp_path: Path) -> None:
    page = (DOCS / f"{lesson}.md").read_text(encoding="utf-8")
    stated = blocks(page)
    assert len(stated) > 5
    for (_, code, output), found in zip(stated, printed(page, tmp_path), strict=True):
        assert not differences(output, found), code


def test_another_sentence_and_cell_are_learned_too(tmp_path: Path) -> None:
    sentence = "how much wood would a woodchuck chuck?"
    page = (DOCS / "rnn-from-scratch.md").read_text(encoding="utf-8")
    page = page.replace("she sells sea shells by the sea shore.", sentence)
    page = page.replace("--model rnn", "--model gru")
    *_, equal, mistakes, learned, written = printed(page, tmp_path)
    assert equal == "equal to a millionth: True\n"
    assert "  0% off" not in mistakes
    assert sentence in learned.splitlines()[-1]
    assert written == sentence + "\n"


def test_the_lesson_on_gates_runs_with_a_gru(tmp_path: Path) -> None:
    page = (DOCS / "gates.md").read_text(encoding="utf-8")
    page = page.replace('CELL = "lstm"', 'CELL = "gru"').replace('"steps": 600', '"steps": 100')
    *_, found, shown, harm = printed(page, tmp_path)
    assert found.count("of the variance") == 3
    assert [line.split()[0] for line in shown.splitlines()] == ["/", "update", "hidden"]
    assert harm.count("nats") == 2
