"""``charrnn train``: learn to write like a text."""

import json
import time as clock
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from charrnn.cli import completions
from charrnn.cli import options as shared
from charrnn.cli.console import console
from charrnn.cli.options import DATA, MODEL, OPTIMIZATION, OUTPUT, STOP, option
from charrnn.config import (
    DEFAULT_LEARNING_RATES,
    CellName,
    DataConfig,
    ModelConfig,
    Nonlinearity,
    Normalization,
    OptimizerConfig,
    OptimizerName,
    ScheduleName,
)
from charrnn.errors import CheckpointError, ConfigError, TrainingError

if TYPE_CHECKING:
    from charrnn.models.run import Run
    from charrnn.settings import Given
    from charrnn.training.loop import Event

_MODEL, _DATA, _OPTIMIZER = ModelConfig(), DataConfig(), OptimizerConfig()
_CHOSEN = "chosen from text and time"
_RATES = ", ".join(
    f"{name} {rate:g}" for name, rate in DEFAULT_LEARNING_RATES.items() if name != "adam"
)
_LIMIT = "5m, unless --epochs or --steps is given"
_HELD_OUT = "ten passages of up to 1,000 characters; none of a text below 10,000"
_BASE = "a base model if it predicts the text, unless a size, --steps or --epochs is given"

SAVE_EVERY_SECONDS = 30.0


