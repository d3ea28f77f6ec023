"""What can go wrong around a run, done to the real program: kills, limits, hostile files, pipes."""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

import pytest

from charrnn import CheckpointError, Event, Model
from charrnn.cli.training_display import TrainingDisplay
from tests.support import (
    CHARRNN,
    ENVIRONMENT,
    ROOT,
    RUN,
    TEXT,
    call,
    fails,
    logged_steps,
    ok,
    on_a_terminal,
    running,
    same_arrays,
    shell,
    wait_for,
)  # fmt: skip

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals, limits and pipes")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT * 3)
    return tmp_path / "text.txt"


# Saving


def test_a_save_killed_at_any_moment_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    program = (
        "import sys; from tests.support import trained\n"
        "checkpoint = trained(); checkpoint.save(sys.argv[1]); print('first', flush=True)\n"
        "while True: checkpoint.save(sys.argv[1])"
    )
    path, rng = tmp_path / "m.npz", random.Random(0)
    for _ in range(40):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"first\n"
            time.sleep(rng.random() * 0.05)
            process.kill()
        Model.load(path)


def test_a_full_disk_ends_a_run_with_one_line_and_the_old_file(text: Path) -> None:
    ok("train", text, *RUN, "--steps", "5", "-o", "m.npz", cwd=text.parent)
    before = (text.parent / "m.npz").read_bytes()
    command = (
        f"ulimit -f 8; trap '' XFSZ; '{CHARRNN}' train text.txt -o m.npz --overwrite --steps 5 -q"
    )
    done = shell(command, text.parent)
    assert done.returncode == 1
    assert b"m.npz: cannot be written: File too large" in done.stderr
    assert (text.parent / "m.npz").read_bytes() == before
    assert sorted(path.name for path in text.parent.iterdir()) == ["m.npz", "text.txt"]


@pytest.mark.parametrize(
    "ending", ["2>&1 | head -n 1", "2> /dev/full", "--log /dev/full"], ids=["head", "full", "log"]
)
def test_progress_that_nobody_can_read_does_not_end_a_run(ending: str, text: Path) -> None:
    command = f"'{CHARRNN}' train text.txt --hidden-size 8 --time 1s -o m.npz {ending}"
    done = shell(command, text.parent)
    assert done.returncode == 0, done.stderr
    assert Model.load(text.parent / "m.npz").progress.step > 1


def test_a_long_run_saves_now_and_then(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("charrnn.cli.outputs"), "SAVE_EVERY_SECONDS", -1)
    saved = []
    monkeypatch.setattr(Model, "save", lambda self, _: saved.append(self.progress.step))
    args = ["--hidden-size", "4", "--steps", "5", "-q", "-o", "m.npz"]
    assert call("train", "text.txt", *args, cwd=text.parent).returncode == 0
    assert saved == [1, 2, 3, 4, 5, 5]


def test_a_signal_that_interrupts_a_write_does_not_lose_the_run(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ENVIRONMENT, "PYTHONUNBUFFERED", raising=False)
    log = text.parent / "log"
    with running("train", text, "--hidden-size", "8", "--sample-every", "1", "--steps", "1000000",
                 "-o", "m.npz", "--log", "log", cwd=text.parent) as run:  # fmt: skip
        assert run.stderr is not None
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(run.stderr, fcntl.F_SETPIPE_SZ, 4096)
        wait_for(lambda: logged_steps(log) > 3)
        before = -1
        while (now := logged_steps(log)) != before:  # until nobody reads what it writes
            before = now
            time.sleep(1)
        run.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        _, err = run.communicate(timeout=30)
    assert run.returncode == 143, err[-500:]
    assert Model.load(text.parent / "m.npz").progress.step == logged_steps(log) >= before


def test_an_unexpected_exception_between_two_steps_loses_none(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: TrainingDisplay, event: Event) -> None:
        if event.step == 7:
            raise RuntimeError("planted")

    monkeypatch.setattr(TrainingDisplay, "show", fail)
    done = call("train", "text.txt", *RUN, "--steps", "9", "-o", "m.npz", cwd=text.parent)
    assert done.returncode == 1
    assert "internal error: RuntimeError: planted" in done.err
    assert Model.load(text.parent / "m.npz").progress.step == 7


def test_a_caller_that_ignores_its_children_does_not_lose_the_run(text: Path) -> None:
    command = f"trap '' CHLD; exec '{CHARRNN}' train text.txt -o m.npz --workers 2 --steps 5 -q"
    assert shell(command, text.parent).returncode == 0
    assert Model.load(text.parent / "m.npz").progress.step == 5


