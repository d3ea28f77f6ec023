"""``charrnn train-classifier``: learn to tell lines of text apart."""

from typing import Annotated

import typer

from charrnn.cli import options as shared
from charrnn.cli.options import DATA, MODEL, OPTIMIZATION, option
from charrnn.config import CellName, ClassifierConfig

_DEFAULTS = ClassifierConfig()
_MODEL, _DATA = _DEFAULTS.model, _DEFAULTS.data


def train_classifier(
    labelled: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELED",
            help="Files of labeled texts, or - for stdin: one per line, label TAB text; or .jsonl "
            'with "label" and "text"; or .csv with a row of names.',
        ),
    ],
    *,
    time: Annotated[str | None, shared.time_limit("1m")] = None,
    epochs: shared.Epochs = None,
    steps: shared.Steps = None,
    patience: shared.Patience = None,
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
    encoding: shared.Encoding = "utf-8",
    normalize: shared.Normalize = None,
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
    layers: shared.Layers = None,
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
    optimizer: shared.OptimizerRule = None,
    learning_rate: Annotated[
        float | None,
        option(
            "Peak learning rate.",
            OPTIMIZATION,
            f"adam {_DEFAULTS.optimizer.learning_rate:g}, others as in train",
        ),
    ] = None,
    random_seed: shared.RandomSeed = None,
    workers: shared.Workers = None,
    engine: shared.Engine = None,
    output: shared.Output = None,
    resume: shared.Resume = False,
    overwrite: shared.Overwrite = False,
    log: shared.Log = None,
    plot: shared.Plot = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
    as_json: shared.AsJson = False,
) -> None:
    """Learn to tell labeled texts apart, and save the classifier as a checkpoint.

    charrnn train-classifier labelled.tsv -o language.npz
    charrnn train-classifier labelled.tsv -o language.npz --time 5m --resume
    charrnn train-classifier mail.csv --label-column tag --text-column title

    In the end it says how often it is right about texts that were held out, class by class.
    """
    options = locals()
    from charrnn.cli.label_training import LabelTraining
    from charrnn.text.labelled import Columns

    columns = Columns(label_column, text_column)
    if code := LabelTraining.run(labelled, options, columns=columns):
        raise typer.Exit(code)