def train(
    context: typer.Context,
    corpus: Annotated[
        list[str],
        typer.Argument(metavar="CORPUS", help="Text files, folders of them, or - for stdin."),
    ],
    *,
    time: Annotated[
        str | None,
        option("Stop after this long.", STOP, _LIMIT, metavar="90s|10m|1h"),
    ] = None,
    epochs: Annotated[int | None, option("Stop after N passes through the text.", STOP)] = None,
    steps: Annotated[int | None, option("Stop after N updates.", STOP)] = None,
    patience: Annotated[
        int | None, option("Stop after N validations without a lower loss.", STOP, "never")
    ] = None,
    lines: Annotated[
        bool | None,
        option("Each line is an example: names, titles, places.", DATA, None, "--lines"),
    ] = None,
    encoding: Annotated[str, option("Encoding of the text.", DATA)] = "utf-8",
    normalize: Annotated[
        Normalization | None, option("Unicode normalization.", DATA, "none")
    ] = None,
    val_fraction: Annotated[
        float | None,
        option("Share of the text, at its end, to hold out; 0 for none.", DATA, _HELD_OUT),
    ] = None,
    seq_length: Annotated[
        int | None,
        option("Characters per window, the reach of truncated BPTT.", DATA, _DATA.seq_length),
    ] = None,
    batch_size: Annotated[
        int | None, option("Windows trained on at once.", DATA, _DATA.batch_size)
    ] = None,
    stride: Annotated[
        int | None,
        option(
            "Distance between windows. Unset: stateful streams. Set: shuffled, independent ones.",
            DATA,
        ),
    ] = None,
    ngram: Annotated[
        int | None, option("Maximum n-gram order; 0 disables.", MODEL, _DATA.ngram, min=0)
    ] = None,
    no_ngram: Annotated[
        bool | None, option("No n-grams beside the network.", MODEL, None, "--no-ngram")
    ] = None,
    model: Annotated[CellName | None, option("The recurrent cell.", MODEL, _MODEL.cell)] = None,
    hidden_size: Annotated[int | None, option("Units per layer.", MODEL, _CHOSEN)] = None,
    layers: Annotated[int | None, option("Stacked layers.", MODEL, 1)] = None,
    members: Annotated[
        int | None, option("Networks of an ensemble: their logits are averaged.", MODEL, _CHOSEN)
    ] = None,
    dropout: Annotated[
        float | None, option("Probability of dropping an output of a layer.", MODEL, _CHOSEN)
    ] = None,
    weight_drop: Annotated[
        float | None, option("Probability of dropping a recurrent weight.", MODEL, _CHOSEN)
    ] = None,
    nonlinearity: Annotated[
        Nonlinearity | None,
        option("Activation, of --model rnn only.", MODEL, _MODEL.nonlinearity),
    ] = None,
    from_: Annotated[
        str | None,
        option(
            "Start from the weights of a checkpoint or base model, or from none.",
            MODEL,
            _BASE,
            "--from",
            metavar="CHECKPOINT|NAME|none",
            autocompletion=completions.starts,
        ),
    ] = None,
    optimizer: Annotated[
        OptimizerName | None, option("The optimizer.", OPTIMIZATION, _OPTIMIZER.name)
    ] = None,
    learning_rate: Annotated[
        float | None,
        option("Peak learning rate.", OPTIMIZATION, f"adam by model and size, {_RATES}"),
    ] = None,
    schedule: Annotated[
        ScheduleName | None,
        option("Learning-rate schedule after the warm-up.", OPTIMIZATION, _OPTIMIZER.schedule),
    ] = None,
    warmup: Annotated[
        int | None,
        option("Steps of warm-up, at most a tenth of the run.", OPTIMIZATION, _OPTIMIZER.warmup),
    ] = None,
    clip_norm: Annotated[
        float | None,
        option("Largest norm of the gradient; 0 for no limit.", OPTIMIZATION, "1; 0 with a value"),
    ] = None,
    clip_value: Annotated[
        float | None, option("Largest absolute value in the gradient.", OPTIMIZATION, "no limit")
    ] = None,
    weight_decay: Annotated[
        float | None, option("Decoupled weight decay, of adam only.", OPTIMIZATION, "0")
    ] = None,
    random_seed: Annotated[
        int | None,
        option("Seed of weights, order and dropout.", OPTIMIZATION, "drawn, and printed"),
    ] = None,
    workers: Annotated[
        int | None,
        option("Processes to train in.", OPTIMIZATION, "one per core, as far as they help"),
    ] = None,
    output: Annotated[
        Path | None,
        option("The checkpoint to write.", OUTPUT, "checkpoints/NAME.npz", "-o", "--output"),
    ] = None,
    resume: Annotated[
        bool,
        option(
            "Continue the run in the checkpoint; limits count from its start.",
            OUTPUT,
            None,
            "--resume",
        ),
    ] = False,
    overwrite: Annotated[
        bool, option("Replace an existing checkpoint or log.", OUTPUT, None, "--overwrite")
    ] = False,
    sample_every: Annotated[
        int | None, option("Show a sample every N steps, on stderr.", OUTPUT, min=1)
    ] = None,
    log: Annotated[
        Path | None, option("Write one JSON object per step to this file.", OUTPUT)
    ] = None,
    plot: Annotated[
        bool, option("Draw the losses on the terminal while training.", OUTPUT, None, "--plot")
    ] = False,
    quiet: Annotated[
        bool, option("Show warnings and errors only.", OUTPUT, None, "-q", "--quiet")
    ] = False,
    verbose: Annotated[
        bool, option("Show all settings and every validation.", OUTPUT, None, "-v", "--verbose")
    ] = False,
    as_json: Annotated[
        bool, option("Print a summary object to stdout.", OUTPUT, None, "--json")
    ] = False,
) -> None:
    """Learn to write like a text, and save the trained model as a checkpoint.

    charrnn train corpus.txt --time 60s
    charrnn train corpus.txt --time 5m --resume
    charrnn train names.txt --lines -o names.npz

    Settings that you do not give are chosen from the text and the time, and printed in one line.
    The first Ctrl-C saves and ends the run.
    """
    path = output or shared.default_output(corpus[0])
    check_options(context)
    # What stands in the user's file or environment is for new runs.
    names = [name for name in context.params if not resume or shared.is_typed(context, name)]
    given = {name: context.params[name] for name in names}
    if given.get("no_ngram"):
        given["ngram"] = 0

    from charrnn.checkpoint.files import reserved
    from charrnn.cli.signals import StopSignals
    from charrnn.cli.training_display import TrainingDisplay
    from charrnn.cli.training_report import describe_run, report_run, summarize
    from charrnn.models.run import follow
    from charrnn.parallel import mpi
    from charrnn.settings import sort_settings

    settings, _ = sort_settings(given)
    if mpi.launched_rank():
        with StopSignals() as signals:
            follow(lambda: signals.received is not None)
        return
    if mpi.world() is not None and workers is not None:
        raise ConfigError(
            f"--workers: the launcher says how many processes there are, which is "
            f"{mpi.launched_processes()}",
            hint="leave it out",
        )
    check_files(context, path)
    keep_old = path.exists() and not resume

    with reserved(path), shared.naming_sources(corpus):
        run = prepare(corpus, encoding, settings, from_, path if resume else None)
        display = TrainingDisplay(
            quiet=quiet, verbose=verbose, log=log, plot=plot, sample_every=sample_every
        )
        display.note(*describe_run(run))
        if verbose:
            display.note(json.dumps(asdict(run.config)))
        with (
            display.start(run),
            StopSignals() as signals,
            closing(run.events(lambda: signals.received is not None)) as events,
            Saver(run, path, keep_old=keep_old) as saver,
        ):
            for event in events:
                saver.save_after(event)
                display.show(event)
                if signals.received is not None:
                    display.note("stopping; once more to quit without saving")
            run.finish()

    if as_json:
        console.write_json(summarize(run, path, interrupted=signals.received is not None))
    resumable = [*corpus, "-o", str(path)]
    resumable += ["--encoding", encoding] * (encoding != "utf-8")
    resumable += ["--log", str(log)] * (log is not None)
    if saver.last_step is not None and not saver.is_saved:
        display.note(f"stopped before the first validation: {path} still has the model of before")
    else:
        display.note(*report_run(run, path, saver.last_step, signals.received, resumable))
    if signals.received is not None:
        raise typer.Exit(128 + signals.received)


