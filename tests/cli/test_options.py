"""Every option of every command does what it says: a test fails if it is accepted and ignored.

A new option is a row in the table of its command: what is given, and what is then true of the run.
One whose test needs more than a row is named in ELSEWHERE instead.
"""

import functools
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer  # the options are read from where the command line has them

from charrnn import Model
from charrnn.checkpoint.bases import BASES as CATALOG
from charrnn.cli.app import COMMANDS, app
from charrnn.export import export
from charrnn.settings import SETTINGS as NAMES_OF
from charrnn.settings import flatten
from tests.support import TEXT, Done, call

PROGRAM = "charrnn"  # what has the options before the command
# What every command may read from stdin.
STDIN = "The cat\nThe dog ß\n"
NAMES = ["al", "bo", "cara", "dolores"] * 9

# How each command is called without the option in question. What is given twice counts as given
# last, so an option can also be tested whose value stands here.
_SMALL = "-o m.npz --hidden-size 6 --steps 4 --random-seed 1 --workers 1 --batch-size 4"
_NOTHING_DROPPED = "--dropout 0 --weight-drop 0"
BASES = {
    "train": f"train {{file}} {_SMALL} {_NOTHING_DROPPED} --seq-length 5",
    "sample": "sample --length 20 --random-seed 1",
    "complete": "complete",
    "score": "score {file}",
    "inspect": "inspect",
    "inspect-vocab": "inspect-vocab {file}",
    "xray": "xray --unknown skip",
    "models": "models",
    "doctor": "doctor {file}",
    "export": "export checkpoints/newest.npz --to compact -o c.npz",
    "import": "import w.npz --vocab abc.json",
}


class Ran(Done):
    """A command that was run in a folder of its own."""

    line: str
    folder: Path

    @property
    def rows(self) -> list[list[str]]:
        """The output as a table."""
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def objects(self) -> list[Any]:
        """The output as one JSON object per line; nothing if it is something else."""
        try:
            return [json.loads(line) for line in self.out.splitlines()]
        except ValueError:
            return []

    @property
    def log(self) -> list[Any]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    @property
    def trained(self) -> Any:
        """The model that was written: the last -o names its file."""
        return self.model(re.findall(r"-o (\S+)", self.line)[-1])

    @property
    def page(self) -> bytes:
        return (self.folder / "page").read_bytes()

    def wrote(self, name: str) -> bool:
        return (self.folder / name).exists()

    def model(self, name: str = "checkpoints/newest.npz") -> Model:
        return Model.load(self.folder / name)


Claim = Callable[[Ran], bool]
Runner = Callable[[str], Ran]


class Row(NamedTuple):
    """What an option does: true of a run with it, and not of the same run without it.

    given    the option and its value
    beside   what both runs are given beside it
    file     what both runs read, if it is not what they usually read
    """

    given: str
    claim: Claim
    beside: str = ""
    file: str = ""


def base(command: str, beside: str = "", file: str = "") -> str:
    """Return the line of a run without the option."""
    return f"{BASES[command]} {beside}".replace("{file}", file or "text.txt")


