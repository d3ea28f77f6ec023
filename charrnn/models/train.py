"""Training in one call, and the run behind it, which the command line prepares here too."""

from collections.abc import Callable, Sequence
from os import PathLike, fspath

from charrnn.config import require
from charrnn.models.model import Model
from charrnn.models.run import Run
from charrnn.models.start import choose_start
from charrnn.settings import (
    SETTINGS,
    Given,
    new_config,
    require_known,
    resumed_config,
    sort_settings,
)
from charrnn.text.corpus import corpus_of, read_corpus
from charrnn.training.loop import Event


def train(
    corpus: PathLike[str] | str | Sequence[PathLike[str] | str] = (),
    *,
    text: str | None = None,
    time: str | float | None = None,
    base: str | None = None,
    encoding: str = "utf-8",
    on_event: Callable[[Event], object] | None = None,
    **settings: object,
) -> Model:
    """Learn to write like a text, and return the trained model.

        model = charrnn.train("corpus.txt", time="60s")

    corpus     path of a text file or of a folder of texts, or several; "-" is standard input
    text       a text, instead of the path of one
    time       when to stop: "90s", "10m", "1h30m", or seconds; 5 minutes if neither this nor
               ``steps`` or ``epochs`` is given
    base       where to start: the path of a checkpoint, the name of a base model, or "none". None:
               the base model that predicts the text, if one does and neither a size nor ``steps``
               or ``epochs`` is given
    encoding   of the files
    on_event   called after every training step; what it raises ends the training
    settings   any setting of ModelConfig, DataConfig, OptimizerConfig and RunConfig by name:
               ``cell="gru"``, ``hidden_size=128``, ``steps=1000``, ``random_seed=1``, ``workers=2``
               ...; an option of the command line goes by its name too: ``optimizer="sgd"``,
               ``lines=True``

    Size, dropout, weight drop and learning rate are chosen from the text and the time unless given.
    It trains in one process unless ``workers`` is given. Raises CorpusError for a text that cannot
    be read or learned, ConfigError for a setting that is unknown or out of range, TrainingError if
    training cannot go on.
    """
    given, unknown = sort_settings({"time": time, **settings})
    require_known(unknown, SETTINGS)
    given.setdefault("workers", 1)
    paths = [corpus] if isinstance(corpus, str | PathLike) else corpus
    sources = [fspath(path) for path in paths]
    require(bool(sources) != (text is not None), "one of corpus and text must be given")
    require(isinstance(text, str | None), f"text must be one text, not {text!r}")
    run = prepare_run(sources, given, text=text, start=base, encoding=encoding)
    for event in run.events():
        if on_event is not None:
            on_event(event)
    run.finish()
    return run.model()


def prepare_run(
    sources: Sequence[str],
    given: Given,
    *,
    text: str | None = None,
    start: str | None = None,
    resumed: PathLike[str] | None = None,
    encoding: str = "utf-8",
) -> Run:
    """Read a text and return a run that is ready to go, a new one or that of a checkpoint.

    sources    paths of the text; see ``read_corpus``
    given      settings by name; the others are chosen
    text       the text itself, instead of sources
    start      where a new run starts; see ``choose_start``
    resumed    the checkpoint whose run goes on
    encoding   of the files
    """
    model = None if resumed is None else Model.load(resumed)
    config = new_config(given) if model is None else resumed_config(given, model.config)
    if text is None:
        corpus = read_corpus(sources, config.data, encoding=encoding)
    else:
        corpus = corpus_of(text, config.data)
    if model is not None:
        return Run.resume(model, config, corpus)
    return Run.new(choose_start(start, config, set(given), corpus), corpus, set(given))
