"""``charrnn doctor``: the report, the object, the repaired text, and how it ends."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from charrnn.models import forecast
from charrnn.models.start import Start
from charrnn.training import budget
from tests.support import Done, call
from tests.text import faulty


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes longer than all the rest: measuring the machine, trying base models."""
    monkeypatch.setattr(forecast, "choose_start", lambda _, config, *__: Start(config))
    monkeypatch.setattr(budget, "characters_per_second", lambda *_: 30_000.0)
    monkeypatch.setattr(forecast, "seconds_per_step", lambda *_: 0.03)


CP1252 = faulty.french().encode("cp1252")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text(faulty.english() + "A cafÃ© and “a bar”. \n")
    (tmp_path / "clean.txt").write_text(faulty.english())
    (tmp_path / "names.txt").write_text(faulty.names())
    (tmp_path / "old.txt").write_bytes(CP1252)
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 9)
    return tmp_path


def described(done: Done) -> Any:
    assert done.returncode == 0, done.err
    return json.loads(done.out)


def names(found: Any) -> set[str]:
    return {finding["name"] for finding in found["findings"] if finding["level"] == "fault"}


def test_the_report_names_faults_repairs_and_the_next_commands(folder: Path) -> None:
    done = call("doctor", "notes.txt", cwd=folder)
    assert done.returncode == 0
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[0].startswith("notes.txt: 6,")
    assert (
        "fault  1 character decoded wrongly before the file was written (line 138: Ã© for é)"
        in lines
    )
    assert "       → --fix --also quotes repairs it" in lines
    (mend,) = [line for line in lines if line.startswith("mend ")]
    assert mend.endswith(" doctor notes.txt --fix --also quotes > notes-fixed.txt")
    (train,) = [line for line in lines if line.startswith("train ")]
    assert " train notes-fixed.txt --time " in train
    assert any(line.startswith("takes  about 0:") for line in lines)
    assert any(line.startswith("loss   about 1.") for line in lines)


def test_the_commands_do_what_the_report_says(folder: Path) -> None:
    found = described(call("doctor", "notes.txt", "--json", cwd=folder))
    assert names(found) == {"mojibake", "quotes", "trailing-space"}
    words = shlex.split(found["fix"])
    at = words.index("doctor")
    mended = call(*words[at : words.index(">")], cwd=folder)
    (folder / words[-1]).write_bytes(mended.stdout)
    assert names(described(call("doctor", words[-1], "--json", cwd=folder))) == set()
    train = shlex.split(found["train"]["command"])
    options = train[train.index("train") : train.index("--time")]
    assert call(*options, "--steps", "2", cwd=folder).returncode == 0


def test_a_clean_text_is_said_to_be_clean(folder: Path) -> None:
    done = call("doctor", "clean.txt", cwd=folder)
    assert done.out.splitlines()[1] == "no fault found"
    assert "mend" not in done.out


def test_a_list_is_trained_on_line_by_line(folder: Path) -> None:
    found = described(call("doctor", "names.txt", "--json", cwd=folder))
    assert found["kind"] == "list"
    assert " train names.txt --lines --time " in f" {found['train']['command']}"
    assert found["train"]["low"] < found["train"]["nats_per_char"] < found["train"]["high"]


def test_an_encoding_is_not_guessed_silently(folder: Path) -> None:
    found = described(call("doctor", "old.txt", "--json", cwd=folder))
    assert found["findings"][0]["name"] == "encoding"
    assert found["findings"][0]["next"].startswith("--encoding cp1252 if this reads right: LE MOU")
    assert "--encoding cp1252" in found["train"]["command"]
    refused = call("doctor", "old.txt", "--fix", cwd=folder)
    assert refused.returncode == 1
    assert refused.stdout == b""
    assert "hint: --encoding cp1252 if this reads right" in refused.err
    given = call("doctor", "old.txt", "--fix", "--encoding", "cp1252", cwd=folder)
    assert given.out == faulty.french()


def test_of_several_files_the_one_at_fault_is_named(folder: Path) -> None:
    found = json.loads(call("doctor", "clean.txt", "old.txt", "--json", cwd=folder).out)
    (finding,) = [it for it in found["findings"] if it["name"] == "encoding"]
    assert finding["file"] == "old.txt"
    assert finding["next"].startswith("iconv -f cp1252 -t utf-8 old.txt > converted.txt")


def test_files_are_read_one_after_the_other(folder: Path) -> None:
    found = described(call("doctor", "clean.txt", "notes.txt", "--json", cwd=folder))
    (finding,) = [it for it in found["findings"] if it["name"] == "mojibake"]
    assert (finding["file"], finding["line"]) == ("notes.txt", 138)
    (copied,) = [it for it in found["findings"] if it["name"] == "repeated-paragraphs"]
    assert copied["file"] == "notes.txt"


def test_what_cannot_be_decoded_ends_with_1(folder: Path) -> None:
    done = call("doctor", "noise.bin", "--json", cwd=folder)
    assert done.returncode == 1
    assert json.loads(done.out)["train"] is None
    for missing in ("none.txt", "."):
        failed = call("doctor", missing, cwd=folder)
        assert failed.returncode == 1
        assert failed.err.startswith(f"charrnn: error: {missing}: ")


@pytest.mark.parametrize(
    "line", ["--json --fix", "--also quotes", "--fix --also beauty", "--fix --skip it", "- -"]
)
def test_what_contradicts_itself_ends_with_2(line: str, folder: Path) -> None:
    done = call("doctor", "clean.txt", *line.split(), cwd=folder)
    assert done.returncode == 2
    assert done.stdout == b""


def test_repairs_are_told_on_stderr(folder: Path) -> None:
    data = b"\xef\xbb\xbfone \r\ntwo\x00\r\n"
    done = call("doctor", "-", "--fix", cwd=folder, stdin=data)
    assert done.out == "one\ntwo\n"
    assert done.err.splitlines() == [
        "byte-order marks: 1 (bom)",
        "line ends: 2 (line-ends)",
        "control characters: 1 (controls)",
        "lines with white space at their end: 1 (trailing-space)",
    ]
    again = call("doctor", "-", "--fix", cwd=folder, stdin=done.stdout)
    assert again.stdout == done.stdout
    assert again.err == "nothing to repair\n"


def test_colors_are_for_terminals_that_have_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = call("doctor", "notes.txt", cwd=folder, terminal=True).out
    assert "\x1b[31mfault" in shown
    monkeypatch.setenv("NO_COLOR", "1")
    plain = call("doctor", "notes.txt", cwd=folder, terminal=True).out
    assert "\x1b" not in plain
    assert all(
        len(line) < 60 for line in plain.splitlines() if not line.startswith(("mend", "train"))
    )


def test_the_text_cannot_color_the_report(folder: Path) -> None:
    (folder / "evil.txt").write_text(faulty.english() + "\x1b[31m\x07evil cafÃ©\x1b[0m\n")
    for terminal in (False, True):
        assert "\x1b[31m\x07" not in call("doctor", "evil.txt", cwd=folder, terminal=terminal).out
