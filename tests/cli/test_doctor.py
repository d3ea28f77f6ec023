"""``charrnn doctor``: the report, the object, the repaired text, and how it ends."""

import gzip
import json
import shlex
from pathlib import Path

import pytest

from tests.support import call
from tests.text import faulty


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text(faulty.ENGLISH + "A cafÃ© and “a bar”. \n")
    (tmp_path / "names.txt").write_text(faulty.NAMES.replace("\n", "\r"))
    (tmp_path / "old.txt").write_bytes(faulty.FRENCH.encode("cp1252"))
    return tmp_path


def test_the_report_names_faults_and_the_commands_do_what_it_says(folder: Path) -> None:
    pytest.importorskip("ftfy")
    lines = call("doctor", "notes.txt", cwd=folder).out.splitlines()
    assert lines[0].startswith("text   notes.txt: 6,")
    message = "lines with characters decoded wrongly before the file was written: 1"
    assert f"fault  {message} (line 138: Ã© and “a bar”. )" in lines
    assert "       → doctor --fix --also quotes" in lines
    assert lines[-2].startswith("repair ")
    fix, train = (shlex.split(line)[1:] for line in lines[-2:])
    at = fix.index("doctor")
    assert fix[at:] == shlex.split("doctor notes.txt --fix --also quotes > notes-fixed.txt")
    fixed = call(*fix[at:-2], cwd=folder)
    assert fixed.err == "repaired: mojibake, trailing-space, quotes\n"
    (folder / fix[-1]).write_bytes(fixed.stdout)
    assert "no fault found" in call("doctor", fix[-1], cwd=folder).out
    command = train[train.index("train") :]
    assert call(*command, "--steps", "2", "-o", "m.npz", cwd=folder).returncode == 0


def test_a_text_of_pieces_is_trained_on_as_such_once_it_is_repaired(folder: Path) -> None:
    found = json.loads(call("doctor", "names.txt", "--json", cwd=folder).out)
    assert (found["form"], found["lines"]) == ("list", faulty.NAMES.count("\n"))
    assert [it["name"] for it in found["findings"]] == ["line-ends", "pieces"]
    assert found["train"].endswith(" train names-fixed.txt --lines")
    (folder / "films.csv").write_text(faulty.CLEAN["reviews"].replace("\n", "\r\n"))
    found = json.loads(call("doctor", "films.csv", "--json", cwd=folder).out)
    assert found["repair"].endswith(" doctor films.csv --fix > films-fixed.csv")
    assert found["train"].endswith(" train films-fixed.csv --field review")
    (folder / "verses.txt").write_text("%\n".join(f"{n} roses are red\n" for n in range(70)))
    command = json.loads(call("doctor", "verses.txt", "--json", cwd=folder).out)["train"]
    assert command.endswith(r" train verses.txt --separator '\n%\n'")
    words = shlex.split(command)[shlex.split(command).index("train") :]
    assert call(*words, "--steps", "2", "-o", "m.npz", cwd=folder).returncode == 0


def test_another_encoding_is_told_and_goes_into_the_repair(folder: Path) -> None:
    pytest.importorskip("chardet")
    refused = call("doctor", "notes.txt", "old.txt", cwd=folder)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert "--encoding cp1252 if this reads right: LE MOU" in refused.err
    told = call("doctor", "old.txt", "--encoding", "cp1252", "--json", cwd=folder)
    repair = json.loads(told.out)["repair"]
    assert repair.endswith(" doctor old.txt --fix --encoding cp1252 > old-fixed.txt")


def test_a_folder_is_one_text_and_is_repaired_file_by_file_into_a_new_folder(folder: Path) -> None:
    pytest.importorskip("ftfy")
    letters = folder / "letters"
    (letters / "old").mkdir(parents=True)
    (letters / "a.txt").write_text("“Oui,” he said. A cafÃ©.")
    (letters / "old" / "b.txt.gz").write_bytes(gzip.compress(b'"No," he said.\r\n'))
    (letters / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0")
    shown = call("doctor", "letters", "--json", cwd=folder)
    assert shown.err == "1 file left out, not a readable text: letters/c.png\n"
    report = json.loads(shown.out)
    assert report["files"] == ["letters/a.txt", "letters/old/b.txt.gz"]
    places = {it["name"]: (it["file"], it["line"]) for it in report["findings"]}
    assert places["line-ends"] == ("letters/old/b.txt.gz", 1)
    assert places["quotes"] == ("letters/a.txt", 1)
    assert report["train"].endswith(" train letters-fixed")
    command = shlex.split(report["repair"])
    command = command[command.index("doctor") :]
    assert command == ["doctor", "letters", "--fix", "--also", "quotes", "-o", "letters-fixed"]
    glued = call("doctor", "letters", "--fix", cwd=folder)
    assert (glued.returncode, glued.stdout) == (2, b"")
    assert "-o FOLDER" in glued.err
    done = call(*command, cwd=folder)
    assert done.err == "written: letters-fixed, 2 files\nrepaired: mojibake, quotes, line-ends\n"
    fixed = folder / "letters-fixed"
    assert (fixed / "a.txt").read_text() == '"Oui," he said. A café.'
    assert (fixed / "old" / "b.txt.gz.txt").read_text() == '"No," he said.\n'
    again = call(*command, cwd=folder)
    assert (again.returncode, again.stdout) == (2, b"")


def test_on_a_terminal_the_report_is_wrapped_at_words_but_for_the_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    monkeypatch.setenv("NO_COLOR", "1")
    plain = call("doctor", "notes.txt", cwd=folder).out.splitlines()
    shown = call("doctor", "notes.txt", cwd=folder, terminal=True).out.splitlines()
    assert shown[-2:] == plain[-2:]
    assert max(map(len, shown[:-2])) <= 44 < max(map(len, plain[:-2]))
    assert " ".join(shown).split() == " ".join(plain).split()


def test_train_suggests_nothing_for_prose(folder: Path) -> None:
    done = call("train", "notes.txt", "--steps", "1", "--hidden-size", "4", cwd=folder)
    assert "looks like" not in done.err


def test_what_is_empty_is_not_to_be_trained_on(folder: Path) -> None:
    (folder / "empty.txt").touch()
    assert "\ntrain " not in call("doctor", "empty.txt", cwd=folder).out
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a").write_bytes(bytes(range(256)))
    refused = call("doctor", "pictures", cwd=folder)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert "none of its 1 files is one" in refused.err


def test_a_report_is_colored_for_terminals_and_escapes_the_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (folder / "notes.txt").write_text(faulty.ENGLISH + "\x1b[31m\x07evil cafÃ©\x1b[0m\n")
    shown = call("doctor", "notes.txt", cwd=folder, terminal=True).out
    assert "\x1b[31mfault" in shown
    assert "\x1b[31m\x07" not in shown
