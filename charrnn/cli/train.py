"""``charrnn train``: learn to write like a text."""

from pathlib import Path
from typing import Annotated, Any

import typer

from charrnn.cli.options import CHECKPOINTS, parse_time
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
from charrnn.errors import ConfigError

_MODEL, _DATA, _OPTIMIZER = ModelConfig(), DataConfig(), OptimizerConfig()
_RATES = ", ".join(
    f"{name} {rate:g}" for name, rate in DEFAULT_LEARNING_RATES.items() if name != "adam"
)


def train(
    corpus: Annotated[
        list[str], typer.Argument(metavar="CORPUS", help="Text files, or - for stdin.")
    ],
    *,
    encoding: Annotated[
        str, typer.Option(help="Encoding of the text.", rich_help_panel="Data")
    ] = "utf-8",
    normalize: Annotated[
        Normalization | None,
        typer.Option(help=f"Unicode normalisation ({_DATA.normalize}).", rich_help_panel="Data"),
    ] = None,
    val_fraction: Annotated[
        float | None,
        typer.Option(
            help="Share of the text, at its end, held out to validate on, 0 for none (ten "
            "passages, 0.05 and at most 10,000 characters; none of a text below 10,000).",
            rich_help_panel="Data",
        ),
    ] = None,
    seq_length: Annotated[
        int | None,
        typer.Option(
            help=f"Characters per window, the reach of truncated BPTT ({_DATA.seq_length}).",
            rich_help_panel="Data",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help=f"Windows trained on at once ({_DATA.batch_size}).",
            rich_help_panel="Data",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            help="Distance between windows; any value but the window's length means "
            "independent, shuffled windows (seq-length: contiguous streams with "
            "carried state).",
            rich_help_panel="Data",
        ),
    ] = None,
    model: Annotated[
        CellName | None,
        typer.Option(help=f"The cell ({_MODEL.cell}).", rich_help_panel="Model"),
    ] = None,
    hidden_size: Annotated[
        int | None,
        typer.Option(help="Units per layer (chosen by text and time).", rich_help_panel="Model"),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(help=f"Stacked layers ({_MODEL.layers}).", rich_help_panel="Model"),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help="Chance that an output of a layer is dropped while training (chosen).",
            rich_help_panel="Model",
        ),
    ] = None,
    weight_drop: Annotated[
        float | None,
        typer.Option(
            help="Chance that a recurrent weight is dropped for a training step (chosen).",
            rich_help_panel="Model",
        ),
    ] = None,
    nonlinearity: Annotated[
        Nonlinearity | None,
        typer.Option(
            help=f"Activation, of model rnn only ({_MODEL.nonlinearity}).",
            rich_help_panel="Model",
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="90s|10m|1h",
            help="Stop after this long. The learning rate reaches zero there (5m, unless "
            "--epochs or --steps is given).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Stop after N passes through the text.", rich_help_panel="Optimisation"),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Stop after N updates.", rich_help_panel="Optimisation")
    ] = None,
    optimizer: Annotated[
        OptimizerName | None,
        typer.Option(
            help=f"Rule of the updates ({_OPTIMIZER.name}).", rich_help_panel="Optimisation"
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help=f"Peak rate (adam: chosen by model and size; {_RATES}).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    schedule: Annotated[
        ScheduleName | None,
        typer.Option(
            help=f"Course of the rate from its peak to the end of the run ({_OPTIMIZER.schedule}).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    warmup: Annotated[
        int | None,
        typer.Option(
            help="Steps until the rate is at its peak; at most a tenth of the run "
            f"({_OPTIMIZER.warmup}).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    clip_norm: Annotated[
        float | None,
        typer.Option(
            help=f"Largest norm of the gradient; 0 for no limit ({_OPTIMIZER.clip_norm:g}, "
            "or no limit with --clip-value).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    clip_value: Annotated[
        float | None,
        typer.Option(
            help="Largest absolute value in the gradient.",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            help=f"Decoupled weight decay, of adam only ({_OPTIMIZER.weight_decay:g}).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after N validations without a better one (never).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    random_seed: Annotated[
        int | None,
        typer.Option(
            help="Same number, same weights, with --steps or --epochs (drawn).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes to train in (one per core, if the model is large enough to gain).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The checkpoint to write (checkpoints/NAME.npz).",
            rich_help_panel="Output",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in the checkpoint; --time, --steps and --epochs count from "
            "its beginning.",
            rich_help_panel="Output",
        ),
    ] = False,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Start a new run from the weights of this checkpoint; characters it does not "
            "know are added.",
            rich_help_panel="Model",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace an existing checkpoint.", rich_help_panel="Output"
        ),
    ] = False,
    sample_every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Show a sample every N steps, on stderr.", rich_help_panel="Output"
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Write one JSON object per step to this file.", rich_help_panel="Output"),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="No progress, no summary.", rich_help_panel="Output"),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v", "--verbose", help="All settings and every validation.", rich_help_panel="Output"
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="A summary object on stdout.", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Learn to write like a text, and save what was learnt as a checkpoint.

    charrnn train corpus.txt --time 60s
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite contradict each other", hint="give one")
    if resume and from_ is not None:
        raise ConfigError(
            "--resume and --from contradict each other",
            hint="--resume goes on with a run, --from starts a new one from its weights",
        )
    if quiet and verbose:
        raise ConfigError("--quiet and --verbose contradict each other", hint="give one")
    given: dict[str, dict[str, Any]] = {
        "model": {
            "cell": model,
            "hidden_size": hidden_size,
            "layers": layers,
            "dropout": dropout,
            "weight_drop": weight_drop,
            "nonlinearity": nonlinearity,
        },
        "data": {
            "seq_length": seq_length,
            "batch_size": batch_size,
            "stride": stride,
            "val_fraction": val_fraction,
            "normalize": normalize,
        },
        "optimizer": {
            "name": optimizer,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "clip_value": clip_value,
            "weight_decay": weight_decay,
        },
        "run": {
            "seconds": None if time is None else parse_time(time),
            "epochs": epochs,
            "steps": steps,
            "patience": patience,
            "random_seed": random_seed,
            "workers": workers,
        },
    }
    from charrnn.cli.training_run import Display, TrainingRun

    run = TrainingRun(
        corpus=corpus,
        encoding=encoding,
        output=output or default_output(corpus[0]),
        given={
            part: {name: value for name, value in settings.items() if value is not None}
            for part, settings in given.items()
        },
        display=Display(
            quiet=quiet, verbose=verbose, as_json=as_json, sample_every=sample_every, log=log
        ),
    )
    if resume:
        code = run.resume()
    elif from_ is not None:
        code = run.start_from(from_, overwrite=overwrite)
    else:
        code = run.start(overwrite=overwrite)
    if code:
        raise typer.Exit(code)


def default_output(source: str) -> Path:
    """Return where the checkpoint of a corpus goes: checkpoints/<stem>.npz."""
    stem = "stdin" if source == "-" else Path(source).stem
    return CHECKPOINTS / f"{stem or 'model'}.npz"
