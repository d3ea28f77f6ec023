"""Models by name: those that come with charrnn, and the user's own."""

import json
from pathlib import Path

import pytest

from charrnn.checkpoint.bases import BASES
from tests.support import call, fails_in, trained


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the user's own models, with one model in it."""
    monkeypatch.setattr("typer.get_app_dir", lambda _: str(tmp_path / "own"))
    folder = tmp_path / "own" / "models"
    folder.mkdir(parents=True)
    trained().save(folder / "mine.npz")
    return folder


def test_all_models_with_a_name_are_listed_with_their_figures(own: Path, tmp_path: Path) -> None:
    (own / "broken.npz").write_bytes(b"PK")
    done = call("models", "--json", cwd=tmp_path)
    assert (done.returncode, done.err[:10]) == (0, "left out: ")
    models = [json.loads(line) for line in done.out.splitlines()]
    assert [model["name"] for model in models] == [*BASES, "mine"]
    assert all(1 < model["val_loss"] < 1.5 for model in models[:-1])
    assert models[-1]["bytes"] == (own / "mine.npz").stat().st_size
    assert "\nmine\t" in call("models", cwd=tmp_path).out
    assert str(own) in call("models", cwd=tmp_path).err


@pytest.mark.parametrize(
    "command", ["sample -n 3 -c", "inspect", "inspect-vocab", "score x.txt -c", "xray x.txt -c"]
)
def test_a_model_of_ones_own_is_found_by_name_and_a_path_wins(
    command: str, own: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.txt").write_text("b[o")
    assert call(*command.split(), "mine", cwd=tmp_path).returncode == 0
    (tmp_path / "mine").write_text("not a checkpoint")
    if command != "inspect-vocab":  # which takes it for a text
        fails_in(1, "mine: not a charrnn checkpoint", *command.split(), "mine", cwd=tmp_path)
    assert own.exists()


@pytest.mark.parametrize("name", ["haiku", "haiku.npz", "checkpoints/haiku", "haikoo"])
def test_what_is_not_found_is_looked_for_where_training_puts_models(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").mkdir()
    trained().save(tmp_path / "checkpoints" / "haiku.npz")
    done = fails_in(1, f"{name}: no such checkpoint", "sample", "-c", name, cwd=tmp_path)
    assert done.err.endswith("\nhint: did you mean checkpoints/haiku.npz?\n")


def test_a_base_model_keeps_its_name(own: Path, tmp_path: Path) -> None:
    trained().save(own / "english.npz")
    assert json.loads(call("inspect", "english", "--json", cwd=tmp_path).out)["steps"] > 1000
