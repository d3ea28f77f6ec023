"""``charrnn train``: learn to write like a text."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from charrnn.checkpoint.bases import CHECKPOINTS
from charrnn.cli.console import console, to_json
from charrnn.cli.options import (
    WRITTEN,
    argument,
    complete_models,
    exclusive,
    flag,
    option,
    with_settings,
)
from charrnn.cli.texts import expect_text, read_stdin_once, unescape
from charrnn.config import DataConfig, ModelConfig, OptimizerConfig, RunConfig
from charrnn.errors import CheckpointError, ConfigError

_BASE = "a base model if it predicts the text, unless a size, --steps or --epochs is given"
_FROM = "Start from the weights of a checkpoint or base model, or from none."
_PLAIN = "What is asked for alone: one network, no dropout, no n-grams, no base model."
_RESUME = "Continue the run in the checkpoint; limits count from its start."
CONTRADICTIONS = (
    ("--resume", "--overwrite"),
    ("--resume", "--from"),
    ("--plain", "--from"),
    ("--ngram", "--no-ngram"),
    ("--quiet", "--verbose"),
    ("--quiet", "--plot"),
    ("--lines", "--separator", "--field"),
)


@with_settings(RunConfig, DataConfig, ModelConfig, OptimizerConfig)
def train(
    context: typer.Context,
    corpus: list[str] = argument("CORPUS", "Text files, folders of them, or - for stdin."),
    *,
    resume: bool = flag(_RESUME, "Run", "--resume"),
    lines: bool = flag("Each line is an example: names, titles.", "Data", "--lines"),
    encoding: str = option("Encoding of the text.", "Data", default="utf-8", metavar="NAME"),
    from_: str | None = option(
        _FROM, "Model", "--from", unset=_BASE, metavar="PATH|none", envvar="CHARRNN_TRAIN_FROM",
        autocompletion=complete_models,
    ),
    plain: bool = flag(_PLAIN, "Model", "--plain"),
    no_ngram: bool = flag("No n-grams beside the network.", "Data", "--no-ngram"),
    output: Path | None = option(
        "The checkpoint.", "Output", "-o", "--output", unset=WRITTEN, metavar="FILE"
    ),
    overwrite: bool = flag("Replace an existing checkpoint or log.", "Output", "--overwrite"),
    sample_every: int | None = option("Show a sample every N steps, on stderr.", "Output", min=1),
    log: Path | None = option("Write one JSON object per step to FILE.", "Output", metavar="FILE"),
    plot: bool = flag("Draw the losses on the terminal while training.", "Output", "--plot"),
    quiet: bool = flag("Show warnings and errors only.", "Output", "-q", "--quiet"),
    verbose: bool = flag("Show all settings and every validation.", "Output", "-v", "--verbose"),
    json: bool = flag("Print one object, as inspect does.", "Output", "--json"),
    **settings: Any,
) -> None:  # fmt: skip
    """Learn to write like a text, and save the trained model as a checkpoint.

    charrnn train corpus.txt --time 60s
    charrnn train corpus.txt --time 5m --resume
    charrnn train names.txt --lines -o names.npz

    Settings that you do not give are chosen from the text and the time, and printed in one line.
    The first Ctrl-C saves and ends the run.
    """
    stem = "stdin" if corpus[0] == "-" else Path(corpus[0]).stem or "model"
    path = output or CHECKPOINTS / f"{stem}.npz"
    for options in CONTRADICTIONS:
        exclusive(context, *options)

    from charrnn.checkpoint.files import reserved
    from charrnn.cli.outputs import Saver, StopSignals, note_interrupt, open_log
    from charrnn.cli.training_display import TrainingDisplay, describe_run, report_run
    from charrnn.models.description import describe
    from charrnn.models.train import follow, prepare_run
    from charrnn.parallel import mpi
    from charrnn.settings import sort_settings

    given, _ = sort_settings(list_given(context, resume=resume))
    comm = mpi.world()
    if comm is not None and comm.rank:
        with StopSignals() as signals:
            follow(signals)
        return
    if comm is not None and "workers" in given:
        launched = f"the launcher says how many processes there are: {comm.size}"
        raise ConfigError(f"--workers: {launched}", hint="leave it out")
    console.quiet = quiet
    check(context, given, path)
    keep_old = path.exists() and not resume

    with reserved(path), note_interrupt():
        resumed = path if resume else None
        run = prepare_run(corpus, given, start=from_, resumed=resumed, encoding=encoding)
        shown: Any = {"plot": plot, "verbose": verbose, "sample_every": sample_every}
        with (
            open_log(log, run.state.progress.step) as file,
            closing(TrainingDisplay(run, file, **shown)) as display,
            StopSignals() as signals,
            closing(run.events(signals)) as events,
            Saver(run, path, keep_old=keep_old) as saver,
        ):
            console.note(*describe_run(run))
            if verbose:
                console.note(to_json(asdict(run.config)))
            stopping = False
            for event in events:
                saver.save_after(event)
                display.show(event)
                if signals() and not stopping:
                    console.note("stopping; once more to quit without saving")
                    stopping = True
            run.finish()

    if json:
        console.write_json(describe(path) | {"interrupted": signals()})
    if saver.last_step is not None and not saver.is_saved:
        console.note(f"stopped before the first validation: {path} still has the model of before")
    else:
        encoded = [] if encoding == "utf-8" else ["--encoding", encoding]
        logged = [] if log is None else ["--log", str(log)]
        resumable = [*corpus, "-o", str(path), *encoded, *logged]
        console.note(*report_run(run, path, saver.last_step, signals.received, resumable))
    if signals.received is not None:
        raise typer.Exit(128 + signals.received)


def list_given(context: typer.Context, *, resume: bool) -> dict[str, Any]:
    """Return the options that make the settings, by name."""
    given = dict(context.params)
    if resume:  # defaults of the user's file and environment are for new runs
        typed = {name: context.get_parameter_source(name) for name in given}
        given = {name: given[name] for name, it in typed.items() if it and it.name == "COMMANDLINE"}
    if given.get("no_ngram"):
        given["ngram"] = 0
    if given.get("separator") is not None:
        given["separator"] = unescape(given["separator"], "separator")
    return given


def check(context: typer.Context, given: dict[str, Any], path: Path) -> None:
    """Raise unless settings are right and files may be written, the checkpoint to ``path``."""
    from charrnn.checkpoint.files import file_exists
    from charrnn.cli.outputs import check_output
    from charrnn.settings import new_config
    from charrnn.text.reading import Reader

    Reader(context.params["encoding"])
    if not context.params["resume"]:
        new_config(given)
    corpus, start, log, resume, overwrite = (
        context.params[name] for name in ("corpus", "from_", "log", "resume", "overwrite")
    )
    if str(path) == "-":
        raise ConfigError("a checkpoint cannot go to stdout", hint="-o takes a file name")
    if resume and not file_exists(path):
        raise CheckpointError(
            f"{path}: no such checkpoint: there is nothing to resume",
            hint="leave out --resume to start a new run",
        )
    for source in corpus:
        expect_text(source, "--from")
    may_replace, inputs = overwrite or resume, [*corpus, start]
    resuming = "--resume continues its run, "
    check_output(path, "-o", "checkpoint", overwrite=may_replace, others=inputs, resume=resuming)
    check_output(log, "--log", "log", overwrite=may_replace, others=[*inputs, path])
    read_stdin_once(*corpus)
