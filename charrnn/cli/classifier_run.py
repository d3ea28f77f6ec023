"""The training of a classifier from the command line: prepare, iterate, save, report."""

import json
import shlex
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.classifier import (
    ClassifierCheckpoint,
    load_classifier,
    save_classifier,
)
from charrnn.checkpoint.format import Kind
from charrnn.cli import terminal
from charrnn.cli.report import program
from charrnn.cli.run import Run, check_workers
from charrnn.cli.run_config import new_config, resumed_config
from charrnn.config import ClassifierConfig
from charrnn.errors import CorpusError
from charrnn.parallel.group import default_workers
from charrnn.text.labelled import Columns, Labelled, read_labelled
from charrnn.text.sequences import Examples, split_numbers
from charrnn.text.vocabulary import Vocabulary, escape
from charrnn.training import memory
from charrnn.training.classification import (
    ClassifierState,
    class_reports,
    confusion_matrix,
    fit_classifier_config,
    log_probabilities,
    train_classifier,
)
from charrnn.training.loop import Event

Confusion = NDArray[np.int64]

MOST_CLASSES = 1000
# Classes of which the report shows the confusion with each other.
MOST_SHOWN = 20
# Characters of a label that fit into the report.
LABEL_WIDTH = 24


@dataclass(frozen=True)
class Job:
    """All that a run works on."""

    config: ClassifierConfig
    vocabulary: Vocabulary
    labels: list[str]
    sha256: str
    state: ClassifierState
    train: Examples
    held_out: Examples

    def checkpoint(self) -> ClassifierCheckpoint:
        """Return the run as it stands."""
        return ClassifierCheckpoint.of(
            self.config, self.vocabulary, self.labels, self.state, self.sha256
        )


@dataclass(kw_only=True)
class ClassifierRun(Run):
    """One call of ``charrnn train-classifier``.

    columns   where labels and texts are
    """

    kind: ClassVar[Kind] = "classifier"

    columns: Columns

    def start(self, *, overwrite: bool) -> int:
        """Train from the beginning. Returns the exit code."""
        config = new_config(self.given, ClassifierConfig())
        with self.writing(overwrite=overwrite):
            labelled = self._read(config)
            labels = sorted(set(labelled.labels))
            if len(labels) > MOST_CLASSES:
                raise CorpusError(
                    f"{', '.join(self.corpus)}: {len(labels):,} different labels, at most "
                    f"{MOST_CLASSES:,} can be told apart",
                    hint="is the text in the place of the label? --label-column",
                )
            if len(labels) == 1:
                raise CorpusError(
                    f"{', '.join(self.corpus)}: all texts have the label {labels[0]!r}",
                    hint="a classifier needs examples of two or more",
                )
            vocabulary, train, held_out = _split(config, labelled, labels)
            config = _fitted(config, train)
            _check_memory(config, vocabulary, labels, train)
            state = ClassifierState.start(config, len(vocabulary) + 1, len(labels))
            job = Job(config, vocabulary, labels, labelled.sha256, state, train, held_out)
            return self._train(job, labelled)

    def resume(self) -> int:
        """Go on with the run in the checkpoint. Returns the exit code."""
        with self.resuming():
            loaded = load_classifier(self.output)
            config = resumed_config(self.given, loaded.config)
            labelled = self._read(config)
            labels = list(loaded.labels)
            if unknown := sorted(set(labelled.labels) - set(labels)):
                raise CorpusError(
                    f"{', '.join(self.corpus)}: has labels that {self.output} was not trained on: "
                    f"{', '.join(map(escape, unknown))}",
                    hint="start a new run, with another -o",
                )
            state = loaded.training_state()
            if labelled.sha256 != loaded.sha256:
                self.note(
                    f"warning: the examples have changed since {self.output} was trained: what is "
                    "held out now may have been learnt from"
                )
                state.forget_best()
            vocabulary, train, held_out = _split(config, labelled, labels, loaded.vocabulary)
            config = _fitted(config, train)
            self.require_same_run(config, loaded.config)
            _check_memory(config, vocabulary, labels, train)
            job = Job(config, vocabulary, labels, labelled.sha256, state, train, held_out)
            return self._train(job, labelled)

    def _read(self, config: ClassifierConfig) -> Labelled:
        return read_labelled(
            self.corpus,
            encoding=self.encoding,
            normalize=config.data.normalize,
            columns=self.columns,
        )

    def _train(self, job: Job, labelled: Labelled) -> int:
        self._announce(job, labelled)
        events = train_classifier(job.state, job.config, job.train, job.held_out)
        event, signal = self.loop(
            job.state, events, lambda: save_classifier(self.output, job.checkpoint())
        )
        judged, name = (
            (job.held_out, "held out") if len(job.held_out) else (job.train, "trained on")
        )
        model = job.state.model.on(job.state.weights)
        predicted = log_probabilities(model, judged).argmax(axis=-1)
        confusion = confusion_matrix(judged.labels, predicted, len(job.labels))
        if self.display.as_json:
            summary = self._summary(job, confusion, interrupted=signal is not None)
            terminal.write(json.dumps(summary, ensure_ascii=False) + "\n")
        for line in [
            *_report(job.labels, confusion, name),
            *self._conclusion(job, event, signal),
        ]:
            self.note(line)
        return 0 if signal is None else 128 + signal

    def _announce(self, job: Job, labelled: Labelled) -> None:
        if job.config.run.patience is not None and not len(job.held_out):
            self.note("warning: --patience does nothing: no text is held out to validate on")
        longest = job.config.data.max_length
        if cut := sum(len(text) > longest for text in labelled.texts):
            self.note(f"{cut} text(s) are read up to character {longest} only: --max-length")
        held_out = f"{len(job.held_out):,} held out" if len(job.held_out) else "none held out"
        self.note(
            f"texts: {len(labelled.texts):,} of {len(job.labels)} classes, "
            f"{len(job.vocabulary)} distinct characters, {held_out}"
        )
        model, run = job.config.model, job.config.run
        both = ", both directions" if model.bidirectional else ""
        self.note(
            f"model: {model.cell} {model.layers} x {model.hidden_size}{both}, "
            f"{job.state.model.flat.size:,} parameters, random seed {run.random_seed}, "
            f"{run.workers} worker(s)"
        )
        if self.display.verbose:
            self.note(json.dumps(asdict(job.config)))

    def _conclusion(self, job: Job, event: Event | None, signal: int | None) -> list[str]:
        state, path = job.state, shlex.quote(str(self.output))
        reached = "no validation"
        if state.best_weights is not None:
            reached = f"validation loss {state.best_val_loss:.3f} nats per text"
        lines = self.conclusion(state, reached, event, signal)
        if event is None:
            return lines
        if signal is not None:
            columns = zip(("--label-column", "--text-column"), self.columns, strict=True)
            more = [part for name, column in columns if column for part in (name, column)]
            lines.append(self.go_on("train-classifier", *more))
        return [*lines, f"use:    {program()} classify {path} < lines.txt"]

    def _summary(self, job: Job, confusion: Confusion, *, interrupted: bool) -> dict[str, Any]:
        state, last = job.state, job.state.history[-1] if job.state.history else {}
        return {
            "checkpoint": str(self.output),
            "steps": state.step,
            "seconds": round(state.seconds, 3),
            "train_loss": last.get("train_loss"),
            "val_loss": None if state.best_weights is None else state.best_val_loss,
            "parameters": state.model.flat.size,
            "random_seed": job.config.run.random_seed,
            "judged_on": "held out" if len(job.held_out) else "trained on",
            "accuracy": _accuracy(confusion),
            "classes": {
                label: asdict(report)
                for label, report in zip(job.labels, class_reports(confusion), strict=True)
            },
            "confusion": confusion.tolist(),
            "interrupted": interrupted,
        }


