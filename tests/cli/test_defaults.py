"""Defaults of the user's own: CHARRNN_COMMAND_OPTION and config.toml."""

import json
import os
from pathlib import Path

import pytest

from charrnn import load as load_model
from charrnn.cli.app import COMMANDS, load
from tests.support import TEXT, Done, call, fails_in, trained


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


def refused(complaint: str, *args: str, cwd: Path) -> Done:
    return fails_in(2, complaint, *args, cwd=cwd)


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


def test_a_repeatable_option_has_a_list_in_the_file(place: Path) -> None:
    assert length(place, "--greedy") == 200
    characters = [*{*call("sample", "-c", "model.npz", "--greedy", cwd=place).out}]
    configure(place, f"[sample]\nstop = {json.dumps(characters)}")
    assert length(place, "--greedy") == 0


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
    for param in load(command).params:
        if param.param_type_name == "option" and "--help" not in param.opts:
            names = {option.strip("-").replace("-", "_") for option in param.opts}
            assert param.name in names or param.envvar, param.opts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[sample", "config.toml: is not valid TOML"),
        ("length = 3", "there is no command 'length'"),
        ("[sampel]\nlength = 3", "there is no command 'sampel'"),
        ("[sample]\nlenght = 3", "[sample] has no option 'lenght'"),
        ('[sample]\nlength = "long"', "'--length'"),
        ("[sample]\ntop-p = 7", "top-p"),
    ],
)
def test_what_no_command_would_take_is_one_clear_line(
    text: str, complaint: str, place: Path
) -> None:
    configure(place, text)
    refused(complaint, "sample", "-c", "model.npz", cwd=place)


def test_a_wrong_value_says_where_it_is_set(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(place, "[sample]\ncount = 0")
    assert "config.toml)" in refused("'--count'", "sample", "-c", "model.npz", cwd=place).err
    monkeypatch.setenv("CHARRNN_SAMPLE_LENGTH", "many")
    refused("(set by CHARRNN_SAMPLE_LENGTH)", "sample", "-c", "model.npz", cwd=place)


def test_two_options_contradict_each_other_wherever_they_are_from(place: Path) -> None:
    configure(place, "[inspect-vocab]\ntsv = true")
    done = refused("contradict each other", "inspect-vocab", "text.txt", "--json", cwd=place)
    assert "config.toml) contradict" in done.err


def test_an_option_that_is_off_contradicts_nothing(place: Path) -> None:
    configure(place, "[inspect-vocab]\ntsv = false")
    assert call("inspect-vocab", "text.txt", "--json", cwd=place).returncode == 0


def test_nothing_is_read_from_the_current_folder(place: Path) -> None:
    for name in ("config.toml", "charrnn.toml", ".charrnn.toml", "pyproject.toml"):
        (place / name).write_text("[sample]\nlength = 3\n[tool.charrnn.sample]\nlength = 3")
    assert length(place) == 200


def test_a_traceback_can_be_asked_for_in_the_environment(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARRNN_DEBUG", "1")
    assert "Traceback" in call("train", "missing.txt", cwd=place).err
    monkeypatch.setenv("CHARRNN_DEBUG", "0")
    assert "Traceback" not in call("train", "missing.txt", cwd=place).err


def test_the_tests_themselves_read_no_file_of_whoever_runs_them() -> None:
    assert "XDG_CONFIG_HOME" in os.environ
    assert not list(Path(os.environ["XDG_CONFIG_HOME"]).iterdir())
