"""Defaults of the user's own: CHARRNN_COMMAND_OPTION and config.toml."""

import json
from pathlib import Path

import pytest

from charrnn import load as load_model
from charrnn.cli.app import COMMANDS, load_command
from tests.support import TEXT, call, fails_in, trained


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a text and a model, outside of the folder of the user's own."""
    monkeypatch.setattr("typer.get_app_dir", lambda _: str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "text.txt").write_text(TEXT)
    trained().save(folder / "model.npz")
    return folder


def configure(place: Path, text: str) -> None:
    (place.parent / "own" / "config.toml").write_text(text, encoding="utf-8")


def length(place: Path, *args: str) -> int:
    done = call("sample", "-c", "model.npz", *args, cwd=place)
    assert done.returncode == 0, done.err
    return len(done.out) - 1


def test_the_command_line_wins_then_the_environment_then_the_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert length(place) == 200
    configure(place, "\ufeff[sample]\nlength = 2")
    assert length(place) == 2
    monkeypatch.setenv("CHARRNN_SAMPLE_LENGTH", "4")
    assert length(place) == 4
    assert length(place, "-n", "5") == 5


def test_every_kind_of_option_can_be_set_in_the_file(place: Path) -> None:
    options = ["hidden-size = 4", "steps = 2", "quiet = true", "no_ngram = true", "json = true"]
    configure(place, "\n".join(["[train]", "random-seed = 1", *options]))
    done = call("train", "text.txt", "-o", "m.npz", cwd=place)
    assert done.err == ""
    summary = json.loads(done.out)
    assert [summary[name] for name in ("steps", "hidden_size", "ngrams")] == [2, 4, None]
    configure(place, f"[sample]\nstop = {json.dumps([*{*TEXT}])}")
    assert call("sample", "-c", "m.npz", cwd=place).out == "\n"


def test_a_resumed_run_keeps_its_settings_whatever_the_defaults_of_new_ones_are(
    place: Path,
) -> None:
    configure(place, "[train]\nhidden-size = 6\nlayers = 2\nsteps = 2\nquiet = true")
    assert call("train", "text.txt", "-o", "m.npz", cwd=place).returncode == 0
    configure(place, "[train]\nhidden-size = 8\nsteps = 3\nno-ngram = true")
    done = call("train", "text.txt", "-o", "m.npz", "--resume", "--steps", "4", cwd=place)
    assert done.returncode == 0, done.err
    model = load_model(place / "m.npz")
    assert (model.config.model.hidden_size, model.progress.step, bool(model.ngram)) == (6, 4, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_named_alike_on_the_command_line_and_in_the_environment(
    command: str,
) -> None:
    for param in load_command(command).params:
        if param.param_type_name == "option" and "--help" not in param.opts:
            names = {option.strip("-").replace("-", "_") for option in param.opts}
            assert param.name in names or param.envvar, param.opts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[sample", "config.toml: is not valid TOML"),
        ("length = 3", "there is no command 'length'"),
        ("[sampel]\nlength = 3", "there is no command 'sampel'"),
        ("[sample]\nlenght = 3", "[sample] has no option --lenght"),
        ('[sample]\nlength = "long"', "length must be a whole number, not long"),
        ("[sample]\ntop-p = 7", "top-p"),
    ],
)
def test_what_no_command_would_take_is_one_clear_line(
    text: str, complaint: str, place: Path
) -> None:
    configure(place, text)
    fails_in(2, complaint, "sample", "-c", "model.npz", cwd=place)


def test_a_wrong_value_says_where_it_is_set(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = ("sample", "-c", "model.npz")
    configure(place, "[sample]\ncount = 0")
    assert "config.toml)" in fails_in(2, "count must be 1 or more", *sample, cwd=place).err
    monkeypatch.setenv("CHARRNN_SAMPLE_LENGTH", "many")
    fails_in(2, "(set by CHARRNN_SAMPLE_LENGTH)", *sample, cwd=place)


def test_two_options_contradict_each_other_wherever_they_are_from(place: Path) -> None:
    show = ("inspect-vocab", "text.txt", "--json")
    configure(place, "[inspect-vocab]\ntsv = false")
    assert call(*show, cwd=place).returncode == 0
    configure(place, "[inspect-vocab]\ntsv = true")
    fails_in(2, "config.toml) contradict each other", *show, cwd=place)


def test_nothing_is_read_from_the_current_folder(place: Path) -> None:
    for name in ("config.toml", "charrnn.toml", ".charrnn.toml", "pyproject.toml"):
        (place / name).write_text("[sample]\nlength = 3\n[tool.charrnn.sample]\nlength = 3")
    assert length(place) == 200
