"""Defaults of the user's own: CHARRNN_ variables and config.toml."""

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from charrnn import Model, ModelConfig
from charrnn.cli.commands import COMMANDS, load
from charrnn.cli.defaults import keys_of
from charrnn.cli.precedence import _ALTERNATIVES, stored
from charrnn.models.start import FREE
from tests.support import TEXT, Done, call, trained

TINY = ["text.txt", "-o", "m.npz", "--hidden-size", "4", "--steps", "2", "--random-seed", "1"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a text and a model, in no repository, outside of the home directory."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.setattr("typer.get_app_dir", lambda _: str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    (folder / "text.txt").write_text(TEXT)
    trained().save(folder / "model.npz")
    return folder


def shown(command: str, *args: str, cwd: Path) -> dict[str, Any]:
    """Return what --show-config prints, with where each value is from."""
    done = call(command, *args, "--show-config", cwd=cwd)
    assert done.returncode == 0, done.err
    out = done.out.replace(f"{cwd.parent / 'own'}{os.sep}", "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[0] == ["option", "value", "set by"]
    return {name: (value, origin) for name, value, origin in rows[1:]}


def set_by(command: str, name: str, *args: str, cwd: Path) -> str:
    """Return where an option is set, and if it is set but does not hold, what is said of that."""
    done = call(command, *args, "--show-config", cwd=cwd)
    assert done.returncode == 0, done.err
    if done.out.startswith("{"):
        record = json.loads(done.out)["options"][name]
        return str(record["origin"] or record["set_aside"])
    return next(line for line in done.out.splitlines() if line.startswith(f"{name}\t"))


def refused(complaint: str, *args: str, cwd: Path) -> Done:
    """Run a command line that must fail with one clear line and exit code 2."""
    done = call(*args, cwd=cwd)
    errors = [line for line in done.err.splitlines() if line.startswith("charrnn: error: ")]
    assert done.returncode == 2, done.err
    assert len(errors) == 1
    assert complaint in errors[0]
    assert done.out == ""
    return done


# What wins


def test_the_command_line_wins_then_the_environment_then_the_file_each_from_near_to_far(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def length(*args: str) -> tuple[str, str]:
        found: tuple[str, str] = shown("sample", *args, cwd=place)["length"]
        return found

    assert length() == ("200, or a line", "default")
    (place.parent / "own" / "config.toml").write_text("length = 1")
    assert length() == ("1", "config.toml length")
    (place.parent / "own" / "config.toml").write_text("length = 1\n[sample]\nlength = 2")
    assert length() == ("2", "config.toml [sample] length")
    monkeypatch.setenv("CHARRNN_LENGTH", "3")
    assert length() == ("3", "CHARRNN_LENGTH")
    monkeypatch.setenv("CHARRNN_SAMPLE_LENGTH", "4")
    assert length() == ("4", "CHARRNN_SAMPLE_LENGTH")
    assert length("-n", "5") == ("5", "command line")
    assert shown("complete", cwd=place)["length"] == ("3", "CHARRNN_LENGTH")
    monkeypatch.setenv("CHARRNN_SAMPLE_LENGTH", "")
    assert length() == ("3", "CHARRNN_LENGTH")


def test_a_default_does_what_the_option_does(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.parent / "own" / "config.toml").write_text(
        '[sample]\nlength = 7\ngreedy = true\ncheckpoint = "model.npz"\n'
    )
    typed = call("sample", "-n", "7", "--greedy", "-c", "model.npz", "--no-config", cwd=place)
    assert typed.returncode == 2  # it belongs before the command
    typed = call("--no-config", "sample", "-n", "7", "--greedy", "-c", "model.npz", cwd=place)
    assert call("sample", cwd=place).out == typed.out
    monkeypatch.setenv("CHARRNN_NO_ECHO", "yes")
    monkeypatch.setenv("CHARRNN_SEED", "été")
    assert call("sample", cwd=place).out != "été" + typed.out
    assert len(call("sample", cwd=place).out) == 8


def test_a_setting_of_the_file_is_given_and_not_chosen(place: Path) -> None:
    (place.parent / "own" / "config.toml").write_text(
        '[train]\nsteps = 3\nhidden-size = 9\nmodel = "gru"\ndropout = 0.25\nrandom_seed = 5\n'
    )
    done = call("train", "text.txt", "-o", "m.npz", cwd=place)
    assert done.returncode == 0, done.err
    config = Model.load(place / "m.npz").config
    assert (config.model.cell, config.model.hidden_size) == ("gru", 9)
    assert (config.model.dropout, config.run.random_seed) == (0.25, 5)
    assert (config.run.steps, config.run.seconds) == (3, None)


def test_another_limit_on_the_command_line_replaces_that_of_the_file(place: Path) -> None:
    (place.parent / "own" / "config.toml").write_text('[train]\ntime = "10m"\n')
    assert call("train", *TINY, cwd=place).returncode == 0
    run = Model.load(place / "m.npz").config.run
    assert (run.steps, run.seconds) == (2, None)
    found = shown("train", "--steps", "2", cwd=place)
    reason = "10m of config.toml [train] time gives way to --steps"
    assert found["time"] == ("5m, unless --epochs or --steps is given", f"default; {reason}")


def test_limits_of_one_file_hold_together(place: Path) -> None:
    (place.parent / "own" / "config.toml").write_text("[train]\ntime = 600\nsteps = 2\n")
    assert call("train", "text.txt", "-o", "m.npz", cwd=place).returncode == 0
    run = Model.load(place / "m.npz").config.run
    assert (run.steps, run.seconds) == (2, 600)


@pytest.mark.parametrize(
    ("command", "file", "typed", "gone"),
    [
        ("sample", "greedy = true", ["-t", "0.8"], "greedy"),
        ("sample", "temperature = 0.5", ["--greedy"], "temperature"),
        ("sample", 'seed = "a"', ["--seed-file", "text.txt"], "seed"),
        ("sample", "count = 3\njsonl = true", ["--endless"], "count"),
        ("sample", "endless = true", ["-n", "5"], "endless"),
        ("train", "quiet = true", ["-v"], "quiet"),
        ("train", "overwrite = true", ["--resume"], "overwrite"),
        ("train", "resume = true", ["--from", "english"], "resume"),
        ("train", "hidden_size = 8", ["--from", "english"], "hidden-size"),
        ("train", 'from = "english"', ["--hidden-size", "8"], "from"),
        ("train", 'nonlinearity = "relu"\nmodel = "rnn"', ["--model", "gru"], "nonlinearity"),
        ("train", "weight_decay = 0.1", ["--optimizer", "sgd"], "weight-decay"),
        ("score", "lines = true", ["--window", "5"], "lines"),
        ("score", "top = 5", [], "top"),
        ("score", 'unknown = "charge"', [], "unknown"),
        ("inspect-vocab", "tsv = true", ["--json"], "tsv"),
        ("inspect-vocab", "seq_length = 8", [], "seq-length"),
        ("inspect-vocab", "one_hot = true", ["--windows", "2"], "one-hot"),
    ],
)
def test_what_contradicts_the_command_line_or_is_of_no_use_is_set_aside(
    command: str, file: str, typed: list[str], gone: str, place: Path
) -> None:
    (place.parent / "own" / "config.toml").write_text(f"[{command}]\n{file}\n")
    said = set_by(command, gone, *typed, cwd=place)
    assert "gives way to" in said or "is of no use here" in said


def test_a_start_from_nothing_leaves_the_size_of_the_file(place: Path) -> None:
    (place.parent / "own" / "config.toml").write_text("[train]\nhidden_size = 8\n")
    assert shown("train", "--from", "none", cwd=place)["hidden-size"][0] == "8"


def test_every_alternative_is_an_option_and_the_shape_is_that_of_the_model() -> None:
    every = {key.param.name for name in COMMANDS for key in keys_of(load(name)).values()}
    assert set().union(*_ALTERNATIVES) <= every
    shape = {field.name for field in fields(ModelConfig)} - FREE - {"dtype"}
    beside = {name for several in _ALTERNATIVES if "from_" in several for name in several}
    assert beside - {"from_", "resume", "model"} == shape - {"cell"}
    assert {"time", "hidden_size", "model", "optimizer", "random_seed", "workers"} <= stored()


def test_a_resumed_run_keeps_what_its_checkpoint_says(place: Path) -> None:
    assert call("train", *TINY, cwd=place).returncode == 0
    before = Model.load(place / "m.npz").config
    (place.parent / "own" / "config.toml").write_text(
        '[train]\nhidden_size = 9\nmodel = "gru"\ntime = "1h"\nencoding = "latin-1"\n'
    )
    done = call("train", "text.txt", "-o", "m.npz", "--resume", "--steps", "4", cwd=place)
    assert done.returncode == 0, done.err
    assert done.err.count("a resumed run keeps its own settings") == 1
    assert "config.toml [train] hidden_size" in done.err
    assert "encoding" not in done.err
    after = Model.load(place / "m.npz")
    assert (after.config.model, after.progress.step) == (before.model, 4)
    done = call("train", "text.txt", "-o", "m.npz", "--resume", cwd=place)
    assert "nothing left to do" in done.err
    refused("cannot change --hidden-size", "train", "text.txt", "-o", "m.npz", "--resume",
            "--hidden-size", "5", cwd=place)  # fmt: skip


def test_filters_of_lines_wait_for_a_model_of_lines_but_not_on_the_command_line(
    place: Path,
) -> None:
    (place.parent / "own" / "config.toml").write_text("[sample]\nnew = true\nmin_length = 3\n")
    done = call("sample", "-c", "model.npz", "-n", "5", cwd=place)
    assert done.returncode == 0, done.err
    refused("goes with a model of lines", "sample", "-c", "model.npz", "--new", cwd=place)


# Every option


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_can_be_set_in_the_environment_and_in_the_file(
    command: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, option in keys_of(load(command)).items():
        param = option.param
        choices = param.type_descriptor.choices
        text = choices[-1] if choices else "1"
        name = next(one for one in param.opts if one.startswith("--"))[2:]
        variable = f"CHARRNN_{command}_{key}".replace("-", "_").upper()
        with monkeypatch.context() as patch:
            patch.setenv(variable, text)
            assert variable in set_by(command, name, cwd=place)
        value = "true" if param.is_flag else json.dumps(text)
        (place.parent / "own" / "config.toml").write_text(
            f"[{command}]\n{key.replace('_', '-')} = {value}\n"
        )
        assert "config.toml" in set_by(command, name, cwd=place)
        (place.parent / "own" / "config.toml").unlink()


def test_a_repeatable_option_has_one_value_a_line_or_a_list(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.parent / "own" / "config.toml").write_text('[sample]\nstop = ["the end", "\\n"]\n')
    assert shown("sample", cwd=place)["stop"][0] == "the end \\n"
    monkeypatch.setenv("CHARRNN_STOP", "so it ends\n.")
    found = json.loads(call("sample", "--jsonl", "--show-config", cwd=place).out)
    assert found["options"]["stop"]["value"] == ["so it ends", "."]
    monkeypatch.setenv("CHARRNN_STOP", "\n")
    found = json.loads(call("sample", "--jsonl", "--show-config", cwd=place).out)
    assert found["options"]["stop"]["value"] == ["\n"]
    assert found["options"]["stop"]["origin"] == "CHARRNN_STOP"
    assert found["options"]["temperature"] == {
        "value": 0.8, "source": "default", "origin": None, "default": 0.8, "set_aside": None,
    }  # fmt: skip


# What is wrong


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("[train]\nhiden_size = 4", "config.toml [train] hiden_size: there is no such option"),
        ("[train]\nhiden_size = 4", "option; did you mean hidden_size?"),
        ("[train]\ntemperature = 1", "[train] temperature: there is no such option; it is one of"),
        ("[train]\ntemperature = 1", "; it is one of [sample]"),
        ("temprature = 1", "config.toml temprature: there is no such option; did you mean temp"),
        ("[trian]\nsteps = 1", "there is no command 'trian'; did you mean train?"),
        ("train = 1", "config.toml train: there is no such option"),
        ("[sample]\nshow_config = true", "there is no such option"),
        ("[train]\nhidden_size = 'big'", "config.toml [train] hidden_size: "),
        ("[train]\nhidden_size = true", "must be one number or text, not true"),
        ("[train]\nhidden_size = [4]", "must be one number or text, not a list"),
        ("[train]\nhidden_size = 4.5", "config.toml [train] hidden_size: "),
        ("[train]\nhidden_size = 1979-05-27", "must be one number or text"),
        ("[train]\nlines = 1", "must be true or false, not 1"),
        ("[train]\nmodel = 'lstn'", "'lstn' is not one of"),
        ("[sample]\nstop = [['a']]", "must be a text or a list of texts, not a list"),
        ("[sample]\nlength = -1", "config.toml [sample] length: "),
        ("[train]\nhidden_size = 4\nhidden-size = 5", "is set twice, as hidden_size too"),
        ("[train]\nsteps = ", "config.toml: is not valid TOML: "),
        ("[train.data]\nsteps = 1", "[train] data: there is no such option"),
    ],
)  # fmt: skip
def test_what_no_command_would_take_is_one_clear_line(
    file: str, complaint: str, place: Path
) -> None:
    (place.parent / "own" / "config.toml").write_text(file)
    command = "sample" if "[sample]" in file else "train"
    args = ["text.txt"] if command == "train" else []
    refused(complaint, command, *args, cwd=place)
    assert call(command, "--help", cwd=place).returncode == 0


def test_another_command_finds_the_mistake_too(place: Path) -> None:
    (place.parent / "own" / "config.toml").write_text("[train]\nhiden_size = 4")
    refused("hiden_size", "sample", "-c", "model.npz", cwd=place)


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("CHARRNN_HIDDEN_SIZE", "big", "CHARRNN_HIDDEN_SIZE: "),
        ("CHARRNN_TRAIN_LINES", "perhaps", "CHARRNN_TRAIN_LINES: "),
        ("CHARRNN_MODEL", "transformer", "'transformer' is not one of"),
    ],
)
def test_a_wrong_value_in_the_environment_is_named(
    variable: str, value: str, complaint: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    refused(complaint, "train", "text.txt", cwd=place)


def test_an_unknown_variable_is_a_warning_and_one_of_another_command_is_not(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARRNN_TEMPRATURE", "1")
    monkeypatch.setenv("CHARRNN_HOME", "/somewhere")
    monkeypatch.setenv("CHARRNN_TRAIN_STEPS", "1")
    monkeypatch.setenv("CHARRNN_STEPS", "1")
    done = call("sample", "-c", "model.npz", "-n", "2", cwd=place)
    assert done.returncode == 0
    told = "CHARRNN_TEMPRATURE sets no option; did you mean CHARRNN_TEMPERATURE?"
    assert f"charrnn: warning: {told}" in done.err.splitlines()
    assert "CHARRNN_HOME sets no option" in done.err
    assert "STEPS" not in done.err


def test_a_message_says_where_an_option_is_set_that_nobody_typed(place: Path) -> None:
    (place.parent / "own" / "config.toml").write_text("[train]\nresume = true\ndropout = 2\n")
    done = call("train", "text.txt", cwd=place)
    assert f"--resume is set by {place.parent / 'own' / 'config.toml'} [train] resume" in done.err
    (place.parent / "own" / "config.toml").write_text("[train]\ndropout = 2\n")
    done = refused("dropout must be", "train", "text.txt", cwd=place)
    assert f"--dropout is set by {place.parent / 'own' / 'config.toml'} [train] dropout" in done.err
    done = refused("dropout must be", "train", "text.txt", "--dropout", "3", cwd=place)
    assert "is set by" not in done.err


def test_a_traceback_can_be_asked_for_in_the_environment(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Traceback" not in call("train", "missing.txt", cwd=place).err
    monkeypatch.setenv("CHARRNN_DEBUG", "1")
    done = call("train", "missing.txt", cwd=place)
    assert "Traceback" in done.err
    assert "sets no option" not in done.err


# Where it is looked for


@pytest.mark.parametrize("name", ["charrnn.toml", "config.toml", "pyproject.toml"])
def test_nothing_is_read_from_the_current_folder(name: str, place: Path) -> None:
    table = "[tool.charrnn]\n" if name == "pyproject.toml" else ""
    (place / name).write_text(f'{table}overwrite = true\noutput = "text.txt"\nlog = "text.txt"\n')
    (place / ".git").mkdir()
    assert {origin for _, origin in shown("train", cwd=place).values()} == {"default"}


def test_a_file_may_have_a_byte_order_mark(place: Path) -> None:
    (place.parent / "own" / "config.toml").write_bytes(b"\xef\xbb\xbflength = 2\r\n")
    assert shown("sample", cwd=place)["length"][0] == "2"


def test_no_config_takes_nothing_from_anywhere(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.parent / "own" / "config.toml").write_text("this is [not TOML")
    monkeypatch.setenv("CHARRNN_LENGTH", "x")
    done = call("--no-config", "sample", "-c", "model.npz", "-n", "4", "--greedy", cwd=place)
    assert done.returncode == 0, done.err
    refused("CHARRNN_LENGTH", "sample", "-c", "model.npz", "-n", "4", cwd=place)


# Showing


@pytest.mark.parametrize("command", COMMANDS)
def test_show_config_lists_every_option_and_does_nothing(command: str, place: Path) -> None:
    before = {path: path.read_bytes() for path in place.iterdir()}
    found = shown(command, cwd=place)
    settable = {key.param.name for key in keys_of(load(command)).values()}
    assert len(found) == len(settable)
    assert {origin for _, origin in found.values()} == {"default"}
    assert {path: path.read_bytes() for path in place.iterdir()} == before
    drawn = call(command, "--show-config", cwd=place, terminal=True)
    assert "\t" not in drawn.out
    assert drawn.out.count("default") >= len(settable)


def test_show_config_is_json_where_the_command_is_to_print_json(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARRNN_JSON", "1")
    found = json.loads(call("train", "text.txt", "--show-config", cwd=place).out)
    assert found["command"] == "train"
    assert found["options"]["json"]["origin"] == "CHARRNN_JSON"
    assert found["options"]["hidden-size"]["default"] == "chosen from text and time"


def test_show_config_refuses_what_the_command_refuses(place: Path) -> None:
    refused("--length", "sample", "--show-config", "-n", "many", cwd=place)
    refused("--lenth", "sample", "--show-config", "--lenth", "5", cwd=place)


@pytest.mark.parametrize("args", [["--help"], ["train", "--help"], ["export", "--show-config"]])
def test_nothing_is_loaded_that_is_not_needed(args: list[str], place: Path) -> None:
    program = (
        "import sys, charrnn.cli\n"
        "try: charrnn.cli.main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'tomllib' not in sys.modules\n"
        "assert '--help' not in sys.argv or 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, *args], check=True, cwd=place)