# Keeping the model of before


def test_a_run_without_time_for_a_step_says_so_and_saves_nothing(text: Path) -> None:
    run = ("train", "text.txt", "--time", "0.001s", "-o", "m.npz")
    fails(1, "the time was over before the first training step", *run, cwd=text.parent)
    assert not (text.parent / "m.npz").exists()
    ok("train", "text.txt", *RUN, "--steps", "5", "-o", "m.npz", cwd=text.parent)
    before = (text.parent / "m.npz").read_bytes()
    fails(1, "before the first training step", *run, "--overwrite", cwd=text.parent)
    assert (text.parent / "m.npz").read_bytes() == before


def test_the_old_model_stays_until_the_new_run_has_validated_once(text: Path) -> None:
    def interrupt(*options: str) -> bytes:
        log = text.parent / "log"
        log.unlink(missing_ok=True)
        with running("train", "text.txt", *RUN, "--steps", "10000000", "--log", "log", *options,
                     cwd=text.parent) as run:  # fmt: skip
            wait_for(lambda: logged_steps(log) > 5)
            run.send_signal(signal.SIGINT)
            return run.communicate(timeout=30)[1]

    model = text.parent / "m.npz"
    interrupt("-o", "m.npz")  # there is nothing to keep where there was no file
    assert Model.load(model).progress.step > 5
    before = model.read_bytes()
    assert b"m.npz still has the model of before" in interrupt("-o", "m.npz", "--overwrite")
    assert model.read_bytes() == before
    ok("train", "text.txt", *RUN, "-o", "m.npz", "--overwrite", "--steps", "40", cwd=text.parent)
    assert Model.load(model).progress.step == 40


# Resuming


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("windows", [[], ["--stride", "3"]], ids=["streams", "windows"])
def test_stopped_and_killed_runs_resume_to_the_last_bit(
    model: str, windows: list[str], text: Path
) -> None:
    folder, options = text.parent, [*RUN, "--model", model, "--steps", "900", *windows]
    ok("train", text, *options, "-o", "whole.npz", "--log", "whole.log", cwd=folder)
    log = folder / "log"
    for number, stop in enumerate((signal.SIGINT, signal.SIGKILL)):
        # A killed run must have been saved once: at its first validation.
        goal, again = (number + 1) * 250, ["--resume"] * number
        with running("train", text, *options, "-o", "m.npz", "--log", "log", *again,
                     cwd=folder) as run:  # fmt: skip
            wait_for(lambda goal=goal: logged_steps(log) > goal or run.poll() is not None)
            run.send_signal(stop)
            run.wait(30)
    done = ok("train", text, *options, "-o", "m.npz", "--log", "log", "--resume", cwd=folder)
    assert "saved:" in done.err
    same_arrays(folder / "whole.npz", folder / "m.npz")
    logs = [
        [json.loads(line) for line in (folder / name).read_text().splitlines()]
        for name in ("whole.log", "log")
    ]
    assert [entry["step"] for entry in logs[1]] == list(range(1, 901))
    for one, other in zip(*logs, strict=True):
        for key in ("train_loss", "val_loss", "learning_rate", "grad_norm"):
            assert one.get(key) == other.get(key)


def test_another_text_is_another_judge_of_what_is_best(text: Path) -> None:
    folder = text.parent
    small = ["--hidden-size", "16", "--val-fraction", "0.1", "-o", "m.npz", "-q"]
    ok("train", text, *small, "--steps", "200", cwd=folder)
    (folder / "text.txt").write_text(TEXT[:200] + "zzzz. " * 900)
    fails(1, "has characters that", "train", "text.txt", "-o", "m.npz", "--resume", cwd=folder)
    (folder / "text.txt").write_text(TEXT[:200] + "dddd. " * 900)
    done = ok("train", "text.txt", "-o", "m.npz", "--resume", "--steps", "500", cwd=folder)
    assert "the corpus has changed" in done.err
    greedy = ok("sample", "-c", "m.npz", "--greedy", "--seed", "d", "-n", "20", cwd=folder).out
    assert "ddd. dddd" in greedy


def test_a_second_signal_ends_a_run_at_once(text: Path) -> None:
    # Each step of this one takes seconds: nothing is finished before the second signal.
    slow = ["--hidden-size", "1024", "--layers", "2", "--seq-length", "100", "--steps", "60",
            "--plain", "--workers", "1"]  # fmt: skip
    with running("train", text, *slow, "-o", "m.npz", "--log", "log", cwd=text.parent) as run:
        wait_for(lambda: logged_steps(text.parent / "log"))
        run.send_signal(signal.SIGINT)
        time.sleep(0.6)
        run.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert run.wait(30) == -signal.SIGINT
        assert time.monotonic() - started < 5


