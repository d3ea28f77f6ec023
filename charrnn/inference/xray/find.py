"""Which units keep track of what: all units ranked by what they say about features of a text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.errors import ConfigError
from charrnn.inference.xray.features import FEATURES
from charrnn.inference.xray.information import information
from charrnn.inference.xray.parts import Place
from charrnn.nn.cells import Array
from charrnn.randomness import Purpose, generator


@dataclass(frozen=True)
class Found:
    """A unit, and what it says about a feature.

    feature   name of the feature
    layer     its layer, from 0
    part      the part of the cell that was looked at
    unit      its number, from 0
    share     the share of what there is to know about the feature that the unit alone tells: its
              mutual information, chance taken off, by the entropy; see ``information``
    entropy   of the feature in this text, in nats
    chance    the share that the best unit reaches by chance
    """

    feature: str
    layer: int
    part: str
    unit: int
    share: float
    entropy: float
    chance: float

    @property
    def nats(self) -> float:
        """The information in nats."""
        return self.share * self.entropy


def find_units(
    text: str,
    activations: Mapping[Place, Array],
    features: Iterable[str] | None = None,
    top: int = 3,
) -> list[Found]:
    """Return the units that say most about each feature, the feature that is known best first.

    text          N characters
    activations   after each character, (N, H) of each place
    features      names from ``FEATURES``; None: all. Those that never vary in the text are left out
    top           units of each

    The same call gives the same result. Raises ConfigError for an unknown feature.
    """
    names = _known(FEATURES if features is None else features)
    labels = {name: np.frombuffer(FEATURES[name].labels(text), np.uint8) for name in names}
    labels = {name: values for name, values in labels.items() if len(set(values.tolist())) > 1}
    if not labels or not activations:
        return []
    places, values = list(activations), list(activations.values())
    whole = np.concatenate(values, axis=1) if values[1:] else values[0]
    H = values[0].shape[1]
    results = information(whole, list(labels.values()), generator(0, Purpose.CHANCE))
    found = []
    for name, result in zip(labels, results, strict=True):
        best = np.argsort(-result.shares, kind="stable")[:top]
        units = []
        for at in best.tolist():
            place, share = places[at // H], float(result.shares[at])
            units.append(
                Found(name, place.layer, place.part, at % H, share, result.entropy, result.chance)
            )
        found.append(units)
    found.sort(key=lambda units: -units[0].share if units else 0)
    return [unit for units in found for unit in units]


def _known(names: Iterable[str]) -> Sequence[str]:
    names = list(names)
    for name in names:
        if name not in FEATURES:
            raise ConfigError(f"unknown feature {name!r}", hint=f"known: {', '.join(FEATURES)}")
    return names
