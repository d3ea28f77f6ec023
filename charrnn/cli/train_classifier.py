"""``charrnn train-classifier``: learn to tell lines of text apart."""

from typing import Annotated

import typer

from charrnn.cli.options import (
    DATA,
    MODEL,
    OPTIMIZATION,
    AsJson,
    Encoding,
    Epochs,
    Layers,
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
    Time,
    Verbose,
    Workers,
    default_output,
    given_options,
    option,
    require_one_of,
)
from charrnn.config import CellName, ClassifierConfig
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
        option(
            "Where the label is: name of a column or key, or a number from 1.",
            DATA,
            "label, or 1",
            metavar="NAME|N",
        ),
    ] = None,
    text_column: Annotated[
        str | None, option("Where the text is.", DATA, "text, or 2", metavar="NAME|N")
    ] = None,
    encoding: Encoding = "utf-8",
    normalize: Normalize = None,
    val_fraction: Annotated[
        float | None,
        option(
            "Share of each class to hold out for validation; 0 for none.", DATA, _DATA.val_fraction
        ),
    ] = None,
    max_length: Annotated[
        int | None,
        option("Characters of a text that are read, from its beginning.", DATA, _DATA.max_length),
    ] = None,
    batch_size: Annotated[
        int | None, option("Texts trained on at once.", DATA, _DATA.batch_size)
    ] = None,
    model: Annotated[CellName | None, option("The recurrent cell.", MODEL, _MODEL.cell)] = None,
    hidden_size: Annotated[
        int | None, option("Units per layer and direction.", MODEL, _MODEL.hidden_size)
    ] = None,
    layers: Layers = None,
    bidirectional: Annotated[
        bool | None,
        option(
            "Read from both ends, or from the beginning only.",
            MODEL,
            "--bidirectional",
            "--bidirectional/--one-way",
        ),
    ] = None,
    dropout: Annotated[
        float | None, option("Probability that an output is dropped.", MODEL, _MODEL.dropout)
    ] = None,
    weight_drop: Annotated[
        float | None,
        option(
            "Probability that a recurrent weight is dropped for a step.", MODEL, _MODEL.weight_drop
        ),
    ] = None,
    time: Time = None,
    epochs: Epochs = None,
    steps: Steps = None,
    optimizer: OptimizerRule = None,
    learning_rate: Annotated[
        float | None,
        option(
            "Peak learning rate.",
            OPTIMIZATION,
            f"adam {_DEFAULTS.optimizer.learning_rate:g}, others as in train",
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
    """Learn to tell labelled texts apart, and save the classifier as a checkpoint.

    charrnn train-classifier labelled.tsv -o m.npz

    Trains for 1 minute unless --time, --epochs or --steps is given.
    """
    require_one_of(resume=resume, overwrite=overwrite)
    require_one_of(quiet=quiet, verbose=verbose)
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
