"""``charrnn train-classifier``, once its options are read: a run on labeled texts."""

import shlex
from dataclasses import dataclass
from typing import Any, ClassVar

from charrnn.checkpoint.format import Kind
from charrnn.cli.class_report import lines_of, record_of
from charrnn.cli.program import program
from charrnn.cli.run import TrainingCommand
from charrnn.config import ClassifierConfig
from charrnn.inference.metrics import Evaluation, confusion_matrix
from charrnn.inference.prediction import log_probabilities
from charrnn.models.classifier import Classifier, LabelRun
from charrnn.models.runs import Run
from charrnn.settings import new_config, resumed_config
from charrnn.text.labelled import Columns, Labelled, read_labelled


@dataclass(kw_only=True)
class LabelTraining(TrainingCommand[ClassifierConfig]):
    """One call of ``charrnn train-classifier``.

    columns   where labels and texts are
    """

    kind: ClassVar[Kind] = "classifier"
    command: ClassVar[str] = "train-classifier"
    defaults: ClassVar[ClassifierConfig] = ClassifierConfig()

    columns: Columns

    def new(self) -> LabelRun:
        """See ``TrainingCommand.new``."""
        config = new_config(self.given, self.defaults)
        return LabelRun.new(config, self._read(config))

    def resumed(self) -> LabelRun:
        """See ``TrainingCommand.resumed``."""
        loaded = Classifier.load(self.output)
        config = resumed_config(self.given, loaded.config)
        return LabelRun.resumed(loaded, config, self._read(config))

    def _read(self, config: ClassifierConfig) -> Labelled:
        labelled = read_labelled(
            self.corpus,
            encoding=self.encoding,
            normalize=config.data.normalize,
            columns=self.columns,
        )
        longest = config.data.max_length
        if cut := sum(len(text) > longest for text in labelled.texts):
            self.note(f"{cut} text(s) are read up to character {longest} only: --max-length")
        return labelled

    def introduction(self, run: Run[ClassifierConfig]) -> list[str]:
        """See ``TrainingCommand.introduction``."""
        assert isinstance(run, LabelRun)  # noqa: S101  # made above
        model, settings = run.config.model, run.config.run
        held_out = f"{len(run.held_out):,} held out" if len(run.held_out) else "none held out"
        both = ", both directions" if model.bidirectional else ""
        counts = (
            f"texts: {len(run.train) + len(run.held_out):,} of {len(run.labels)} classes, "
            f"{len(run.vocabulary)} distinct characters, {held_out}"
        )
        shape = (
            f"model: {model.shape}{both}, "
            f"{run.state.network.flat.size:,} parameters, random seed {settings.random_seed}, "
            f"{settings.workers} worker(s)"
        )
        return [counts, shape]

    def summary(self, run: Run[ClassifierConfig]) -> dict[str, Any]:
        """See ``TrainingCommand.summary``."""
        assert isinstance(run, LabelRun)  # noqa: S101  # made above
        evaluation, judged_on = _judge(run)
        return {"judged_on": judged_on, **record_of(run.labels, evaluation)}

    def report(self, run: Run[ClassifierConfig]) -> list[str]:
        """See ``TrainingCommand.report``."""
        assert isinstance(run, LabelRun)  # noqa: S101  # made above
        return [] if self.display.quiet else lines_of(run.labels, *_judge(run))

    def reached(self, run: Run[ClassifierConfig]) -> str:
        """See ``TrainingCommand.reached``."""
        if run.state.best_weights is None:
            return "no validation"
        return f"validation loss {run.state.progress.best_val_loss:.3f} nats per text"

    def next_step(self) -> str:
        """See ``TrainingCommand.next_step``."""
        return f"use:    {program()} classify {shlex.quote(str(self.output))} < lines.txt"

    def resume_options(self) -> list[str]:
        """See ``TrainingCommand.resume_options``."""
        columns = zip(("--label-column", "--text-column"), self.columns, strict=True)
        return [part for name, column in columns if column for part in (name, column)]


def _judge(run: LabelRun) -> tuple[Evaluation, str]:
    """Return how well the classifier does, and on which texts."""
    judged, name = (run.held_out, "held out") if len(run.held_out) else (run.train, "trained on")
    network = run.state.network.on(run.state.weights)
    predicted = log_probabilities(network, judged).argmax(axis=-1)
    confusion = confusion_matrix(judged.labels, predicted, len(run.labels))
    return Evaluation.of(confusion), name
