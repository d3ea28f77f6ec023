"""The command line, end to end, through the installed console script."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn import Model
from charrnn.cli.console import command, console, to_json
from tests.support import (
    CHARRNN,
    ENVIRONMENT,
    MIXED_TEXT,
    ROOT,
    TEXT,
    call,
    charrnn,
    fails,
    logged_steps,
    ok,
    posix,
    running,
    shell,
    trained,
    wait_for,
)  # fmt: skip

SMALL = ["--hidden-size", "24", "--steps", "60", "--random-seed", "1"]
UNSAVED = b"stopped before the first step: nothing is saved\n"


def test_a_hint_can_be_typed_where_charrnn_is_run_as_a_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["/site-packages/charrnn/__main__.py", "train"])
    assert command("train") == f"{sys.executable} -m charrnn train"
    monkeypatch.setattr(sys, "argv", ["my env/bin/charrnn", "train"])
    assert command("train") == "'my env/bin/charrnn' train"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a text and a checkpoint trained on it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "text.txt").write_text(TEXT)
    ok("train", "text.txt", *SMALL, cwd=folder)
    return folder


@pytest.fixture
def model(home: Path) -> Path:
    return home / "checkpoints" / "text.npz"


# Starting


@pytest.mark.parametrize("start", [[CHARRNN], [sys.executable, "-m", "charrnn"]])
def test_it_starts_as_script_and_as_module(start: list[str]) -> None:
    done = subprocess.run([*start, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("charrnn ")


SLOW = {"numpy", "pydantic", "tomllib"}


@pytest.mark.parametrize(
    ("line", "unwanted"),
    [
        ("charrnn --help", SLOW),
        ("charrnn train --help", SLOW),
        ("charrnn sample -c english -n 9", {"rich", "matplotlib"}),
        ("charrnn inspect english --json", {"rich", "matplotlib"}),
        ("TAB charrnn sample -c ", {"numpy"}),
        ("TAB charrnn export --to ", {"numpy"}),
    ],
)
def test_nothing_is_imported_that_is_not_needed(line: str, unwanted: set[str]) -> None:
    program = (
        "import sys, charrnn, charrnn.cli\n"
        "try: charrnn.cli.main()\n"
        f"finally: assert not {unwanted} & sys.modules.keys()"
    )
    before, _, rest = line.partition("charrnn ")
    completing = {"_CHARRNN_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"charrnn {rest}"}
    subprocess.run(
        [sys.executable, "-c", program, *([] if before else rest.split())], check=True,
        capture_output=True, env=ENVIRONMENT | (completing if before else {}),
    )  # fmt: skip


@posix
@pytest.mark.parametrize("command", ["sample -c english", f"train {ROOT}/corpora/towns.txt"])
@pytest.mark.parametrize("module", ["charrnn.cli", "typer", "numpy", "charrnn.models.model"])
def test_ctrl_c_while_modules_load_ends_it_in_a_line_at_most(
    module: str, command: str, tmp_path: Path
) -> None:
    program = (
        "import signal, sys\n"
        "class Finder:\n"
        "    def find_spec(name, *_):\n"
        f"        name == {module!r} and signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder)\n"
        f"sys.argv = {['charrnn', *command.split()]}\n"
        "from charrnn.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, cwd=tmp_path
    )
    said = UNSAVED if command.startswith("train") else b""
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", said)


@posix
def test_ctrl_c_while_a_text_is_read_says_that_nothing_is_saved(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with running("train", "fifo", "-o", "m.npz", cwd=tmp_path) as run:
        writer = os.open(tmp_path / "fifo", os.O_WRONLY)  # waits for its reader
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
    os.close(writer)
    assert (run.returncode, out, err.endswith(UNSAVED)) == (130, b"", True)
    assert [path.name for path in tmp_path.iterdir()] == ["fifo"]


def test_using_the_library_imports_numpy_and_no_terminal_package() -> None:
    program = (
        "import sys, charrnn\n"
        "for name in charrnn.__all__: getattr(charrnn, name)\n"
        "assert not {'typer', 'rich', 'tqdm'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_error_is_a_line_in_a_pipe_and_wrapped_at_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    message, hint = "a long text " * 9, "a next step " * 9
    console.error(message, hint)
    piped = capsys.readouterr().err
    assert piped == f"charrnn: error: {message.strip()}\nhint: {hint}\n"
    monkeypatch.setattr("charrnn.cli.console.is_terminal", lambda _: True)
    console.error(message, hint)
    shown = capsys.readouterr().err
    assert max(map(len, shown.splitlines())) <= 40
    assert shown.split() == piped.split()


@pytest.mark.parametrize(
    "command",
    ["train - --steps 1", "doctor -", "inspect-vocab -", "score -", "score - --lines",
     "complete -c m.npz", "xray -", "sample --seeds - -c m.npz -n 1"],
)  # fmt: skip
def test_a_command_that_reads_a_terminal_says_so(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.cli.texts.is_terminal", lambda it: it is sys.stdin)
    for path in (tmp_path / "m.npz", tmp_path / "checkpoints" / "newest.npz"):
        path.parent.mkdir(exist_ok=True)
        trained().save(path)
    done = call(*command.split(), cwd=tmp_path, stdin=MIXED_TEXT.encode())
    assert done.returncode == 0, done.err
    assert done.err.count("reading from the terminal; Ctrl-D ends it\n") == 1


# train


def test_train_tells_what_it_did_in_words_and_how_to_sample(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("anna\nbo\nclara\n" * 300)
    done = ok("train", "names.txt", "--lines", *SMALL, "--log", "log", cwd=tmp_path)
    assert done.stdout == b""
    assert len([line for line in done.err.splitlines() if "%" not in line[:5]]) < 12
    assert "random seed 1" in done.err
    (loss,) = re.findall(r"with [\d,]+ n-grams .*: validation loss ([\d.]+)", done.err)
    ((nats, characters),) = re.findall(r"better: ([\d.]+) nats .* among ([\d.]+) ch", done.err)
    assert float(nats) == pytest.approx(float(loss), abs=0.006)
    assert float(characters) == pytest.approx(math.exp(float(loss)), abs=0.06)
    (passes,) = re.findall(r"60 steps, ([\d.]+) passes in", done.err)
    assert f"reads the text {passes.removesuffix('.0')} times" in done.err
    assert f"passes\t{passes}\n" in ok("inspect", cwd=tmp_path).out
    assert "saved:  checkpoints/names.npz" in done.err
    command = done.err.split("sample: ")[1].split()
    assert command[0] == "charrnn"
    assert ok(*command[1:], cwd=tmp_path).out
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [entry["step"] for entry in log] == list(range(1, 61))
    assert log[-1]["train_loss"] < 0.8 * log[0]["train_loss"]
    needed = {"step", "epoch", "seconds", "train_loss", "learning_rate", "grad_norm", "chars_per_s"}
    assert all(entry.keys() >= needed for entry in log)


def test_what_is_left_open_is_chosen_and_said(home: Path, tmp_path: Path) -> None:
    done = ok("train", home / "text.txt", "--epochs", "12", "-o", "a.npz", cwd=tmp_path)
    chosen = Model.load(tmp_path / "a.npz").config.model
    assert chosen.weight_drop > 0
    said = f"dropout {chosen.dropout:g}, weight drop {chosen.weight_drop:g}"
    assert f"reads the text 12 times: {said}" in done.err


def test_resume_names_what_it_cannot_change(home: Path, model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "m.npz"
    copy.write_bytes(model.read_bytes())
    fails(2, "cannot change --model, --batch-size", "train", home / "text.txt", "-o", copy,
          "--resume", "--model", "gru", "--batch-size", "3")  # fmt: skip
    (tmp_path / "other.txt").write_text("Other!")
    fails(1, "has characters that", "train", tmp_path / "other.txt", "-o", copy, "--resume")
    done = ok("train", home / "text.txt", "-o", copy, "--resume")
    assert "nothing left to do" in done.err
    (tmp_path / "more.txt").write_text(TEXT + TEXT)
    done = ok("train", tmp_path / "more.txt", "-o", copy, "--resume", "--steps", "61")
    assert "warning: the corpus has changed" in done.err


@posix
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_the_run_saves_and_says_how_to_go_on(
    number: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "latin.txt").write_bytes(("café " * 300).encode("cp1252"))
    args = ["--encoding", "cp1252", *SMALL[:2], "--time", "60s", "--log", "log", "-o", "m.npz"]
    with running("train", "latin.txt", *args, cwd=tmp_path) as run:
        wait_for(lambda: logged_steps(tmp_path / "log") > 20)
        run.send_signal(getattr(signal, number))
        _, stderr = run.communicate(timeout=30)
    assert run.returncode == code
    err = stderr.decode()
    assert "Traceback" not in err
    assert err.count("once more to quit") == 1
    assert len(ok("sample", "-c", "m.npz", "-n", "10", cwd=tmp_path).out) == 11
    (command,) = re.findall("^resume: charrnn (.*)", err, re.MULTILINE)
    ok(*command.split(), "--time", "1s", cwd=tmp_path)


@pytest.mark.parametrize(
    "text", ["ab", "春の海\nひねもすのたり\nのたりかな\n", "aaaa", "👩‍👩‍👧e\u0301\n" * 9]
)
def test_a_tiny_text_trains(text: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.txt").write_text(text, encoding="utf-8")
    done = ok("train", "tiny.txt", "--hidden-size", "8", "--steps", "20", cwd=tmp_path)
    assert "none held out" in done.err
    assert len(ok("sample", "--seed", text[0], "-n", "5", cwd=tmp_path).out) == 7


# sample


def test_stdin_to_stdout_is_the_seed_the_text_and_a_line_break(tmp_path: Path) -> None:
    ok("train", "-", "--steps", "50", "-q", "--hidden-size", "16", stdin=TEXT.encode(),
       cwd=tmp_path)  # fmt: skip
    args = ["sample", "-c", "checkpoints/stdin.npz", "--seed", "e", "-n", "200", "--random-seed"]
    first, again = ok(*args, "5", cwd=tmp_path), ok(*args, "5", cwd=tmp_path)
    assert len(first.out) == 202
    assert first.out[0] == "e"
    assert first.out[-1] == "\n"
    assert set(first.out) <= set(TEXT)
    assert first.stdout == again.stdout
    assert first.stderr == b""
    assert ok(*args, "6", cwd=tmp_path).stdout != first.stdout


@posix
@pytest.mark.parametrize("target", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("args", ["sample -c english", "--help", "--version", "train --help"])
def test_an_output_that_cannot_be_written_is_an_error(args: str, target: str) -> None:
    if "full" in target and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    for unset in ("", "-u PYTHONUNBUFFERED"):
        done = shell(f"env {unset} '{CHARRNN}' {args} {target}")
        assert done.returncode == 1
        said, hint = done.err.splitlines()
        assert said.startswith("charrnn: error: cannot write output: ")
        assert hint.startswith("hint: send it to another disk or file")


@posix
def test_closed_standard_streams_do_not_hurt(home: Path, tmp_path: Path) -> None:
    command = f"'{CHARRNN}' train '{home}/text.txt' --hidden-size 4 --steps 2 -o m.npz <&- >&- 2>&-"
    assert shell(command, tmp_path).returncode == 0
    assert (tmp_path / "m.npz").exists()


def test_unknown_characters_of_a_seed_follow_the_policy(model: Path) -> None:
    done = fails(2, "(U+00E9)", "sample", "-c", model, "--seed", "é\x1bT")
    assert "\x1b" not in done.err
    assert "U+001B" in done.err
    assert "inspect-vocab" in done.err
    skipped = ok("sample", "-c", model, "--seed", "éT\x1bh", "-n", "0", "--unknown", "skip")
    assert skipped.out == "Th\n"
    replaced = ok("sample", "-c", model, "--seed", "éTÀ漢", "-n", "0", "--unknown", "replace")
    assert replaced.out == "eTa \n"


# inspect-vocab and score


def test_inspect_vocab_describes_a_checkpoint_and_a_text_alike(home: Path, model: Path) -> None:
    from_model = json.loads(ok("inspect-vocab", model, "--json").out)
    from_text = json.loads(ok("inspect-vocab", home / "text.txt", "--json").out)
    from_stdin = json.loads(ok("inspect-vocab", "-", "--json", stdin=TEXT.encode()).out)
    assert from_model["characters"] == from_text["characters"] == from_stdin["characters"]
    assert from_model["size"] == len(set(TEXT))
    assert from_model["characters"][2] == {
        "id": 2, "char": ".", "code_point": "U+002E", "name": "FULL STOP",
        "count": TEXT.count("."), "share": TEXT.count(".") / len(TEXT),
    }  # fmt: skip
    assert json.loads(ok("inspect-vocab", "--json", cwd=home).out)["size"] == len(set(TEXT))
    base = json.loads(ok("inspect-vocab", "english", "--json", cwd=home).out)
    assert base["size"] == len(Model.load("english").vocabulary)


def test_a_vocabulary_of_strange_characters_is_shown_whole(tmp_path: Path) -> None:
    text = "\0\t\n\x1b[31m\u202e👩\u200d👧e\u0301[bold]:smile:\\\u2028漢"
    (tmp_path / "odd.txt").write_text(text, encoding="utf-8")
    shown = json.loads(ok("inspect-vocab", tmp_path / "odd.txt", "--json").out)
    assert "".join(record["char"] for record in shown["characters"]) == "".join(sorted(set(text)))
    for flags in ([], ["--tsv"], ["--one-hot"]):
        table = ok("inspect-vocab", tmp_path / "odd.txt", *flags).out
        lines = table.rstrip("\n").split("\n")
        assert len(lines) == 1 + len(set(text))
        assert {line.count("\t") for line in lines} == {lines[0].count("\t")}
        assert table.replace("\n", "").replace("\t", "").isprintable()


def test_windows_show_as_training_will_see_them(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("exemple de texte pour entraîner un RNN.", encoding="utf-8")
    done = ok("inspect-vocab", tmp_path / "s.txt", "--windows", "3", "--seq-length", "5", "--tsv")
    assert done.out.splitlines() == [
        "window\tinput\ttarget\ttargets",
        "0\texemp\tl\txempl",
        "1\txempl\te\temple",
        "2\temple\t \tmple ",
    ]


def test_what_is_not_finite_is_null_in_json() -> None:
    assert to_json({"perplexity": math.inf, "it": [math.nan, 1.5]}) == (
        '{"perplexity": null, "it": [null, 1.5]}'
    )


# Bad input


@posix
def test_arguments_that_are_no_text_are_refused(model: Path) -> None:
    done = subprocess.run(
        [CHARRNN.encode(), b"sample", b"-c", bytes(model), b"--seed", b"\xff"],
        capture_output=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"lone surrogate" in done.stderr


def test_options_that_do_nothing_say_so(home: Path, tmp_path: Path) -> None:
    done = ok("train", home / "text.txt", *SMALL, "--patience", "2", cwd=tmp_path)
    assert "--patience does nothing" in done.err


def test_the_same_options_resume_whatever_the_text_allowed(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text(TEXT[:300])
    options = ["--seq-length", "64", "--stride", "64", "--batch-size", "32", "--clip-norm", "0"]
    for steps, again in (("3", []), ("6", ["--resume"])):
        ok("train", "short.txt", "--hidden-size", "4", *options, "--optimizer", "rmsprop",
           "--steps", steps, "-o", "m.npz", *again, cwd=tmp_path)  # fmt: skip


def test_a_broken_link_among_the_checkpoints_is_passed_over(home: Path, model: Path) -> None:
    link = model.with_name("broken.npz")
    link.symlink_to("nowhere")
    ok("sample", "-n", "3", cwd=home)
    link.unlink()


def test_a_traceback_is_for_those_who_ask(home: Path) -> None:
    done = charrnn("--debug", "train", home / "missing.txt")
    assert "Traceback" in done.err


def test_where_nothing_was_trained_yet_a_base_model_writes_and_says_so(tmp_path: Path) -> None:
    done = ok("sample", "--seed", "The sea", "-n", "40", "--random-seed", "1", cwd=tmp_path)
    assert "no checkpoint in ./checkpoints yet: writing with the base model 'english'" in done.err
    assert done.out.startswith("The sea")
    assert len(done.out) == len("The sea") + 41
    named = ok("sample", "-c", "english", "--seed", "The sea", "-n", "40", "--random-seed", "1")
    assert named.out == done.out
    assert not named.err


def test_a_dot_in_the_name_of_a_model_belongs_to_it(tmp_path: Path) -> None:
    for name in ("v1.npz", "v1.2"):
        trained().save(tmp_path / name)
        assert call("export", name, "--to", "safetensors", cwd=tmp_path).returncode == 0
    assert {path.name for path in tmp_path.glob("*.safetensors")} == {
        "v1.safetensors", "v1.2.safetensors",
    }  # fmt: skip
    score = ["score", "--lines", "-c", "v1.npz", "-c", "v1.2"]
    (line,) = map(json.loads, call(*score, cwd=tmp_path, stdin=b"b").out.splitlines())
    assert list(line["models"]) == ["v1", "v1.2"]


@pytest.fixture(scope="module")
def precious(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a text, two models, an export and a page."""
    folder = tmp_path_factory.mktemp("precious")
    (folder / "text.txt").write_text(TEXT)
    (folder / "diary").write_text("precious")
    trained().save(folder / "m.npz")
    trained().save(folder / "other.npz")
    ok("export", "m.npz", "--to", "safetensors", "-o", "weights.npz", cwd=folder)
    ok("export", "m.npz", "--to", "html", "-o", "page.html", cwd=folder)
    return folder


