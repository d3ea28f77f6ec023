"""``charrnn train``: learn to write like a text."""

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.options import (
    AsJson,
    Encoding,
    Epochs,
    Log,
    Normalize,
    OptimizerRule,
    Output,
    Overwrite,
    Patience,
    Quiet,
    RandomSeed,
    Resume,
    Steps,
    Verbose,
    Workers,
    default_output,
    given_options,
)
from charrnn.config import (
    DEFAULT_LEARNING_RATES,
    CellName,
    DataConfig,
    ModelConfig,
    Nonlinearity,
    OptimizerConfig,
    ScheduleName,
)
from charrnn.errors import ConfigError
from charrnn.settings import parse_time

_MODEL, _DATA, _OPTIMIZER = ModelConfig(), DataConfig(), OptimizerConfig()
_RATES = ", ".join(
    f"{name} {rate:g}" for name, rate in DEFAULT_LEARNING_RATES.items() if name != "adam"
)


def train(
    corpus: Annotated[
        list[str], typer.Argument(metavar="CORPUS", help="Text files, or - for stdin.")
    ],
    *,
    encoding: Encoding = "utf-8",
    normalize: Normalize = None,
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
    epochs: Epochs = None,
    steps: Steps = None,
    optimizer: OptimizerRule = None,
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
    patience: Patience = None,
    random_seed: RandomSeed = None,
    workers: Workers = None,
    output: Output = None,
    resume: Resume = False,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Start a new run from the weights of this checkpoint; characters it does not "
            "know are added.",
            rich_help_panel="Model",
        ),
    ] = None,
    overwrite: Overwrite = False,
    sample_every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Show a sample every N steps, on stderr.", rich_help_panel="Output"
        ),
    ] = None,
    log: Log = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
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
    given = given_options(
        model={
            "cell": model,
            "hidden_size": hidden_size,
            "layers": layers,
            "dropout": dropout,
            "weight_drop": weight_drop,
            "nonlinearity": nonlinearity,
        },
        data={
            "seq_length": seq_length,
            "batch_size": batch_size,
            "stride": stride,
            "val_fraction": val_fraction,
            "normalize": normalize,
        },
        optimizer={
            "name": optimizer,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "warmup": warmup,
            "clip_norm": clip_norm,
            "clip_value": clip_value,
            "weight_decay": weight_decay,
        },
        run={
            "seconds": None if time is None else parse_time(time),
            "epochs": epochs,
            "steps": steps,
            "patience": patience,
            "random_seed": random_seed,
            "workers": workers,
        },
    )
    from charrnn.cli.run import Display
    from charrnn.cli.text_training import TextTraining

    training = TextTraining(
        corpus=corpus,
        encoding=encoding,
        output=output or default_output(corpus[0]),
        given=given,
        display=Display(
            quiet=quiet, verbose=verbose, as_json=as_json, sample_every=sample_every, log=log
        ),
        source=from_,
    )
    if code := training.resume() if resume else training.start(overwrite=overwrite):
        raise typer.Exit(code)
