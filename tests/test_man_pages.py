"""The man pages are what the commands say, without a complaint from those who print them."""

import re
import shutil
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from charrnn.cli.commands import COMMANDS, load
from charrnn.cli.defaults import keys_of

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "man"
PAGES = sorted(FOLDER.glob("*"))


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module that writes them."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "tools"))
    return import_module("man_pages")


def test_the_man_pages_are_what_the_commands_say(tool: Any) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
    assert written == tool.pages(), "run docs/tools/man_pages.py"


def test_there_is_a_page_for_each_command_with_all_its_options() -> None:
    assert {path.name for path in PAGES} == {"charrnn.1", *(f"charrnn-{it}.1" for it in COMMANDS)}
    for command in COMMANDS:
        page = (FOLDER / f"charrnn-{command}.1").read_text(encoding="utf-8").replace("\\-", "-")
        for key in keys_of(load(command)).values():
            for name in (*key.param.opts, *key.param.secondary_opts):
                assert f"\\fB{name}\\fR" in page, (command, name)


def test_what_roff_would_misread_is_escaped(tool: Any) -> None:
    assert tool.paragraph(".stop") == "\\&.stop"
    assert tool.paragraph("'x' a\\n") == "\\(aqx\\(aq a\\en"
    assert tool.names("-n, --length <int>") == "\\fB\\-n\\fR, \\fB\\-\\-length\\fR \\fIint\\fR"
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        macros = set(re.findall(r"^[.'][^ \n]*", text, flags=re.MULTILINE))
        known = {".nr", ".TH", '.\\"', ".ad", ".SH", ".SS", ".TP", ".PP", ".BR", ".EX", ".EE"}
        assert macros <= known, path


def test_the_wheel_installs_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {"docs/man": "share/man/man1"}


@pytest.mark.parametrize(
    "reader",
    [
        ["groff", "-K", "utf8", "-man", "-Tutf8", "-ww", "-z"],
        ["mandoc", "-T", "lint", "-W", "error"],
    ],
)
def test_their_readers_have_nothing_to_complain_of(reader: list[str]) -> None:
    if shutil.which(reader[0]) is None:
        pytest.skip(f"no {reader[0]}")
    done = subprocess.run([*reader, *PAGES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
