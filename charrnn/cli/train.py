"""``charrnn train``: learn to write like a text."""

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli.options import (
    DATA,
    MODEL,
    OPTIMIZATION,
    OUTPUT,
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
from charrnn.config import (
    DEFAULT_LEARNING_RATES,
    CellName,
    DataConfig,
    ModelConfig,
    Nonlinearity,
    OptimizerConfig,
    ScheduleName,
)
from charrnn.settings import parse_time

_MODEL, _DATA, _OPTIMIZER = ModelConfig(), DataConfig(), OptimizerConfig()
_CHOSEN = "chosen from text and time"
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
        option(
            "Share of the text, at its end, to hold out for validation; 0 for none.",
            DATA,
            "ten passages of up to 1,000 characters; none of a text below 10,000",
        ),
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
            "Distance between windows. Any value but their length means independent, shuffled "
            "windows instead of contiguous streams with carried state.",
            DATA,
            "their length",
        ),
    ] = None,
    model: Annotated[CellName | None, option("The recurrent cell.", MODEL, _MODEL.cell)] = None,
    hidden_size: Annotated[int | None, option("Units per layer.", MODEL, _CHOSEN)] = None,
    layers: Layers = None,
    dropout: Annotated[
        float | None,
        option("Probability that an output of a layer is dropped.", MODEL, _CHOSEN),
    ] = None,
    weight_drop: Annotated[
        float | None,
        option("Probability that a recurrent weight is dropped for a step.", MODEL, _CHOSEN),
    ] = None,
    nonlinearity: Annotated[
        Nonlinearity | None,
        option("Activation, of --model rnn only.", MODEL, _MODEL.nonlinearity),
    ] = None,
    from_: Annotated[
        Path | None,
        option(
            "Start from the weights of this checkpoint; unknown characters are added.",
            MODEL,
            None,
            "--from",
        ),
    ] = None,
    time: Time = None,
    epochs: Epochs = None,
    steps: Steps = None,
    optimizer: OptimizerRule = None,
    learning_rate: Annotated[
        float | None,
        option("Peak learning rate.", OPTIMIZATION, f"adam by model and size, {_RATES}"),
    ] = None,
    schedule: Annotated[
        ScheduleName | None,
        option(
            "Course of the rate from its peak to the end of the run.",
            OPTIMIZATION,
            _OPTIMIZER.schedule,
        ),
    ] = None,
    warmup: Annotated[
        int | None,
        option(
            "Steps until the rate is at its peak, at most a tenth of the run.",
            OPTIMIZATION,
            _OPTIMIZER.warmup,
        ),
    ] = None,
    clip_norm: Annotated[
        float | None,
        option(
            "Largest norm of the gradient; 0 for no limit.",
            OPTIMIZATION,
            f"{_OPTIMIZER.clip_norm:g}, or 0 with a clip value",
        ),
    ] = None,
    clip_value: Annotated[
        float | None, option("Largest absolute value in the gradient.", OPTIMIZATION, "no limit")
    ] = None,
    weight_decay: Annotated[
        float | None,
        option(
            "Decoupled weight decay, of adam only.", OPTIMIZATION, f"{_OPTIMIZER.weight_decay:g}"
        ),
    ] = None,
    patience: Patience = None,
    random_seed: RandomSeed = None,
    workers: Workers = None,
    output: Output = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    sample_every: Annotated[
        int | None, option("Show a sample every N steps, on stderr.", OUTPUT, min=1)
    ] = None,
    log: Log = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Learn to write like a text, and save the trained model as a checkpoint.

    charrnn train corpus.txt --time 60s

    Trains for 5 minutes unless --time, --epochs or --steps is given.
    """
    require_one_of(resume=resume, overwrite=overwrite)
    require_one_of(resume=resume, **{"from": from_ is not None})
    require_one_of(quiet=quiet, verbose=verbose)
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
