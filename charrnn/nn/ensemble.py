"""An ensemble: language models that were trained apart and predict together.

The logits of an ensemble are the mean of its networks' logits (Hansen & Salamon 1990; on logits a
product of experts with equal weights, Hinton 2002):

    z = (1/M) sum_m (W_m h_m + b_m)

On small texts, which one network soon memorizes, several that err differently predict new text
better than one of any size; and on many cores, each is trained by processes of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.nn.cell import Array
from charrnn.nn.network import LanguageModel, LayerStates, NetworkCache
from charrnn.nn.recurrent import Workspace


class Ensemble:
    """Language models of one shape and vocabulary whose logits are averaged; one is enough.

    networks   the language models, M of them
    """

    def __init__(self, networks: Sequence[LanguageModel]) -> None:
        self.networks = list(networks)
        self.config, self.cell = networks[0].config, networks[0].cell
        self.vocab_size, self.dtype = networks[0].vocab_size, networks[0].flat.dtype

    def zero_state(self, batch_size: int) -> LayerStates:
        """Return a zero state, (B, H) arrays: the layers of the first network, of the next ..."""
        return [layer for network in self.networks for layer in network.zero_state(batch_size)]

    def forward(
        self,
        ids: NDArray[np.integer[Any]],
        state: LayerStates,
        *,
        workspace: Workspace | None = None,
    ) -> tuple[Array, LayerStates, list[NetworkCache]]:
        """Return the mean logits (T, B, V) for ids (T, B), the final state, and what each saved.

        state       as from ``zero_state`` or an earlier call
        workspace   where the logits live; None: a new one
        """
        workspace, L = workspace or Workspace(), self.config.layers
        passes = [
            network.forward(ids, state[at * L : at * L + L], workspace=workspace.part(at))
            for at, network in enumerate(self.networks)
        ]
        mean = passes[0][0]
        for logits, _, _ in passes[1:]:
            mean += logits
        if len(passes) > 1:
            mean /= len(passes)
        final = [layer for _, after, _ in passes for layer in after]
        return mean, final, [cache for _, _, cache in passes]

    def log_probabilities(
        self,
        inputs: NDArray[np.integer[Any]],
        targets: NDArray[np.integer[Any]],
        state: LayerStates | None = None,
        workspace: Workspace | None = None,
    ) -> tuple[Array, LayerStates]:
        """Return log p of each target (T, B) in nats, and the final state.

        inputs, targets   ids (T, B); targets[t] is the character that follows inputs[t]
        state             initial state; None: zeros
        """
        state = state or self.zero_state(inputs.shape[1])
        logits, final_state, _ = self.forward(inputs, state, workspace=workspace)
        logits -= logits.max(axis=-1, keepdims=True)  # so that exp cannot overflow
        rows = targets[..., None].astype(np.intp)
        log_p: Array = np.take_along_axis(logits, rows, axis=-1)[..., 0]
        log_p -= np.log(np.exp(logits, out=logits).sum(axis=-1))
        return log_p, final_state

    def merge(self) -> LanguageModel:
        """Return one network of M*H units with the same predictions.

        Weights between units are block-diagonal; output weights are divided by M.
        """
        if len(self.networks) == 1:
            return self.networks[0]
        M, H, G = len(self.networks), self.config.hidden_size, self.cell.gates
        merged = LanguageModel(replace(self.config, hidden_size=M * H), self.vocab_size)
        for number, network in enumerate(self.networks):
            units = slice(number * H, (number + 1) * H)
            merged.params["output.bias"][...] += network.params["output.bias"] / M
            merged.params["output.weight"][:, units] = network.params["output.weight"] / M
            for layer, (own, target) in enumerate(zip(network.layers, merged.layers, strict=True)):
                for name, values in own.items():
                    block = target[name].reshape(G, M * H, -1)[:, units]
                    if name == "weight_hh" or (name == "weight_ih" and layer):
                        block = block[:, :, units]
                    block[...] = values.reshape(block.shape)
        return merged


AnyLanguageModel = LanguageModel | Ensemble


def as_ensemble(model: AnyLanguageModel) -> Ensemble:
    """Return a network as an ensemble of one; an ensemble is returned as it is."""
    return model if isinstance(model, Ensemble) else Ensemble([model])
