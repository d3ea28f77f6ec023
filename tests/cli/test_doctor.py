"""``charrnn doctor``: the report, the object, the repaired text, and how it ends."""

import json
import shlex
from pathlib import Path

import pytest

from tests.support import call
from tests.text import faulty


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text(faulty.ENGLISH + "A cafÃ© and “a bar”. \n")
    (tmp_path / "clean.txt").write_text(faulty.ENGLISH)
    (tmp_path / "names.txt").write_text(faulty.NAMES.replace("\n", "\r"))
    (tmp_path / "old.txt").write_bytes(faulty.FRENCH.encode("cp1252"))
    (tmp_path / "short.txt").write_bytes(b"A caf\xe9.\n")
    return tmp_path


def test_the_report_names_faults_and_the_commands_do_what_it_says(folder: Path) -> None:
    pytest.importorskip("ftfy")
    lines = call("doctor", "notes.txt", cwd=folder).out.splitlines()
    assert lines[0].startswith("notes.txt: 6,")
    message = "characters decoded wrongly before the file was written: 1 (line 138: Ã©)"
    assert f"fault  {message}" in lines
    assert "       → --fix --also quotes repairs it" in lines
    assert "       → to make each paragraph a line: fmt -w 2500 notes-fixed.txt" in lines
    mend, train = (shlex.split(line)[1:] for line in lines[-2:])
    at = mend.index("doctor")
    assert mend[at:] == shlex.split("doctor notes.txt --fix --also quotes > notes-fixed.txt")
    mended = call(*mend[at:-2], cwd=folder)
    assert mended.err == "repaired: mojibake, trailing-space, quotes\n"
    (folder / mend[-1]).write_bytes(mended.stdout)
    assert "no fault found" in call("doctor", mend[-1], cwd=folder).out
    command = train[train.index("train") :]
    assert call(*command, "--steps", "2", "-o", "m.npz", cwd=folder).returncode == 0


def test_a_list_is_judged_as_it_is_after_the_repair(folder: Path) -> None:
    found = json.loads(call("doctor", "names.txt", "--json", cwd=folder).out)
    assert (found["form"], found["lines"]) == ("list", faulty.NAMES.count("\n"))
    assert [it["name"] for it in found["findings"]] == ["line-ends", "list"]
    assert found["train"].endswith(" train names-fixed.txt --lines")


def test_an_encoding_that_is_sure_is_named_in_the_commands(folder: Path) -> None:
    pytest.importorskip("chardet")
    found = json.loads(call("doctor", "old.txt", "--json", cwd=folder).out)
    assert found["findings"][0]["hint"].startswith("--encoding cp1252 if this reads right: LE MOU")
    assert found["fix"].endswith(" doctor old.txt --fix --encoding cp1252 > old-fixed.txt")
    refused = call("doctor", "old.txt", "--fix", cwd=folder)
    assert (refused.returncode, refused.stdout) == (1, b"")
    two = json.loads(call("doctor", "clean.txt", "old.txt", "--json", cwd=folder).out)
    assert two["findings"][0]["file"] == "old.txt"
    assert two["findings"][0]["hint"] == "iconv -f cp1252 -t utf-8 old.txt > converted.txt"
    doubtful = call("doctor", "short.txt", cwd=folder)
    assert doubtful.returncode == 1
    assert "train" not in doubtful.out


@pytest.mark.parametrize("line", ["--json --fix", "--also quotes", "--fix --also beauty"])
def test_what_contradicts_itself_ends_with_2(line: str, folder: Path) -> None:
    done = call("doctor", "clean.txt", *line.split(), cwd=folder)
    assert (done.returncode, done.stdout) == (2, b"")


def test_a_report_is_colored_and_wrapped_for_terminals_and_escapes_the_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (folder / "notes.txt").write_text(faulty.ENGLISH + "\x1b[31m\x07evil cafÃ©\x1b[0m\n")
    shown = call("doctor", "notes.txt", cwd=folder, terminal=True).out
    assert "\x1b[31mfault" in shown
    assert "\x1b[31m\x07" not in shown
    monkeypatch.setenv("NO_COLOR", "1")
    plain = call("doctor", "notes.txt", cwd=folder, terminal=True).out.splitlines()
    assert "\x1b" not in "".join(plain)
    assert all(len(line) < 60 or line.startswith(("mend", "train")) for line in plain)