def test_ctrl_c_does_not_wait_for_what_other_processes_write(text: Path) -> None:
    ok("train", text, *RUN, "--steps", "2", "-o", "m.npz", cwd=text.parent)
    long = ("sample", "-c", "m.npz", "--count", "64", "-n", "10000000")
    with running(*long, cwd=text.parent, start_new_session=True) as run:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        wait_for(lambda: bool(children.read_text()))
        workers = children.read_text().split()
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
    assert not any(Path(f"/proc/{it}/cmdline").exists() for it in workers)


def test_nohup_keeps_a_run_alive_through_a_hangup(text: Path) -> None:
    options = [*RUN, "--steps", "500", "-o", "m.npz", "--log", "log"]
    deaf = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with running("train", text, *options, cwd=text.parent, **deaf) as run:
        wait_for(lambda: logged_steps(text.parent / "log") > 3)
        run.send_signal(signal.SIGHUP)
        run.communicate(timeout=60)
        assert run.returncode == 0
    assert Model.load(text.parent / "m.npz").progress.step == 500


@pytest.mark.parametrize("members", [1, 2])
def test_old_weights_start_a_new_run_on_other_characters(text: Path, members: int) -> None:
    folder = text.parent
    ok("train", text, *RUN, "--networks", str(members), "--steps", "300", "-o", "old.npz",
       cwd=folder)  # fmt: skip
    (folder / "new.txt").write_text(TEXT.replace("cat", "çat") + "!" * 9)
    done = ok("train", "new.txt", "--from", "old.npz", "--steps", "1", "-o", "new.npz", cwd=folder)
    assert "2 new ones" in done.err
    assert "1 that do not occur here" in done.err
    old, new = Model.load(folder / "old.npz"), Model.load(folder / "new.npz")
    assert new.score(TEXT).nats_per_char < old.score(TEXT).nats_per_char + 0.3
    assert new.config.model.members == members
    fails(2, "its weights do not fit another --hidden-size", "train", "new.txt", "--from",
          "old.npz", "--hidden-size", "99", "-o", "x.npz", cwd=folder)  # fmt: skip


# Training that goes wrong


def test_a_run_that_diverges_ends_with_a_usable_checkpoint(text: Path) -> None:
    run = [str(text), *RUN, "--optimizer", "sgd", "--clip-norm", "0"]
    run, folder = [*run, "-o", "m.npz"], text.parent
    diverging = ["--learning-rate", "1e300", "--steps", "50"]
    done = fails(1, "lower learning rates did not help", "train", *run, *diverging, cwd=folder)
    assert "RuntimeWarning" not in done.err
    assert not (folder / "m.npz").exists()  # nothing was learned
    ok("train", *run, "--steps", "9", cwd=folder)
    fails(1, "did not help", "train", text, "-o", "m.npz", "--resume", *diverging, cwd=folder)
    assert Model.load(folder / "m.npz").progress.step == 9
    ok("sample", "-c", "m.npz", "--seed", "T", cwd=folder)


def test_what_cannot_fit_into_memory_is_refused_before_it_is_tried(text: Path) -> None:
    done = fails(1, "MiB of memory to train", "train", text, "--hidden-size", "65536", "--layers",
                 "64", cwd=text.parent)  # fmt: skip
    assert "hint: try a smaller --hidden-size" in done.err


def test_what_the_system_refuses_is_said_with_what_helps(text: Path) -> None:
    (text.parent / "gone").mkdir()
    os.mkfifo(text.parent / "pipe")
    train = f"'{CHARRNN}' train text.txt --workers 2 --steps 2 --hidden-size 8 -q -o few.npz"
    for command, message, hint in (
        (
            f"{train} --log pipe",
            "pipe: the log cannot be written: nobody reads this pipe",
            "choose",
        ),
        (f"ulimit -n 7; {train}", "Too many open files", "allow more: ulimit -n 1024"),
        (
            f"cd gone; rmdir ../gone; {train}",
            "the current folder has been deleted",
            "go to another",
        ),
    ):
        done = shell(command, text.parent)
        assert done.returncode == 1
        assert done.err.splitlines()[-2].endswith(message)
        assert done.err.splitlines()[-1].startswith(f"hint: {hint}")


