r"""Wrong command lines, and what each says: one line of what is wrong, and one of the next step."""

import builtins
import errno
import io
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support import MIXED_TEXT, TEXT, call, fails_in, trained

HELP = "lists what it takes"
ONE, FORGET, KNOWN = "give one of them", "add --lines", "'--unknown skip' leaves the others out"
LINES_OF = "score mixed.txt -c m.npz --lines"
DOCTOR = "'charrnn doctor FILE' says how to convert it"
EMPTY = "name one, or leave it out; is a variable of the shell empty?"
READ, WRITE = "check the path, and that you may read it", "choose another place; an older file"
CHMOD, TOML = "allow it: chmod u+rx checkpoints", "correct the file, or move it away"
TRAIN = "make one with 'charrnn train corpus.txt', or name one with -c"

# The exit code, the line, what is wrong, and the next step. m.npz knows the characters of
# MIXED_TEXT, lines.npz is a model of lines.
LINES = [
    (2, "train", "Missing argument 'CORPUS'", HELP),
    (1, "train missing.txt", "missing.txt: no such file", "'-' reads standard input"),
    (1, "train ''", "'': no such file", "check the path"),
    (1, "train empty.txt", "empty.txt: the corpus is empty", "a few hundred characters"),
    (1, "train one.txt", "1 character to train on", "give it more text"),
    (1, "train folder", "folder: there is no text in this folder", "it has no files"),
    (1, "score folder -c m.npz", "folder: is a folder, not a text", "name its files: folder/*.txt"),
    (1, f"score {'a' * 999} -c m.npz", f"{'a' * 500}…", "a text itself goes through a pipe"),
    (1, "train latin.txt --encoding utf-16", "latin.txt: is not valid utf-16", "try another --"),
    (1, "train latin.txt", "latin.txt: byte 3 (line 1) is not valid utf-8", "--encoding"),
    (2, "train m.npz", "m.npz is a checkpoint, not a text", "did you mean --from m.npz?"),
    (2, "train text.txt --encoding klingon", "unknown encoding 'klingon'", "for example utf-8"),
    (2, "train text.txt --encoding undefined", "unknown encoding", "for example utf-8"),
    (2, "train text.txt -o m.npz --encoding klingon", "unknown encoding", "for example utf-8"),
    (2, "train text.txt -o m.npz --epochs -3", "epochs must be 1 or more, not -3", HELP),
    (2, "train text.txt --hidden-size 0", "hidden-size must be 1 or more, not 0", HELP),
    (2, "train text.txt --epochs many", "epochs must be a whole number, not many", HELP),
    (2, "train text.txt --dropout some", "dropout must be a number, not some", HELP),
    (2, "train text.txt --sample-every 0", "sample-every must be 1 or more, not 0", HELP),
    (2, "train text.txt --dropout 1.5", "dropout must be below 1, not 1.5", HELP),
    (2, "train text.txt --learning-rate inf", "learning-rate must be a finite number", HELP),
    (2, "train text.txt --time soon", "'soon' is not a time", "write 90s, 10m, 1h30m"),
    (2, "train text.txt --time 0s", "time must be above 0, not 0", HELP),
    (2, "train text.txt --nonlinearity relu", "works with model rnn only, not lstm", HELP),
    (2, "train text.txt --model transformer", "not one of 'rnn', 'lstm', 'gru'", HELP),
    (1, "train text.txt --val-fraction 0.9999", "1 character to train on", "--val-fraction"),
    (2, "train text.txt --lines --stride 2", "pieces have no stride", HELP),
    (2, "train text.txt --ngram 3 --no-ngram", "--ngram and --no-ngram contradict", ONE),
    (2, "train text.txt --quiet --plot", "--quiet and --plot contradict", ONE),
    (2, "train text.txt --resume --overwrite", "--resume and --overwrite contradict", ONE),
    (1, "train text.txt --resume", "there is nothing to resume", "leave out --resume"),
    (2, "train text.txt --speling", "No such option: --speling", HELP),
    (1, "train text.txt -o text.txt/x.npz", "written: Not a directory", "another place with -o"),
    (1, "train text.txt -o folder", "folder: is a folder", "name a file: folder/model.npz"),
    (2, "train text.txt -o -", "a checkpoint cannot go to stdout", "-o takes a file name"),
    (2, "train text.txt --log text.txt", "--log would replace what", "give --log another name"),
    (1, "train text.txt -o m.npz", "m.npz: exists already", "--overwrite replaces it"),
    (1, "train text.txt -o n.npz --log old", "old: exists already", "--overwrite replaces it"),
    (1, f"train text.txt -o {'m' * 300}.npz", "m.npz: cannot be written: File name too long", "-o"),
    (2, "train text.txt --lines --separator %", "--lines and --separator contradict", ONE),
    (2, "train text.txt --separator % --field t", "--separator and --field contradict", ONE),
    (2, r"train text.txt --separator '\q'", r"--separator: \q is not an escape", r"\\ is a back"),
    (2, "train text.txt --separator ''", "separator and field must not be empty", HELP),
    (1, "train text.txt --separator %%", "'%%' separates nothing in the text", "separator"),
    (1, "train text.txt --field t", "line 1 is not a JSON object", "JSON Lines, or a table"),
    (1, "train text.txt --from no.npz", "no.npz: no such checkpoint", "charrnn train corpus.txt"),
    (1, "train text.txt --from nomodel", "nomodel: no such checkpoint", "'charrnn models' lists"),
    (2, "train text.txt --from ''", "--from: '' names no file", EMPTY),
    (2, "train text.txt -o ''", "-o: '' names no file", EMPTY),
    (2, "sampel", "No such command 'sampel'. Did you mean 'sample'?", HELP),
    (2, "sample m.npz", "unexpected extra argument(s) (m.npz)", "did you mean -c m.npz?"),
    (1, "sample -c no.npz", "no.npz: no such checkpoint", "charrnn train corpus.txt"),
    (2, "sample -c ''", "-c: '' names no file", EMPTY),
    (2, "sample -c m.npz -c lines.npz", "-c is given twice", ONE),
    (2, "complete -c '' b", "-c: '' names no file", EMPTY),
    (1, "sample -c text.txt", "text.txt: not a charrnn checkpoint", "charrnn train"),
    (1, "sample -c folder", "folder: not a charrnn checkpoint", "charrnn train"),
    (1, "sample -c englsh", "englsh: no such checkpoint", "did you mean english?"),
    (2, "sample -t -1", "temperature must be 0 or more, not -1", HELP),
    (2, "sample -t nan", "temperature must be a finite number", HELP),
    (2, "sample --top-p 0", "top-p must be above 0, not 0", HELP),
    (2, "sample --min-p 2", "min-p must be 1 or less, not 2", HELP),
    (2, "sample --greedy --temperature 0.8", "--greedy and --temperature contradict", ONE),
    (2, "sample --greedy --top-k 3", "--greedy and --top-k contradict", ONE),
    (2, "sample --greedy --top-p 0.5", "--greedy and --top-p contradict", ONE),
    (2, "sample --greedy --min-p 0.5", "--greedy and --min-p contradict", ONE),
    (2, "sample --seed a --seed-file text.txt", "--seed and --seed-file contradict", ONE),
    (2, "sample --seed a --seeds text.txt", "--seed and --seeds contradict", ONE),
    (2, "sample -n -1", "length must be 0 or more, not -1", HELP),
    (2, f"sample -n {10**13}", "length must be 1,000,000,000,000 or less, not 1000", HELP),
    (2, "sample --endless --count 2", "--endless and --count contradict", ONE),
    (2, "sample --endless --match a*", "--endless and --match contradict", ONE),
    (2, "sample --endless --until-sentence", "--endless and --until-sentence contradict", ONE),
    (2, "sample --endless --seeds text.txt", "--endless and --seeds contradict", ONE),
    (2, "sample --endless --seed a --seed b", "--endless goes with one", "text never ends"),
    (2, "sample -c m.npz --endless -n 5", "--endless and --length contradict", ONE),
    (2, "sample --like - --seeds -", "standard input can be read only once", "name a file"),
    (2, "complete -c m.npz --like m.npz b", "m.npz is a checkpoint, not a text", "did you mean"),
    (1, "sample -c m.npz --seed-file latin.txt", "byte 3 (line 1) is not valid utf-8", DOCTOR),
    (1, "complete -c m.npz --like latin.txt b", "byte 3 (line 1) is not valid utf-8", DOCTOR),
    (2, "complete --like -", "standard input can be read only once", "name a file"),
    (2, "train - text.txt -", "standard input can be read only once", "name a file"),
    (2, r"sample -c m.npz --seed 'b\nb'", r"(U+005C) 'n'", r"$'\n' in bash, or one in a --"),
    (2, "sample -c m.npz --seed xyz", "seed: unknown characters: 'x' (U+0078)", KNOWN),
    (2, "sample -c m.npz --match '(b'", "is not a regular expression", "a backslash quotes"),
    (2, r"sample -c m.npz --match '(b)\1'", r"use '\1' in '(b)\1'", "supported: literals"),
    (2, "sample -c m.npz --match b{9} -n 5", "no text of 5 characters", "--length 9 or more"),
    (2, "sample --match b --stop d", "match and stop contradict each other", HELP),
    (2, "sample --match b --until-sentence", "match and until-sentence contradict", HELP),
    (2, "sample -c m.npz --charset ß", "the model knows none", "'charrnn inspect-vocab'"),
    (2, "sample -c m.npz --charset ''", "charset must have at least one character", HELP),
    (2, "sample --stop ''", "a stop text must have at least one character", HELP),
    (2, r"sample -c m.npz --stop '\q'", r"--stop: \q is not an escape", r"\\ is a backslash"),
    (2, r"sample -c m.npz --delimiter '\ud800'", r"\ud800 is not text in UTF-8", "encoding"),
    (2, r"train text.txt --separator '\ud800'", r"\ud800 is not text in UTF-8", "encoding"),
    (2, "sample -c m.npz --new", "--new goes with a model of lines", "charrnn train --lines"),
    (2, "sample -c lines.npz --min-length 5 --max-length 3", "--max-length is below", HELP),
    (2, "sample -c lines.npz --min-length 5 -n 3", "length 3 is below min-length 5", "--length 5"),
    (2, "sample -c lines.npz --min-length 9999", "is below min-length 9999", "add --length 9999"),
    (2, "sample -c lines.npz --prefix anna --max-length 3", "the prefix is longer than", HELP),
    (2, "complete --stop '' b", "a stop text must have at least one character", HELP),
    (2, "complete -c m.npz z --unknown error", "prompt: unknown character: 'z'", KNOWN),
    (1, "score text.txt", "there is no checkpoint in ./checkpoints yet", TRAIN),
    (2, "score m.npz", "m.npz is a checkpoint, not a text", "did you mean -c m.npz?"),
    (1, "score one.txt -c english", "there is nothing to score", "'charrnn score --lines'"),
    (1, "score mixed.txt -c m.npz --window 999", "too few for a window", "--window 339 or less"),
    (2, "score mixed.txt -c m.npz --sort", "--sort goes with --lines", FORGET),
    (2, "score mixed.txt -c m.npz --at-most 0", "--at-most goes with --lines", FORGET),
    (2, "score mixed.txt -c m.npz --tsv", "--tsv goes with --lines", FORGET),
    (2, "score mixed.txt -c m.npz --unknown charge", "charge goes with --lines", FORGET),
    (2, "score mixed.txt -c m.npz -c lines.npz", "several checkpoints go with", FORGET),
    (2, "score mixed.txt -c m.npz -c m.npz --lines", "named twice", "another after each -c"),
    (2, "score mixed.txt -c m.npz --lines --window 3", "--lines and --window contradict", ONE),
    (2, "score mixed.txt -c m.npz --lines --json --tsv", "--json and --tsv contradict", ONE),
    (2, f"{LINES_OF} --threshold nan", "no line has from --threshold nan", HELP),
    (2, f"{LINES_OF} --threshold 9 --at-most 3", "from --threshold 9 to --at-most 3 bits", HELP),
    (2, "score mixed.txt -c m.npz --lines --top 0", "top must be 1 or more, not 0", HELP),
    (1, "score text.txt -c m.npz", "unknown characters: '.' (U+002E)", KNOWN),
    (1, "score text.txt -c m.npz --lines --unknown error", "line 1: unknown", "--unknown charge"),
    (1, "xray nowhere.txt -c m.npz", "nowhere.txt: no such file", "'-' reads standard input"),
    (2, "xray m.npz", "m.npz is a checkpoint, not a text", "did you mean -c m.npz?"),
    (2, "xray mixed.txt -c m.npz --unit 99", "there is no unit 99", "units from 0 to 4"),
    (2, "xray mixed.txt -c m.npz --unit 1 --layer 2", "there is no layer 2", "from 0 to 1"),
    (2, "xray mixed.txt -c m.npz --unit 1 --part reset", "has no part 'reset'", "its parts: cell"),
    (2, "xray mixed.txt -c m.npz --layer 0", "--layer and --part go with units", "--find all"),
    (2, "xray mixed.txt -c m.npz --overwrite", "--overwrite goes with --html", "add --html"),
    (2, "xray mixed.txt -c m.npz --find rhymes", "'rhymes' is not one of 'all'", HELP),
    (1, "xray mixed.txt -c m.npz --find digits", "digits never varies", "name a longer text"),
    (2, "xray mixed.txt -c m.npz --seed b", "a file and --seed contradict each other", ONE),
    (2, "xray -c m.npz --seed xyz", "--seed: unknown characters: 'x' (U+0078)", KNOWN),
    (1, "xray text.txt -c m.npz", "unknown characters: '.' (U+002E)", KNOWN),
    (2, "xray mixed.txt -c m.npz --unit 1 --find all", "--unit and --find contradict", ONE),
    (2, "xray mixed.txt -c m.npz --json --html x.html", "--html and --json contradict", ONE),
    (2, "xray mixed.txt -c m.npz --html x --find all", "--html and --find contradict", ONE),
    (1, "xray empty.txt -c m.npz", "there is no text to look at", "name a file that has some"),
    (1, "xray empty.txt -c lines.npz", "there is no text to look at", "name a file"),
    (1, "xray empty.txt -c m.npz --html x.html", "there is no text to look at", "name a file"),
    (1, "xray empty.txt -c m.npz --find all", "there is no text to look at", "name a file"),
    (2, "xray '' -c m.npz", "file: '' names no file", EMPTY),
    (1, "xray mixed.txt -c m.npz --html .", ".: cannot be written", f"hint: {WRITE}"),
    (2, "inspect m.npz ''", "checkpoints: '' names no file", EMPTY),
    (1, "inspect no.npz", "no.npz: no such checkpoint", "make one: charrnn train corpus.txt"),
    (2, "inspect m.npz --plot x.txt", "an .svg, .pdf or .png file", "--plot loss.svg"),
    (2, "inspect m.npz --overwrite", "--overwrite goes with --plot", "add --plot"),
    (1, "inspect-vocab", "there is no checkpoint in ./checkpoints yet", TRAIN),
    (1, "inspect-vocab missing.txt", "missing.txt: no such file", "check the path"),
    (2, "inspect-vocab text.txt --seq-length 3", "--seq-length goes with --windows", "--windows"),
    (2, "inspect-vocab m.npz --windows 2", "a checkpoint holds no text", "name the text instead"),
    (2, "inspect-vocab text.txt --json --tsv", "--json and --tsv contradict", ONE),
    (2, "doctor text.txt --json --fix", "--fix and --json contradict", ONE),
    (2, "doctor text.txt --also quotes", "--also goes with --fix", "add --fix"),
    (2, "doctor text.txt --fix --also beauty", "no such repair: 'beauty'", "one of quotes"),
    (2, "doctor text.txt -o x", "--output goes with --fix", "add --fix"),
    (2, "export m.npz", "Missing option '--to'. Choose from: html", HELP),
    (2, "export m.npz --to pdf", "'pdf' is not one of 'html'", HELP),
    (2, "export m.npz --to onnx --title x", "--title goes with --to html only", HELP),
    (1, "import text.txt", "text.txt: is not a .safetensors", "safetensors.torch.save_file"),
    (2, "import m.npz -o -", "a checkpoint cannot go to stdout", "-o takes a file name"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wrong")
    texts = {"text.txt": TEXT, "mixed.txt": MIXED_TEXT, "empty.txt": "", "one.txt": "a",
             "old": '{"step": 5}'}  # fmt: skip
    for name, text in texts.items():
        (path / name).write_bytes(text.encode())
    (path / "latin.txt").write_bytes("café".encode("latin-1"))
    (path / "names.txt").write_text("\n".join(["anna", "bo", "clara", "dot"] * 20))
    (path / "folder").mkdir()
    trained().save(path / "m.npz")
    train = "train names.txt --lines -o lines.npz --steps 2 --hidden-size 8 -q"
    assert call(*train.split(), cwd=path).returncode == 0
    return path


@pytest.mark.parametrize(("code", "line", "error", "hint"), LINES)
def test_a_wrong_line_says_what_is_wrong_and_the_next_step(
    code: int, line: str, error: str, hint: str, folder: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = call(*shlex.split(line), cwd=folder)
    said = done.err.splitlines()
    assert done.returncode == code, done.err
    assert [text.partition(": ")[0] for text in said] == ["charrnn", "hint"], done.err
    assert said[0].startswith("charrnn: error: ")
    assert error in said[0]
    assert hint in said[1]
    assert done.out == ""
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("path", "line", "error", "hint"),
    [
        ("checkpoints/m.npz", "sample", "checkpoints/m.npz: cannot be read", READ),
        ("checkpoints", "sample", "checkpoints: cannot be read", CHMOD),
        ("m.npz", "sample -c m.npz", "m.npz: cannot be read", READ),
        ("text.txt", "train text.txt", "text.txt: cannot be read", READ),
        ("config.toml", "models", "config.toml: cannot be read", TOML),
        ("new", "doctor text.txt --fix -o new", "new: cannot be written", "choose another place"),
    ],
)  # fmt: skip
def test_what_the_user_may_not_use_is_named_with_the_next_step(
    path: str, line: str, error: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.get_app_dir", lambda _: str(tmp_path))
    (tmp_path / "text.txt").write_text(TEXT)
    for name in ("m.npz", "checkpoints/m.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        trained().save(tmp_path / name)

    def is_denied(name: Any) -> bool:  # also to root, whom permissions do not stop
        return not isinstance(name, int) and Path(name).absolute() == tmp_path / path

    def deny(use: Any) -> Any:
        def used(name: Any, *args: Any, **settings: Any) -> Any:
            if is_denied(name):
                raise PermissionError(errno.EACCES, "Permission denied")
            return use(name, *args, **settings)

        return used

    for module, function in ((builtins, "open"), (io, "open"), (os, "mkdir")):
        monkeypatch.setattr(module, function, deny(getattr(module, function)))
    monkeypatch.setattr(os, "access", lambda name, _: not is_denied(name))
    done = fails_in(1 + (path == "config.toml"), error, *line.split(), cwd=tmp_path)
    assert done.err.endswith(f"{error}: Permission denied\nhint: {hint}\n")
