"""``charrnn inspect``: on a terminal, in a pipe, as JSON, as a figure; of every kind of file."""

import json
import os
import re
import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from charrnn import Model
from charrnn.export import export
from charrnn.models.description import describe
from tests.support import CHARRNN, TEXT, Done, call, fails_in, shell

SMALL = ["--hidden-size", "8", "--random-seed", "1", "--workers", "1"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspect")
    (folder / "text.txt").write_text(TEXT * 8)
    for name, more in (("a", ["--steps", "60"]), ("b", ["--steps", "40", "--model", "gru"])):
        out = ["-o", f"checkpoints/{name}.npz"]
        assert call("train", "text.txt", *out, *SMALL, *more, cwd=folder).returncode == 0
    os.utime(folder / "checkpoints/a.npz", (1, 1))
    return folder


def shown(home: Path, *args: str | Path, terminal: bool = False) -> Done:
    done = call("inspect", *args, cwd=home, terminal=terminal)
    assert done.returncode == 0, done.err
    return done


def facts(out: str) -> dict[str, list[str]]:
    """Return the rows of what a pipe gets, by name."""
    table = out.partition("\n\n")[0]
    return {row[0]: row[1:] for row in (line.split("\t") for line in table.splitlines())}


def test_a_pipe_gets_what_there_is_to_say_and_the_losses(home: Path) -> None:
    out = shown(home).out
    assert out == shown(home, "checkpoints/b.npz").out  # the newest
    found, model = facts(out), Model.load(home / "checkpoints/b.npz")
    assert found["model"] == ["gru 1 x 8"]
    assert found["trained on"] == ["text.txt"]
    assert found["started from"] == ["random weights"]
    assert found["steps"] == ["40"]
    assert found["lowest held-out loss"] == [f"{model.progress.best_val_loss:.3f}"]
    losses = [line.split("\t") for line in out.partition("\n\n")[2].splitlines()]
    assert losses[0] == ["step", "seconds", "train_loss", "val_loss"]
    assert [int(row[0]) for row in losses[1:]] == [entry["step"] for entry in model.history]
    assert [losses[1][0], losses[1][3]] == ["1", ""]  # the curve begins with the first step
    assert [float(row[3]) for row in losses[2:]] == pytest.approx(
        [entry["val_loss"] for entry in model.history[1:]], rel=1e-5
    )


def test_a_terminal_gets_a_table_and_the_curve(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("plotext", reason="an extra: pip install '.[plot]'")
    for files in (["checkpoints/a.npz"], ["checkpoints/a.npz", "checkpoints/b.npz", "english"]):
        out = re.sub(r"\x1b\[[0-9;]*m", "", shown(home, *files, terminal=True).out)
        assert "\nnats per character\n" in out
        assert "\t" not in out
        assert all(len(line) <= 80 for line in out.splitlines())
    monkeypatch.setattr("charrnn.cli.plot.find_spec", lambda _: None)
    assert "held-out text 2." in shown(home, "checkpoints/a.npz", terminal=True).out


def test_several_stand_side_by_side_with_the_settings_that_differ(home: Path) -> None:
    found = facts(shown(home, "checkpoints/a.npz", "checkpoints/b.npz", "english").out)
    assert found["checkpoint"][:3] == ["checkpoints/a.npz", "checkpoints/b.npz", "english"]
    assert found["steps"] == ["60", "40", "12,000"]
    assert found["--steps"] == ["60", "40", "12000"]
    assert found["started from"] == ["random weights", "random weights", "not noted"]
    assert "--patience" not in found  # which all have in common
    (home / "two.txt").write_text(f"{TEXT}\n{TEXT}")
    pieces = ["two.txt", "-o", "pieces.npz", "--separator", r"\n\n", "--steps", "2"]
    assert call("train", *pieces, *SMALL, cwd=home).returncode == 0
    found = facts(shown(home, "checkpoints/a.npz", "pieces.npz").out)
    assert found["--separator"] == ["", r"\n\n"]


def test_json_is_an_object_and_of_several_one_a_line(home: Path) -> None:
    one = json.loads(shown(home, "checkpoints/a.npz", "--json").out)
    assert one == describe(home / "checkpoints/a.npz") | {"checkpoint": "checkpoints/a.npz"}
    assert one["config"]["model"]["hidden_size"] == one["hidden_size"] == 8
    out = shown(home, "checkpoints/a.npz", "english", "--json").out
    several = [json.loads(line) for line in out.splitlines()]
    assert several[0] == one
    assert several[1].keys() == one.keys()
    assert several[1]["sources"] is None


def test_compact_and_imported_models_say_what_they_do_not_know(home: Path, tmp_path: Path) -> None:
    model = Model.load(home / "checkpoints/a.npz")
    (tmp_path / "c.npz").write_bytes(export(model, "compact"))
    (tmp_path / "w.safetensors").write_bytes(export(model, "safetensors"))
    assert call("import", "w.safetensors", "-o", "i.npz", cwd=tmp_path).returncode == 0
    assert facts(shown(tmp_path, "c.npz").out)["holds"] == ["weights only"]
    found = facts(shown(tmp_path, "i.npz").out)
    assert (found["started from"], found["held out"], found["steps"]) == (
        ["w.safetensors"], ["not noted"], ["0"]
    )  # fmt: skip
    assert "lowest held-out loss" not in found
    assert "\nnats per character\n" not in shown(tmp_path, "i.npz", terminal=True).out


def test_names_of_files_cannot_rule_the_terminal_or_the_table(tmp_path: Path) -> None:
    name = "t\x1b[31m\te\nxt.txt"
    (tmp_path / name).write_text(TEXT)
    run = ("train", name, "-o", "m.npz", "--steps", "2", *SMALL)
    assert call(*run, cwd=tmp_path).returncode == 0
    assert facts(shown(tmp_path, "m.npz").out)["trained on"] == ["t\\x1b[31m\\te\\nxt.txt"]
    assert "\x1b[31m" not in shown(tmp_path, "m.npz", terminal=True).out
    assert json.loads(shown(tmp_path, "m.npz", "--json").out)["sources"] == [name]


def test_what_cannot_be_read_is_left_out_and_said(home: Path) -> None:
    done = call("inspect", "no.npz", "checkpoints/a.npz", "text.txt", cwd=home)
    assert done.returncode == 1
    assert facts(done.out)["checkpoint"] == ["checkpoints/a.npz"]
    assert [line[:9] for line in done.err.splitlines()] == ["left out:"] * 2
    none = call("inspect", "no.npz", "text.txt", "--json", cwd=home)
    assert (none.returncode, none.out) == (1, "")


@pytest.mark.parametrize(
    "line",
    [
        "text.txt --hidden-size 8 --model gru --seq-length 7 --clip-value 5 --epochs 1 --steps 3",
        "text.txt --hidden-size 8 --lines --clip-norm 0 --optimizer sgd --steps 3",
        "text.txt --steps 3 --val-fraction 0.2 --stride 3 --learning-rate 0.0123456789",
    ],
)
def test_the_options_shown_make_the_same_model_again(line: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes((home / "text.txt").read_bytes())
    assert call("train", *line.split(), "-o", "m.npz", cwd=tmp_path).returncode == 0
    (options,) = facts(shown(tmp_path, "m.npz").out)["options"]
    again = call("train", "text.txt", *shlex.split(options), "-o", "n.npz", cwd=tmp_path)
    assert again.returncode == 0, again.err
    one, other = (Model.load(tmp_path / name) for name in ("m.npz", "n.npz"))
    assert one.config == other.config
    assert all((one.weights[name] == other.weights[name]).all() for name in one.weights)


def test_what_draws_a_figure_is_missed_before_the_table(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = fails_in(2, "this needs the package matplotlib", "inspect", "--plot", "x.svg", cwd=home)
    assert done.err.endswith("hint: pip install 'charrnn[plot]'\n")


def test_a_figure_is_written_and_replaced_only_if_asked(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="an extra: pip install '.[plot]'")
    figure, files = tmp_path / "loss.svg", ["checkpoints/a.npz", "checkpoints/b.npz"]
    done = shown(home, *files, "--plot", figure)
    assert "written: " in done.err
    words = " ".join(ET.parse(figure).getroot().itertext())  # noqa: S314  # which charrnn wrote
    for part in (*files, "nats per character", "bits per char"):
        assert part in words
    before = figure.read_bytes()
    refused = call("inspect", "--plot", figure, cwd=home)
    assert refused.returncode == 1
    assert "exists already" in refused.err
    assert figure.read_bytes() == before
    shown(home, *files, "--plot", figure, "--overwrite")
    assert figure.read_bytes() == before  # the same curves are the same bytes
    shown(home, "checkpoints/a.npz", "--plot", figure, "--overwrite")
    assert figure.read_bytes() != before
    table = f"'{CHARRNN}' inspect {files[0]} --plot '{tmp_path}/early.svg' | true"
    shell(table, home)  # which nobody reads
    assert (tmp_path / "early.svg").exists()
    for name, start in (("x.png", b"\x89PNG"), ("x.PDF", b"%PDF")):
        shown(home, "--plot", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
