"""Trained models as their users see them: load, sample, score, train further."""

from charrnn.models.model import Model

__all__ = ["Model", "load"]

load = Model.load