@pytest.mark.parametrize(
    ("code", "option", "args"),
    [
        (1, "-o", "train text.txt --steps 1 --overwrite -o diary"),
        (2, "-o", "train text.txt --steps 1 --overwrite -o text.txt"),
        (2, "-o", "train text.txt --steps 1 --overwrite -o m.npz --from m.npz"),
        (1, "--log", "train text.txt --steps 1 --overwrite -o new.npz --log other.npz"),
        (2, "--log", "train text.txt --steps 9 --resume -o m.npz --log m.npz"),
        (2, "--log", "train text.txt --steps 9 --overwrite -o same --log same"),
        (2, "--html", "xray text.txt -c m.npz --overwrite --html text.txt"),
        (1, "--html", "xray text.txt -c m.npz --overwrite --html other.npz"),
        (1, "--plot", "inspect m.npz --overwrite --plot diary.svg"),
        (1, "-o", "export m.npz --to html --overwrite -o other.npz"),
        (1, "-o", "export m.npz --to safetensors --overwrite -o other.npz"),
        (1, "-o", "export m.npz --to safetensors --overwrite -o page.html"),
        (1, "-o", "export m.npz --to compact --overwrite -o weights.npz"),
        (2, "-o", "export m.npz --to compact --overwrite -o m.npz"),
        (2, "-o", "import weights.npz --overwrite -o weights.npz"),
        (2, "-o", "import weights.npz --vocab text.txt --overwrite -o text.txt"),
    ],
)
def test_no_output_replaces_a_file_of_another_kind_or_what_the_command_reads(
    code: int, option: str, args: str, precious: Path
) -> None:
    (precious / "diary.svg").write_text("precious")
    before = {path: path.read_bytes() for path in precious.iterdir()}
    done = call(*args.split(), cwd=precious)
    assert done.returncode == code, done.err
    error, hint = done.err.splitlines()[-2:]
    assert re.search("exists and is not an? |would replace what the same command uses", error)
    assert option in f"{error} {hint}"
    assert {path: path.read_bytes() for path in precious.iterdir()} == before
