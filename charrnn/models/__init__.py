"""Trained models as their users see them: load, sample, score, classify, train further."""

import os

from charrnn.checkpoint.bases import located
from charrnn.checkpoint.format import KIND_NAMES, read, read_errors, require
from charrnn.models.classifier import Classifier
from charrnn.models.model import Model

__all__ = ["Classifier", "Model", "load"]

KINDS: dict[str, type[Model] | type[Classifier]] = {cls.kind: cls for cls in (Model, Classifier)}


def load(path: str | os.PathLike[str]) -> Model | Classifier:
    """Read a checkpoint: a Model that writes text, or a Classifier of texts.

        model = charrnn.load("m.npz")       # or the name of a base model: "english"
        print(model.sample("Ty", 30))

    Raises CheckpointError for a file that cannot be read, is no checkpoint, or is damaged; no other
    exception, whatever the bytes. ``Model.load`` and ``Classifier.load`` read one kind only.
    """
    path = located(path)
    with read_errors(path):
        header, arrays = read(path)
        kind = header.pop("kind", "generator")
        require(kind in KIND_NAMES, "it is of a kind that this charrnn does not know")
        return KINDS[kind].interpret(header, arrays)
