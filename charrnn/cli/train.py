"""``charrnn train``: learn to write like a text."""

from typing import Annotated

import typer

from charrnn.cli import completions
from charrnn.cli import options as shared
from charrnn.cli.options import DATA, MODEL, OPTIMIZATION, OUTPUT, option
from charrnn.config import (
    DEFAULT_LEARNING_RATES,
    CellName,
    DataConfig,
    ModelConfig,
    Nonlinearity,
    OptimizerConfig,
    ScheduleName,
)

_MODEL, _DATA, _OPTIMIZER = ModelConfig(), DataConfig(), OptimizerConfig()
_CHOSEN = "chosen from text and time"
_RATES = ", ".join(
    f"{name} {rate:g}" for name, rate in DEFAULT_LEARNING_RATES.items() if name != "adam"
)


def train(
    corpus: Annotated[
        list[str],
        typer.Argument(metavar="CORPUS", help="Text files, folders of them, or - for stdin."),
    ],
    *,
    time: Annotated[str | None, shared.time_limit("5m")] = None,
    epochs: shared.Epochs = None,
    steps: shared.Steps = None,
    patience: shared.Patience = None,
    lines: Annotated[
        bool | None,
        option(
            "Every line is an example of its own: for lists of names, titles, places.",
            DATA,
            None,
            "--lines",
        ),
    ] = None,
    encoding: shared.Encoding = "utf-8",
    normalize: shared.Normalize = None,
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
    ngram: Annotated[
        int | None,
        option(
            "The longest n-grams of the text that are counted, and mixed with what the network "
            "predicts; shorter for a large vocabulary.",
            MODEL,
            _DATA.ngram,
            min=0,
        ),
    ] = None,
    no_ngram: Annotated[
        bool | None, option("No n-grams: the network predicts alone.", MODEL, None, "--no-ngram")
    ] = None,
    model: Annotated[CellName | None, option("The recurrent cell.", MODEL, _MODEL.cell)] = None,
    hidden_size: Annotated[int | None, option("Units per layer.", MODEL, _CHOSEN)] = None,
    layers: shared.Layers = None,
    members: Annotated[
        int | None,
        option(
            "Divide the units among N networks whose mean predicts: 2, 4, 8 ...",
            MODEL,
            _CHOSEN,
        ),
    ] = None,
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
        str | None,
        option(
            "Start from the weights of this checkpoint or base model; unknown characters are "
            "added. none: from random weights.",
            MODEL,
            "a base model if it predicts the text, unless a size, --steps or --epochs is given",
            "--from",
            metavar="CHECKPOINT|NAME|none",
            autocompletion=completions.starts,
        ),
    ] = None,
    optimizer: shared.OptimizerRule = None,
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
    random_seed: shared.RandomSeed = None,
    workers: shared.Workers = None,
    output: shared.Output = None,
    resume: shared.Resume = False,
    overwrite: shared.Overwrite = False,
    sample_every: Annotated[
        int | None, option("Show a sample every N steps, on stderr.", OUTPUT, min=1)
    ] = None,
    log: shared.Log = None,
    plot: shared.Plot = False,
    quiet: shared.Quiet = False,
    verbose: shared.Verbose = False,
    as_json: shared.AsJson = False,
) -> None:
    """Learn to write like a text, and save the trained model as a checkpoint.

    charrnn train corpus.txt --time 60s
    charrnn train corpus.txt --time 5m --resume
    charrnn train names.txt --lines -o names.npz

    Settings that you do not give are chosen from the text and the time, and printed in one line.
    The first Ctrl-C saves and ends the run.
    """
    options = locals()
    shared.require_one_of(resume=resume, **{"from": from_ is not None})
    shared.require_one_of(ngram=ngram is not None, no_ngram=bool(no_ngram))
    if no_ngram:
        options["ngram"] = 0
    from charrnn.cli.run import Training

    if code := Training.run(corpus, options, source=from_):
        raise typer.Exit(code)
