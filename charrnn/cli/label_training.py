"""``charrnn train-classifier``, once its options are read: a run on labelled texts."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.format import Kind
from charrnn.cli.run import TrainingCommand, program
from charrnn.config import ClassifierConfig
from charrnn.inference.metrics import class_reports, confusion_matrix
from charrnn.inference.prediction import log_probabilities
from charrnn.models.classifier import Classifier, LabelRun
from charrnn.models.runs import Run
from charrnn.settings import new_config, resumed_config
from charrnn.text.labelled import Columns, Labelled, read_labelled
from charrnn.text.vocabulary import escape

Confusion = NDArray[np.int64]

# Classes up to which the report shows the confusion matrix.
MAX_SHOWN = 20
# Characters of a label that fit into the report.
LABEL_WIDTH = 24


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
            f"model: {model.cell} {model.layers} x {model.hidden_size}{both}, "
            f"{run.state.network.flat.size:,} parameters, random seed {settings.random_seed}, "
            f"{settings.workers} worker(s)"
        )
        return [counts, shape]

    def summary(self, run: Run[ClassifierConfig]) -> dict[str, Any]:
        """See ``TrainingCommand.summary``."""
        assert isinstance(run, LabelRun)  # noqa: S101  # made above
        confusion, judged_on = _judge(run)
        reports = class_reports(confusion)
        return {
            "judged_on": judged_on,
            "accuracy": _accuracy(confusion),
            "classes": {
                label: asdict(report) for label, report in zip(run.labels, reports, strict=True)
            },
            "confusion": confusion.tolist(),
        }

    def report(self, run: Run[ClassifierConfig]) -> list[str]:
        """See ``TrainingCommand.report``."""
        assert isinstance(run, LabelRun)  # noqa: S101  # made above
        return [] if self.display.quiet else _report(run.labels, *_judge(run))

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


def _judge(run: LabelRun) -> tuple[Confusion, str]:
    """Return the confusion matrix (K, K), and on which texts it was measured."""
    judged, name = (run.held_out, "held out") if len(run.held_out) else (run.train, "trained on")
    network = run.state.network.on(run.state.weights)
    predicted = log_probabilities(network, judged).argmax(axis=-1)
    return confusion_matrix(judged.labels, predicted, len(run.labels)), name


def _accuracy(confusion: Confusion) -> float:
    return float(np.trace(confusion) / max(confusion.sum(), 1))


def _report(labels: Sequence[str], confusion: Confusion, judged: str) -> list[str]:
    """Return figures for each class, and the confusion matrix."""
    shown = [escape(label)[:LABEL_WIDTH] for label in labels]
    width = max(len("class"), *map(len, shown))
    lines = [
        f"accuracy {_accuracy(confusion):.1%} of {int(confusion.sum()):,} {judged}",
        f"{'class':<{width}}  precision  recall     f1   count",
    ]
    for label, row in zip(shown, class_reports(confusion), strict=True):
        # without examples there is nothing to be right or wrong about
        figures = [f"{f:.3f}" if row.count else "-" for f in (row.precision, row.recall, row.f1)]
        lines.append(
            f"{label:<{width}}  {figures[0]:>9}  {figures[1]:>6}  {figures[2]:>5}  {row.count:6,}"
        )
    if len(labels) <= MAX_SHOWN:
        cells = max(6, *(len(f"{n:,}") + 1 for n in confusion.ravel().tolist()))
        lines.append("confusion matrix: true classes in rows, predicted ones in columns")
        numbers = "".join(f"{number:>{cells}}" for number in range(1, len(labels) + 1))
        lines.append(f"{'':<{width}}     {numbers}")
        for number, (label, row) in enumerate(zip(shown, confusion.tolist(), strict=True), 1):
            counts = "".join(f"{count:>{cells},}" for count in row)
            lines.append(f"{label:<{width}} {number:>3} {counts}")
    return lines
