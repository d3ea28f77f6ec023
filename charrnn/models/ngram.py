"""The n-grams of the text that a model was trained on, as they stand in its checkpoint.

ngram.characters   (E,), ngram.children (E + 1,), ngram.alphas (E,): see ``ngrams.tree``
ngram.weights      of the network in the mixture, (GROUPS,): see ``inference.mixture``
ngram.loss         of the mixture on the held-out text in nats per character, (1,); left out if
nothing is held out
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.inference.mixture import DEFAULT_WEIGHT, Mixture, Weights, fit_weights
from charrnn.ngrams.table import GROUPS, NGramTable
from charrnn.ngrams.tree import Tree
from charrnn.nn.language_model import LanguageModel
from charrnn.text.vocabulary import Ids

PREFIX = "ngram."
UNSIGNED = ("uint8", "uint16", "uint32")

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class NGrams:
    """The n-grams of a text, and how they are mixed with a network.

    tree       the n-grams
    weights    of the network, for each group of contexts, (GROUPS,)
    val_loss   of the mixture on the held-out text in nats per character; None: nothing is held out

    Attributes: ``order``, the largest n; ``entries``, their number; ``weight``, the mean weight.
    """

    tree: Tree
    weights: Weights = field(default_factory=lambda: np.full(GROUPS, DEFAULT_WEIGHT))
    val_loss: float | None = None

    @property
    def order(self) -> int:
        """The largest n."""
        return self.tree.order

    @property
    def entries(self) -> int:
        """The number of n-grams."""
        return self.tree.entries

    @property
    def weight(self) -> float:
        """The mean weight of the network."""
        return float(self.weights.mean())

    @cached_property
    def table(self) -> NGramTable:
        """The n-grams, ready to be looked up."""
        return NGramTable(self.tree)

    def fitted(self, network: LanguageModel, val_ids: Ids, line_break: int | None) -> "NGrams":
        """Return the same n-grams with the weights that suit a network; see ``fit_weights``."""
        weights, loss = fit_weights(network, self.table, val_ids, line_break)
        return NGrams(self.tree, weights, loss)

    def mixed_with(self, network: LanguageModel) -> Mixture:
        """Return the mixture of a network and these n-grams."""
        return Mixture(network, self.table, self.weights)

    def arrays(self) -> Arrays:
        """Return the arrays of the checkpoint."""
        small = np.min_scalar_type(self.tree.vocab_size)
        arrays: Arrays = {
            "characters": self.tree.characters.astype(small),
            "children": self.tree.children.astype(small),
            "alphas": self.tree.alphas,
            "weights": self.weights,
        }
        if self.val_loss is not None:
            arrays["loss"] = np.array([self.val_loss])
        return {f"{PREFIX}{name}": array for name, array in arrays.items()}

    @classmethod
    def taken_from(cls, arrays: Arrays, vocab_size: int) -> "NGrams | None":
        """Take the n-grams, if there are any, out of the arrays of a checkpoint.

        Raises ValueError for arrays that are no n-grams of so many characters.
        """
        own = {name: arrays.pop(name) for name in [*arrays] if name.startswith(PREFIX)}
        if not own:
            return None
        loss = own.pop(f"{PREFIX}loss", None)
        names = ("characters", "children", "alphas", "weights")
        if [*own] != [f"{PREFIX}{name}" for name in names]:
            raise ValueError("arrays of the n-grams are missing or unexpected")
        characters, children, alphas, weights = own.values()
        kinds = (UNSIGNED, UNSIGNED, ("float16",), ("float64",))
        for array, kind in zip(own.values(), kinds, strict=True):
            if array.ndim != 1 or array.dtype.name not in kind:
                raise ValueError("the n-grams are of the wrong type")
        if weights.shape != (GROUPS,) or not ((weights >= 0) & (weights <= 1)).all():
            raise ValueError("the weights of the n-grams are no shares")
        if loss is not None and (loss.shape != (1,) or loss.dtype != np.float64):
            raise ValueError("the loss with n-grams is not a number")
        tree = Tree(characters.astype(np.int64), children.astype(np.int64), alphas, vocab_size)
        tree.check()
        return cls(tree, weights, None if loss is None else float(loss[0]))
