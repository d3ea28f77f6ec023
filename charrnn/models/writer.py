"""A model, or several blended, as what writes: a predictor with its vocabulary."""

from collections.abc import Sequence
from dataclasses import dataclass

from charrnn.config import Normalization
from charrnn.errors import ConfigError
from charrnn.inference.blend import Blend
from charrnn.inference.predictor import Predictor, as_predictor
from charrnn.models.model import Model
from charrnn.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Writer:
    """What writes.

    models       the models, with their weights, that are blended if there are several
    predictor    predicts the next of V characters
    vocabulary   the characters
    normalize    Unicode normalization of the text that it was trained on
    """

    models: Sequence[tuple[Model, float]]
    predictor: Predictor
    vocabulary: Vocabulary
    normalize: Normalization

    @classmethod
    def of(cls, models: Sequence[tuple[Model, float]]) -> "Writer":
        """Return what writes with one model or with several, given with their weights.

        Models of weight 0 are left out. Raises ConfigError for weights of which none is above 0,
        and for models that normalize differently.
        """
        used = [(model, weight) for model, weight in models if weight != 0] or models
        (model, weight), *others = used
        normalize = model.config.data.normalize
        if not others and weight > 0:
            return cls(used, as_predictor(model.distribution()), model.vocabulary, normalize)
        if any(other.config.data.normalize != normalize for other, _ in others):
            raise ConfigError(
                "the models normalize text differently",
                hint="blend models that were trained with the same --normalize",
            )
        parts = [(as_predictor(model.distribution()), model.vocabulary) for model, _ in used]
        blend = Blend(parts, [weight for _, weight in used])
        return cls(used, blend, blend.vocabulary, normalize)

    @property
    def lines(self) -> bool:
        """True if it writes whole lines, each from a zero state: if all models learned lines."""
        return all(model.config.data.lines for model, _ in self.models)