def _split(
    config: ClassifierConfig,
    labelled: Labelled,
    labels: list[str],
    vocabulary: Vocabulary | None = None,
) -> tuple[Vocabulary, Examples, Examples]:
    """Return the vocabulary, that of what is trained on if none is given, and the two parts."""
    index = {label: number for number, label in enumerate(labels)}
    classes = [index[label] for label in labelled.labels]
    texts = [text[: config.data.max_length] for text in labelled.texts]
    if not any(texts):
        raise CorpusError("all texts are empty: there is nothing to learn from")
    # By all characters, so that a resumed run finds the same copies and splits in the same way.
    every = Vocabulary.from_text("".join(texts))
    whole = Examples.of_texts(texts, classes, every, config.data.max_length)
    parts = split_numbers(whole, config.data.val_fraction, config.run.random_seed)
    if vocabulary is None:
        # What occurs in held-out texts alone is as unknown as what occurs nowhere.
        seen = "".join(texts[number] for number in parts[0])
        vocabulary = Vocabulary.from_text(seen or "".join(texts))
    examples = Examples.of_texts(texts, classes, vocabulary, config.data.max_length)
    train, held_out = (examples.select(part) for part in parts)
    return vocabulary, train, held_out


def _fitted(config: ClassifierConfig, train: Examples) -> ClassifierConfig:
    """Return the config with a batch and a number of workers that suit examples and machine."""
    config = fit_classifier_config(config, len(train))
    run, data = config.run, config.data
    length = max(1, int(train.lengths.mean()))
    workers = run.workers or default_workers(config.model, length, data.batch_size)
    run = replace(run, workers=workers)
    check_workers(run, data.batch_size, "texts")
    return replace(config, run=run)


def _accuracy(confusion: Confusion) -> float:
    return float(np.trace(confusion) / max(confusion.sum(), 1))


def _report(labels: list[str], confusion: Confusion, judged: str) -> list[str]:
    """Return figures for each class, and which classes were taken for which."""
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
    if len(labels) <= MOST_SHOWN:
        cells = max(6, *(len(f"{n:,}") + 1 for n in confusion.ravel().tolist()))
        lines.append("taken for (columns) what they are (rows):")
        numbers = "".join(f"{number:>{cells}}" for number in range(1, len(labels) + 1))
        lines.append(f"{'':<{width}}     {numbers}")
        for number, (label, row) in enumerate(zip(shown, confusion.tolist(), strict=True), 1):
            counts = "".join(f"{count:>{cells},}" for count in row)
            lines.append(f"{label:<{width}} {number:>3} {counts}")
    return lines


def _check_memory(
    config: ClassifierConfig, vocabulary: Vocabulary, labels: list[str], train: Examples
) -> None:
    memory.require(
        memory.estimate_classifier(config, len(vocabulary) + 1, len(labels), train),
        "try a smaller --hidden-size, --batch-size, --max-length or --layers",
    )
