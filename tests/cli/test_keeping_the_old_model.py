"""A run that has learned nothing yet replaces nothing."""

import signal
from pathlib import Path

import pytest

from charrnn import Model
from tests.support import RUN, TEXT, fails, logged_steps, ok, posix, running, wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text(TEXT)
    return tmp_path


def test_a_run_without_time_for_a_step_says_so_and_saves_nothing(folder: Path) -> None:
    run = ("train", "a.txt", "--time", "0.001s", "-o", "m.npz")
    fails(1, "the time was over before the first training step", *run, cwd=folder)
    assert not (folder / "m.npz").exists()
    ok("train", "a.txt", *RUN, "--steps", "5", "-o", "m.npz", cwd=folder)
    before = (folder / "m.npz").read_bytes()
    fails(1, "before the first training step", *run, "--overwrite", cwd=folder)
    assert (folder / "m.npz").read_bytes() == before


@posix
def test_the_old_model_stays_until_the_new_run_has_validated_once(folder: Path) -> None:
    ok("train", "a.txt", *RUN, "--steps", "5", "-o", "m.npz", cwd=folder)
    before, run = (folder / "m.npz").read_bytes(), ("train", "a.txt", *RUN, "-o", "m.npz")
    with running(*run, "--overwrite", "--steps", "10000000", "--log", "log", cwd=folder) as run_:
        wait_for(lambda: logged_steps(folder / "log") > 5)
        run_.send_signal(signal.SIGINT)
        _, err = run_.communicate(timeout=30)
    assert run_.returncode == 128 + signal.SIGINT
    assert b"m.npz still has the model of before" in err
    assert (folder / "m.npz").read_bytes() == before
    ok(*run, "--overwrite", "--steps", "40", cwd=folder)
    assert Model.load(folder / "m.npz").progress.step == 40
    # There is nothing to keep where there was no file.
    new = ("train", "a.txt", *RUN, "--steps", "10000000", "-o", "new.npz", "--log", "newlog")
    with running(*new, cwd=folder) as run_:
        wait_for(lambda: logged_steps(folder / "newlog") > 5)
        run_.send_signal(signal.SIGINT)
        run_.communicate(timeout=30)
    assert Model.load(folder / "new.npz").progress.step > 5