def check_options(context: typer.Context) -> None:
    """Raise ConfigError for options that contradict each other."""
    for one, other in (
        ("--resume", "--overwrite"),
        ("--resume", "--from"),
        ("--ngram", "--no-ngram"),
        ("--quiet", "--verbose"),
        ("--quiet", "--plot"),
    ):
        shared.exclusive(context, one, other)


def check_files(context: typer.Context, path: Path) -> None:
    """Raise unless the command may write its files, of which ``path`` is the checkpoint."""
    from charrnn.checkpoint.files import file_exists
    from charrnn.cli.output_files import check_output

    if str(path) == "-":
        raise ConfigError("a checkpoint cannot go to stdout", hint="-o takes a file name")
    resume, log = context.params["resume"], context.params["log"]
    if resume and not file_exists(path):
        raise CheckpointError(
            f"{path}: no such checkpoint: there is nothing to resume",
            hint="leave out --resume to start a new run",
        )
    inputs = [*context.params["corpus"], context.params["from_"]]
    may_replace, resuming = context.params["overwrite"] or resume, "--resume continues its run, "
    check_output(path, "-o", "checkpoint", overwrite=may_replace, others=inputs, resume=resuming)
    check_output(log, "--log", "log", overwrite=may_replace, others=[*inputs, path])


def prepare(
    corpus: list[str], encoding: str, given: "Given", source: str | None, resumed: Path | None
) -> "Run":
    """Read the text and make a run ready: a new one, or that of a checkpoint.

    given     settings by name
    source    where a new run starts; see ``choose_start``
    resumed   the checkpoint whose run goes on
    """
    from charrnn.models.model import Model
    from charrnn.models.run import Run
    from charrnn.models.start import choose_start
    from charrnn.settings import new_config, resumed_config
    from charrnn.text.corpus import read_corpus

    model = None if resumed is None else Model.load(resumed)
    config = new_config(given) if model is None else resumed_config(given, model.config)
    data = config.data
    text = read_corpus(corpus, encoding=encoding, normalize=data.normalize, lines=data.lines)
    if model is not None:
        return Run.resume(model, config, text)
    fixed = set(given)
    return Run.new(choose_start(source, config, fixed, text), text, fixed)


class Saver:
    """Saves a run at its best, now and then, at its end, and when an error ends it.

    keep_old    there is a model of before, which stays until this one is validated
    last_step   None without one
    is_saved    whether what was reached in the end is saved
    """

    def __init__(self, run: "Run", path: Path, *, keep_old: bool) -> None:
        self.run, self.path, self.keep_old = run, path, keep_old
        self.last_step: int | None = None
        self.is_saved = False
        self._saved_at = clock.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self.save()
        elif isinstance(error, Exception):
            # Between two steps the state is good; in a step, ``train_events`` has restored it.
            is_good = self.last_step is not None or isinstance(error, TrainingError)
            if is_good and self.run.state.progress.step:
                self.save()

    def save_after(self, event: "Event") -> None:
        """Save after a step, if it is time."""
        self.last_step = event.step
        waited = clock.monotonic() - self._saved_at
        if event.is_best or (event.is_complete and waited > SAVE_EVERY_SECONDS):
            self.save()
            self._saved_at = clock.monotonic()

    def save(self) -> None:
        """Save, unless the model of before is to stay."""
        self.is_saved = bool(self.run.state.history) or not self.keep_old
        if self.is_saved:
            self.run.model().save(self.path)