def same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].shape == other[name].shape and np.allclose(one[name], other[name])
        for name in one
    )  # fmt: skip


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Return what runs a line, once, in this process, in a folder with all that rows read."""
    inputs = tmp_path_factory.mktemp("inputs")
    write_inputs(inputs)

    @functools.cache
    def run(line: str) -> Ran:
        folder = tmp_path_factory.mktemp("ran")
        shutil.copytree(inputs, folder, dirs_exist_ok=True)
        done = call(*shlex.split(line), cwd=folder, stdin=STDIN.encode())
        ran = Ran(done.args, done.returncode, done.stdout, done.stderr)
        ran.line, ran.folder = line, folder
        return ran

    return run


def write_inputs(folder: Path) -> None:
    """Write what rows read."""
    texts = {
        "text.txt": TEXT,
        "lines.txt": "yes yes\nno no\n",
        "records.jsonl": '{"text": "abab", "by": "cd"}\n{"text": "e fe"}\n' * 20,
        "odd.txt": "The cat ß sat.",
        "surprising.txt": "no no\nyyyy\n",
        "prompt.txt": "The cat\nsat",
        "old.html": "<!doctype html>",
        "faulty.txt": "“The cat” \r\n",
        "abc.json": '["a", "b", "c"]',
        "xyz.json": '["x", "y", "z"]',
        "train.nfd": TEXT + "e\u0301",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    (folder / "latin.txt").write_bytes("The café".encode("latin-1"))
    (folder / "train.latin").write_bytes((TEXT + "é").encode("latin-1"))
    np.savez(folder / "w.npz", **torch_weights(3))
    (folder / "names.txt").write_text("\n".join(NAMES))
    # Half of the runs that the bases describe, a quarter of another, and a model for all the rest;
    # without n-grams, with which all models of so simple a text say the same.
    for file, options in (
        ("text.txt", "--steps 2 -o train.npz"),
        ("text.txt", "--random-seed 2 -o other.npz"),
        ("names.txt", "--lines --steps 100 --hidden-size 16 --seq-length 9 -o lines.npz"),
        ("text.txt", "-o checkpoints/newest.npz"),
    ):
        line = f"{base('train', file=file)} --no-ngram {options}"
        done = call(*shlex.split(line), cwd=folder)
        assert done.returncode == 0, done.err


def torch_weights(size: int) -> dict[str, Any]:
    """Return the weights of a model of this many characters, with the names of torch.nn."""
    rng, shapes = np.random.default_rng(0), {
        "weight_ih_l0": (5, size), "weight_hh_l0": (5, 5), "bias_ih_l0": (5,), "bias_hh_l0": (5,),
        "fc.weight": (size, 5), "fc.bias": (size,),
    }  # fmt: skip
    return {name: rng.random(shape, np.float32) for name, shape in shapes.items()}


def writes(
    seed: str = "", name: str = "checkpoints/newest.npz", random_seed: int = 1, **settings: Any
) -> Claim:
    """Claim that what was written is what the API writes with these settings."""
    return lambda ran: (
        ran.out == (ran.model(name).sample(seed, 20, random_seed=random_seed, **settings) + "\n")
    )


SOME_LINES = "-c lines.npz --count 30 -t 1.5"


def every_line(claim: Callable[[str], bool]) -> Claim:
    """Claim this of every line that was written."""
    return lambda ran: all(map(claim, ran.out.splitlines()))


def completes(
    *prompts: str,
    name: str = "checkpoints/newest.npz",
    like: str = "",
    memory: bool = True,
    **settings: Any,
) -> Claim:
    """Claim that these prompts, or those of STDIN, were answered as the API does."""

    def claim(ran: Ran) -> bool:
        model = ran.model(name).with_memory(like) if memory else ran.model(name)
        return [it["prompt"] for it in ran.objects] == [*(prompts or KNOWN)] and all(
            [(it["text"], it["probability"]) for it in answer["continuations"]]
            == [(it.text, it.probability) for it in model.complete(answer["prompt"], **settings)]
            for answer in ran.objects
        )

    return claim


def scores(name: str = "checkpoints/newest.npz", **settings: Any) -> Claim:
    """Claim that the text scores as the API says with these settings."""
    return lambda ran: (
        float(ran.rows[1][1])
        == pytest.approx(ran.model(name).score(TEXT, **settings).nats_per_char, abs=1e-4)
    )


def has_lines(*numbers: int) -> Claim:
    """Claim that these lines of the input were written, in this order."""
    return lambda ran: [it["line"] for it in ran.objects] == [*numbers]


def sees(text: str, name: str = "checkpoints/newest.npz") -> Claim:
    """Claim that this text is seen as the API sees it."""

    def claim(ran: Ran) -> bool:
        if "".join(it["char"] for it in ran.objects) != text:
            return False
        nats = [it["nats"] for it in ran.objects[1:]]
        return bool(np.allclose(nats, ran.model(name).xray(text).nats[1:], atol=1e-4))

    return claim


KNOWN = ["The cat", "The dog "]
# What the model knows of STDIN.
SEEN = STDIN.replace("ß", "")

PAGE = "--to html -o page"
CHARGED = {"beside": "--lines", "file": "surprising.txt"}

# Settings that change what is learned, with values for them. The optimizer is sgd where adam would
# scale away the effect; a clip value takes the limit on the norm away, so the other run has none.
SETTINGS = {
    "--batch-size": "3", "--model": "rnn", "--hidden-size": "9", "--layers": "2",
    "--dropout": "0.4", "--weight-drop": "0.4", "--optimizer": "rmsprop",
    "--learning-rate": "0.003", "--random-seed": "2", "--val-fraction": "0.25", "--lines": "",
    "--separator": "'. '", "--networks": "2", "--seq-length": "7", "--stride": "2",
    "--nonlinearity": "relu", "--schedule": "constant", "--warmup": "0", "--clip-norm": "0.001",
    "--clip-value": "0.0001", "--weight-decay": "0.5",
}  # fmt: skip
BESIDE = {
    "--lines": "--seq-length 9",
    "--separator": "--seq-length 9",
    "--nonlinearity": "--model rnn",
    "--clip-norm": "--optimizer sgd",
    "--clip-value": "--optimizer sgd --clip-norm 0",
}

# fmt: off
# Options of train that change what is read, when the run ends, what is written and shown.
TRAIN: dict[str, Row] = {
    "--encoding": Row("--encoding latin-1",
        lambda ran: "é" in ran.trained.vocabulary, file="train.latin"),
    "--normalize": Row("--normalize NFC",
        lambda ran: "é" in ran.trained.vocabulary, file="train.nfd"),
    "--steps": Row("--steps 3", lambda ran: ran.trained.progress.step == 3),
    "--epochs": Row("--epochs 2",
        lambda ran: {entry["epoch"] for entry in ran.log} == {1, 2}, "--steps 200 --log log"),
    "--time": Row("--time 0.3s", lambda ran: ran.trained.progress.step < 5000, "--steps 5000"),
    # A rate that changes nothing: no validation is better than the first.
    "--patience": Row("--patience 2", lambda ran: sum("val_loss" in it for it in ran.log) == 3,
        "--learning-rate 1e-30 --val-fraction 0.1 --steps 200 --log log"),
    "--output": Row("-o elsewhere.npz",
        lambda ran: ran.wrote("elsewhere.npz") and not ran.wrote("m.npz")),
    "--resume": Row("--resume",
        lambda ran: [entry["step"] for entry in ran.log] == [3, 4], "-o train.npz --log log"),
    "--overwrite": Row("--overwrite", lambda ran: ran.trained.progress.step == 4, "-o train.npz"),
    "--log": Row("--log log", lambda ran: ran.wrote("log") and len(ran.log) == 4),
    "--quiet": Row("--quiet", lambda ran: not ran.err),
    "--verbose": Row("--verbose", lambda ran: '"optimizer": {"name": "adam"' in ran.err),
    "--json": Row("--json", lambda ran: [summary["steps"] for summary in ran.objects] == [4]),
    "--from": Row("--from other.npz",
        lambda ran: same_weights(ran.trained.weights, ran.model("other.npz").weights),
        "--learning-rate 1e-30"),
    "--field": Row("--field text",
        lambda ran: len(ran.trained.vocabulary) == 6, file="records.jsonl"),
    "--ngram": Row("--ngram 3", lambda ran: ran.trained.ngram.order == 3),
    "--plain": Row("--plain",
        lambda ran: ran.trained.ngram is None and ran.trained.config.model.weight_drop == 0),
    "--no-ngram": Row("--no-ngram", lambda ran: ran.trained.ngram is None),
    "--sample-every": Row("--sample-every 3",
        lambda ran: re.findall(r"sample at step (\d+)", ran.err) == ["3"]),
}

ROWS: dict[str, dict[str, Row]] = {
    "train": TRAIN,
    "sample": {
        "--checkpoint": Row("--checkpoint other.npz", writes(name="other.npz")),
        "--seed": Row("--seed The", writes("The")),
        "--prefix": Row("--prefix do", every_line(lambda line: line[:2] == "do"), SOME_LINES),
        "--new": Row("--new", every_line(lambda line: line not in NAMES), SOME_LINES),
        "--unique": Row("--unique", lambda ran: len({*ran.out.split()}) == 30, SOME_LINES),
        "--min-length": Row("--min-length 4", every_line(lambda line: len(line) >= 4), SOME_LINES),
        "--max-length": Row("--max-length 3", every_line(lambda line: len(line) <= 3), SOME_LINES),
        "--seed-file": Row("--seed-file prompt.txt", writes("The cat\nsat")),
        "--like": Row("--like prompt.txt", writes(like="The cat\nsat")),
        "--unknown": Row("--unknown replace", writes("The"), "--seed Thé"),
        "--length": Row("--length 7", lambda ran: len(ran.out) == 8),
        "--count": Row("--count 3",
            lambda ran: len({sample["text"] for sample in ran.objects}) == 3, "--jsonl"),
        "--temperature": Row("--temperature 2", writes(temperature=2)),
        "--greedy": Row("--greedy", writes(temperature=0)),
        "--top-k": Row("--top-k 2", writes(top_k=2)),
        "--top-p": Row("--top-p 0.3", writes(top_p=0.3)),
        "--min-p": Row("--min-p 0.5", writes(min_p=0.5)),
        "--random-seed": Row("--random-seed 2", writes(random_seed=2)),
        "--until-sentence": Row("--until-sentence", writes(until_sentence=True)),
        "--stop": Row("--stop a --stop Th", writes(stop=("a", "Th"))),
        "--charset": Row("--charset a-c", writes(charset="a-c")),
        "--no-repeat": Row("--no-repeat 2", writes(no_repeat=2)),
        "--contain": Row("--contain cat", writes(contain="cat")),
        "--match": Row("--match '[a-d]+ [e-z]*'", writes(match="[a-d]+ [e-z]*")),
        "--seeds": Row("--seeds prompt.txt",
            lambda ran: [it["seed"] for it in ran.objects] == ["The cat", "sat"], "--jsonl"),
        "--delimiter": Row("--delimiter --", lambda ran: ran.rows.count(["--"]) == 1, "--count 2"),
        "--no-echo": Row("--no-echo", lambda ran: len(ran.out) == 21, "--seed The"),
        "--jsonl": Row("--jsonl", lambda ran: [len(it["text"]) for it in ran.objects] == [20]),
    },
    "complete": {
        "--checkpoint": Row("--checkpoint other.npz", completes(name="other.npz")),
        "--like": Row("--like prompt.txt", completes(like="The cat\nsat")),
        "--no-memory": Row("--no-memory", completes(memory=False)),
        "--unknown": Row("--unknown replace", completes("The cat", "The dog  ")),
        "--count": Row("--count 2", completes(count=2)),
        "--length": Row("--length 3", completes(length=3)),
        "--stop": Row("--stop ' ' --stop a", completes(stop=(" ", "a"))),
        "--beam": Row("--beam 5", completes(beam=5)),
        "--json": Row("--json", completes("The"), "The"),
    },
    "models": {
        "--json": Row("--json", lambda ran: [it["name"] for it in ran.objects] == [*CATALOG]),
    },
    "doctor": {
        "--encoding": Row("--encoding latin-1",
            lambda ran: '"encoding": "latin-1"' in ran.out, "--json", file="latin.txt"),
        "--fix": Row("--fix", lambda ran: ran.out == "“The cat”\n", file="faulty.txt"),
        "--also": Row("--also quotes",
            lambda ran: ran.out == '"The cat"\n', "--fix", file="faulty.txt"),
        "--output": Row("-o new",
            lambda ran: (ran.folder / "new" / "faulty.txt").is_file(), "--fix", file="faulty.txt"),
        "--json": Row("--json", lambda ran: [it["chars"] for it in ran.objects] == [len(TEXT)]),
    },
    "score": {
        "--checkpoint": Row("--checkpoint other.npz", scores("other.npz")),
        "--window": Row("--window 16", scores(window=16)),
        "--memory": Row("--memory", scores(memory=True)),
        "--unknown": Row("--unknown skip", lambda ran: "skipped 1 " in ran.err, file="odd.txt"),
        "--encoding": Row("--encoding latin-1",
            lambda ran: "chars\t5\n" in ran.out, "--unknown skip", file="latin.txt"),  # The ca
        "--json": Row("--json", lambda ran: [it["chars"] for it in ran.objects] == [len(TEXT) - 1]),
        "--lines": Row("--lines", has_lines(*range(1, 41))),
        "--pieces": Row("--pieces", has_lines(*range(1, 41))),
        "--threshold": Row("--threshold 7", has_lines(2), **CHARGED),
        "--at-most": Row("--at-most 7", has_lines(1), **CHARGED),
        "--sort": Row("--sort", has_lines(2, 1), **CHARGED),
        "--top": Row("--top 1", has_lines(2), **CHARGED),
        "--tsv": Row("--tsv",
            lambda ran: ["2", "yyyy"] in [row[:2] for row in ran.rows], **CHARGED),
    },
    "xray": {
        "--checkpoint": Row("--checkpoint other.npz", sees(SEEN, "other.npz"), "--json"),
        "--seed": Row("--seed 'The mat'", sees("The mat"), "--json"),
        "--unknown": Row("--unknown replace", sees(STDIN.replace("ß", " ")), "--json"),
        "--encoding": Row("--encoding latin-1", sees("The ca"), "--json latin.txt"),
        "--find": Row("--find whitespace",
            lambda ran: {it.get("feature") for it in ran.objects} == {"whitespace"}, "--json"),
        "--top": Row("--top 1",
            lambda ran: {len(it["top"]) for it in ran.objects} == {0, 1}, "--json"),
        "--html": Row("--html x.html", lambda ran: ran.wrote("x.html")),
        "--overwrite": Row("--overwrite",
            lambda ran: (ran.folder / "old.html").stat().st_size > 100, "--html old.html"),
        "--json": Row("--json", sees(SEEN)),
    },
    "inspect-vocab": {
        "--sort": Row("--sort count",
            lambda ran: (it := [-int(row[4]) for row in ran.rows[1:]]) == sorted(it)),
        "--one-hot": Row("--one-hot", lambda ran: ran.rows[2][-1].startswith("0 1 0 0")),
        "--windows": Row("--windows 2", lambda ran: [row[0] for row in ran.rows[1:]] == ["0", "1"]),
        "--seq-length": Row("--seq-length 3", lambda ran: ran.rows[1][1] == "The", "--windows 1"),
        "--stride": Row("--stride 4", lambda ran: ran.rows[2][1][:3] == "cat", "--windows 2"),
        "--encoding": Row("--encoding latin-1",
            lambda ran: "é" in {row[1] for row in ran.rows}, file="latin.txt"),
        "--json": Row("--json",
            lambda ran: ran.out[0] == "{" and json.loads(ran.out)["size"] == len(set(TEXT))),
    },
    "inspect": {
        "--json": Row("--json",
            lambda ran: ran.out[0] == "{" and json.loads(ran.out)["steps"] == 4),
    },
    "export": {
        "--to": Row("--to html", lambda ran: b"<html" in ran.page, "-o page"),
        "--title": Row("--title Moby", lambda ran: b"<title>Moby</title>" in ran.page, PAGE),
        "--half": Row("--half", lambda ran: len(ran.page) < len(export(ran.model(), "html")), PAGE),
        "--output": Row("--output elsewhere",
            lambda ran: ran.wrote("elsewhere") and not ran.wrote("c.npz")),
        "--overwrite": Row("--overwrite",
            lambda ran: ran.model("other.npz").resume == {}, "-o other.npz"),
    },
    "import": {
        "--vocab": Row("--vocab xyz.json",
            lambda ran: ran.model("checkpoints/w.npz").vocabulary.characters == "xyz"),
        "--nonlinearity": Row("--nonlinearity relu",
            lambda ran: ran.model("checkpoints/w.npz").config.model.nonlinearity == "relu"),
        "--output": Row("--output elsewhere.npz",
            lambda ran: ran.wrote("elsewhere.npz") and not ran.wrote("checkpoints/w.npz")),
        "--overwrite": Row("--overwrite",
            lambda ran: ran.model("other.npz").vocabulary.characters == "abc", "-o other.npz"),
    },
}

# fmt: on
# Options whose tests take more than a row.
ELSEWHERE = {
    PROGRAM: "--version --debug --show-completion --install-completion",
    "train": "--workers --plot",
    "inspect": "--plot --overwrite",
    "score": "--no-ngram",
    "sample": "--endless --max-copied",
    "xray": "--layer --unit --part",
    "inspect-vocab": "--tsv",
}


@pytest.mark.parametrize(
    ("command", "option"), [(command, option) for command in ROWS for option in ROWS[command]]
)
def test_what_an_option_says_is_true_with_it_and_not_without_it(
    command: str, option: str, ran: Runner
) -> None:
    row = ROWS[command][option]
    line = base(command, row.beside, row.file)
    old, new = ran(line), ran(f"{line} {row.given}")
    assert new.returncode == 0, new.err
    assert row.claim(new), f"{new.out}\n{new.err}"
    assert not (old.returncode == 0 and row.claim(old)), f"{old.out}\n{old.err}"


def options_of(command: str) -> set[str]:
    """Return the long names of all options, as the command line itself has them."""
    program: Any = typer.main.get_command(app)
    parameters = (program if command == PROGRAM else program.get_command(None, command)).params
    return {
        name
        for parameter in parameters
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }


@pytest.mark.parametrize("command", [PROGRAM, *COMMANDS])
def test_every_option_is_proven_to_do_something(command: str) -> None:
    rows = {*ROWS.get(command, {}), *(SETTINGS if command == "train" else ())}
    proven = rows | {*ELSEWHERE.get(command, "").split()}
    missing, gone = options_of(command) - proven, proven - options_of(command)
    assert not missing, f"no test would notice if {command} ignored {missing}: add a row to ROWS"
    assert not gone, f"{command} has no {gone} any more: take away the row"


def test_a_table_is_tab_separated_on_a_terminal_too(tmp_path: Path) -> None:
    (tmp_path / "ab.txt").write_text("abab")
    drawn = call("inspect-vocab", "ab.txt", cwd=tmp_path, terminal=True)
    plain = call("inspect-vocab", "ab.txt", "--tsv", cwd=tmp_path, terminal=True)
    assert "\t" not in drawn.out
    assert plain.out == call("inspect-vocab", "ab.txt", cwd=tmp_path).out


@pytest.mark.parametrize("option", SETTINGS)
def test_a_setting_is_stored_and_gives_other_weights(option: str, ran: Runner) -> None:
    line, given = base("train", BESIDE.get(option, "")), SETTINGS[option]
    old, new = ran(line), ran(f"{line} {option} {given}")
    assert new.returncode == old.returncode == 0, new.err + old.err
    name = NAMES_OF.get(option.strip("-").replace("-", "_"), "separator")  # --lines
    values = [flatten(one.trained.config)[name] for one in (old, new)]
    assert values[1] == (type(values[1])(given.strip("'")) if given else "\n")
    assert values[0] != values[1]
    assert not same_weights(old.trained.weights, new.trained.weights)


def test_the_same_options_give_the_same_weights(ran: Runner) -> None:
    # without this, other weights would say nothing about an option
    one, again = ran(base("train")), ran(f"{base('train')} --steps 4")
    assert same_weights(one.trained.weights, again.trained.weights)