# Hostile files


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_lying_checkpoints_are_refused_in_little_memory_and_time(text: Path) -> None:
    folder = text.parent
    ok("train", text, *RUN, "--steps", "2", "-o", "good.npz", cwd=folder)
    good, size = (folder / "good.npz").read_bytes(), (1 << 31).to_bytes(4, "little")
    lies = {
        "claims-2-gib": good[:18] + size + size + good[26:],
        "nested": b"[" * 1_000_000,
        "text": b"PK\x03\x04" + TEXT.encode(),
        "zeros": bytes(5_000_000),
    }
    for name, data in lies.items():
        (folder / name).write_bytes(data)
        done = shell(f"ulimit -v 1500000; '{CHARRNN}' sample -c {name}", folder)
        assert done.returncode == 1, name
        assert "not a charrnn checkpoint, or damaged" in done.err
        assert done.err.count("\n") == 2
        started = time.process_time()  # of this process alone, whatever else the machine does
        with pytest.raises(CheckpointError):
            Model.load(folder / name)
        assert time.process_time() - started < 1


def test_names_of_files_that_are_not_utf_8_are_shown_by_their_code(text: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("names are bytes on Linux only")
    folder, name = os.fsencode(text.parent), os.fsdecode(b"\xff.npz")
    done = ok("train", "text.txt", *RUN, "--steps", "2", "-o", name, "--json", cwd=text.parent)
    assert json.loads(done.out)["checkpoint"] == "\udcff.npz"
    printed = done.err.rpartition("sample: ")[2].strip()
    assert printed == r"charrnn sample -c $'\xff.npz'"
    assert shell(printed, text.parent).returncode == 0
    assert r"\udcff.npz" in ok("inspect", name, cwd=text.parent).out
    ok("export", name, "--to", "html", cwd=text.parent)
    assert rb"<title>\udcff" in Path(os.fsdecode(folder + b"/\xff.html")).read_bytes()


# Pipes, terminals and descriptors


def test_a_pipe_and_dev_stdin_are_read_once(text: Path) -> None:
    folder = text.parent
    os.mkfifo(folder / "fifo")
    feeder = threading.Thread(target=lambda: (folder / "fifo").write_bytes(text.read_bytes()))
    feeder.start()
    ok("train", "fifo", *RUN, "--steps", "2", "-o", "a.npz", cwd=folder)
    feeder.join()
    ok("train", "/dev/stdin", *RUN, "--steps", "2", "-o", "b.npz", stdin=text.read_bytes(),
       cwd=folder)  # fmt: skip
    same_arrays(folder / "a.npz", folder / "b.npz")


@pytest.mark.parametrize(("typed", "size"), [(b"The harbour\n", 12), (b"", 0)])
def test_one_ctrl_d_ends_a_text_that_is_typed(typed: bytes, size: int) -> None:
    leader, follower = os.openpty()
    os.write(leader, typed + b"\x04")
    doctor = [CHARRNN, "doctor", "-"]
    shown = subprocess.check_output(doctor, stdin=follower, env=ENVIRONMENT, timeout=60)
    assert shown.startswith(b"text   -: %d characters" % size)
    os.close(leader)
    os.close(follower)


def test_text_cannot_reach_the_terminal_unescaped(tmp_path: Path) -> None:
    nasty = "\x1b[2J\x1b]0;title\x07\u202e[red]:smile:\x9b31m\rab\n"
    (tmp_path / "nasty.txt").write_text(nasty * 60, encoding="utf-8")
    ok("train", "nasty.txt", "--hidden-size", "40", "--time", "5s", "-o", "m.npz", cwd=tmp_path)
    raw = ok("sample", "-c", "m.npz", "--greedy", "-n", "60", "--seed", "\x1b", cwd=tmp_path).out
    assert "\x1b" in raw  # a pipe gets what the model wrote
    shown = on_a_terminal("sample", "-c", "m.npz", "--greedy", "-n", "60", "--seed", "\x1b",
                          cwd=tmp_path)  # fmt: skip
    assert "\\x1b" in shown
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(shown)
    table = on_a_terminal("inspect-vocab", "m.npz", cwd=tmp_path)
    assert "\\x1b" in table
    assert not {"\x07", "\u202e", "\x9b"} & set(table)
    assert "[2J" not in table


def test_the_bar_on_a_terminal_leaves_only_the_summary(text: Path) -> None:
    shown = on_a_terminal("train", text, *RUN, "--time", "1s", "-o", "m.npz", cwd=text.parent)
    assert "chars/s" in shown
    assert shown.rstrip().splitlines()[-1].endswith("charrnn sample -c m.npz")
