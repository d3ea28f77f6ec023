"""``charrnn train-classifier``: learn to tell lines of text apart."""

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
from charrnn.config import CellName, ClassifierConfig
from charrnn.errors import ConfigError
from charrnn.settings import parse_time

_DEFAULTS = ClassifierConfig()
_MODEL, _DATA = _DEFAULTS.model, _DEFAULTS.data


def train_classifier(
    labelled: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELLED",
            help="Files of labelled texts, or - for stdin: one per line, label TAB text; or .jsonl "
            'with "label" and "text"; or .csv with a row of names.',
        ),
    ],
    *,
    label_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|N",
            help="Where the label is: name of a column or key, or a number from 1 (label, or 1).",
            rich_help_panel="Data",
        ),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|N", help="Where the text is (text, or 2).", rich_help_panel="Data"
        ),
    ] = None,
    encoding: Encoding = "utf-8",
    normalize: Normalize = None,
    val_fraction: Annotated[
        float | None,
        typer.Option(
            help=f"Share of each class held out to judge by, 0 for none ({_DATA.val_fraction:g}).",
            rich_help_panel="Data",
        ),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            help=f"Characters of a text that are read, from its beginning ({_DATA.max_length}).",
            rich_help_panel="Data",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help=f"Texts trained on at once ({_DATA.batch_size}).", rich_help_panel="Data"
        ),
    ] = None,
    model: Annotated[
        CellName | None,
        typer.Option(help=f"The cell ({_MODEL.cell}).", rich_help_panel="Model"),
    ] = None,
    hidden_size: Annotated[
        int | None,
        typer.Option(
            help=f"Units per layer and direction ({_MODEL.hidden_size}).", rich_help_panel="Model"
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(help=f"Stacked layers ({_MODEL.layers}).", rich_help_panel="Model"),
    ] = None,
    bidirectional: Annotated[
        bool | None,
        typer.Option(
            "--bidirectional/--one-way",
            help="Read from both ends, or from the beginning only (--bidirectional).",
            rich_help_panel="Model",
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help=f"Chance that an output is dropped while training ({_MODEL.dropout:g}).",
            rich_help_panel="Model",
        ),
    ] = None,
    weight_drop: Annotated[
        float | None,
        typer.Option(
            help="Chance that a recurrent weight is dropped for a training step "
            f"({_MODEL.weight_drop:g}).",
            rich_help_panel="Model",
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="90s|10m|1h",
            help="Stop after this long (1m, unless --epochs or --steps is given).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    epochs: Epochs = None,
    steps: Steps = None,
    optimizer: OptimizerRule = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help=f"Peak rate (adam: {_DEFAULTS.optimizer.learning_rate:g}; as in train).",
            rich_help_panel="Optimisation",
        ),
    ] = None,
    patience: Patience = None,
    random_seed: RandomSeed = None,
    workers: Workers = None,
    output: Output = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    log: Log = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Learn to tell texts apart, from examples with labels, and save what was learnt.

    charrnn train-classifier labelled.tsv -o m.npz
    """
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite contradict each other", hint="give one")
    if quiet and verbose:
        raise ConfigError("--quiet and --verbose contradict each other", hint="give one")
    given = given_options(
        model={
            "cell": model,
            "hidden_size": hidden_size,
            "layers": layers,
            "bidirectional": bidirectional,
            "dropout": dropout,
            "weight_drop": weight_drop,
        },
        data={
            "batch_size": batch_size,
            "max_length": max_length,
            "val_fraction": val_fraction,
            "normalize": normalize,
        },
        optimizer={"name": optimizer, "learning_rate": learning_rate},
        run={
            "seconds": None if time is None else parse_time(time),
            "epochs": epochs,
            "steps": steps,
            "patience": patience,
            "random_seed": random_seed,
            "workers": workers,
        },
    )
    from charrnn.cli.label_training import LabelTraining
    from charrnn.cli.run import Display
    from charrnn.text.labelled import Columns

    training = LabelTraining(
        corpus=labelled,
        encoding=encoding,
        output=output or default_output(labelled[0]),
        given=given,
        display=Display(quiet=quiet, verbose=verbose, as_json=as_json, log=log),
        columns=Columns(label_column, text_column),
    )
    if code := training.resume() if resume else training.start(overwrite=overwrite):
        raise typer.Exit(code)
