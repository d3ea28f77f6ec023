"""One computation with recurrent layers, done by torch.nn and by charrnn: all numbers by name."""

import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from charrnn import GRU, LSTM, RNN

Results = dict[str, NDArray[Any]]
I, H = 3, 4


class Case(NamedTuple):
    """Options of a layer, and the size of its inputs."""

    kind: str
    layers: int
    bias: bool
    bidirectional: bool
    steps: int
    samples: int

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that torch.nn and charrnn have in common."""
        options: dict[str, Any] = {"bias": self.bias, "bidirectional": self.bidirectional}
        if self.kind.startswith("rnn"):
            options["nonlinearity"] = self.kind.removeprefix("rnn-")
        return options

    def numbers(self, name: str, *shape: int) -> NDArray[Any]:
        """Return numbers between -1 and 1 that depend on the name alone."""
        start = zlib.crc32(name.encode()) % 1000
        numbers: NDArray[Any] = np.sin(1.7 * np.arange(np.prod(shape)) + start)
        return numbers.reshape(shape)

    def steps_of(self, name: str, features: int) -> NDArray[Any]:
        """Return numbers in the shape of inputs or output."""
        return self.numbers(name, self.steps, self.samples, features)

    @property
    def directions(self) -> int:
        """One or two."""
        return 2 if self.bidirectional else 1

    def states(self, name: str) -> list[NDArray[Any]]:
        """Return h, or h and c."""
        shape = (self.layers * self.directions, self.samples, H)
        return [self.numbers(name + part, *shape) for part in self.state_names]

    @property
    def state_names(self) -> str:
        """One letter for each array of the state."""
        return "hc" if self.kind == "lstm" else "h"


KINDS = ["rnn-tanh", "rnn-relu", "lstm", "gru"]
RECORDED = [
    Case(kind, layers, bias, bidirectional, steps, samples)
    for kind in KINDS
    for layers in (1, 2, 3)
    for bias in (False, True)
    for bidirectional in (False, True)
    for steps, samples in ((4, 3), (1, 1))
]


def by_charrnn(case: Case) -> Results:
    """Return outputs, final state and all gradients as charrnn computes them."""
    kinds: dict[str, Any] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
    layer = kinds[case.kind[:4].rstrip("-")](I, H, case.layers, dtype="float64", **case.options)
    for name, param in layer.params.items():
        param[...] = case.numbers(name, *param.shape)
    paired = case.kind == "lstm"
    state, d_state = tuple(case.states("state")), tuple(case.states("d_state"))
    output, final, cache = layer.forward(case.steps_of("inputs", I), state if paired else state[0])
    grads, d_inputs, d_initial = layer.backward(
        cache, case.steps_of("d_output", case.directions * H), d_state if paired else d_state[0]
    )
    results = {"output": output, "d_inputs": d_inputs}
    results |= {f"d_{name}": grad for name, grad in grads.items()}
    for what, arrays in (("final", final), ("d_initial", d_initial)):
        pair = arrays if paired else (arrays,)
        results |= {f"{what}_{part}": a for part, a in zip(case.state_names, pair, strict=True)}
    return results


def by_torch(case: Case) -> Results:
    """Return the same as PyTorch computes it."""
    import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415  # an extra

    kinds = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
    net = kinds[case.kind[:4].rstrip("-")](I, H, case.layers, **case.options)
    net = net.to(torch.float64)
    with torch.no_grad():
        for name, param in net.named_parameters():
            param.copy_(torch.from_numpy(case.numbers(name, *param.shape)))
    inputs = torch.from_numpy(case.steps_of("inputs", I)).requires_grad_()
    state = [torch.from_numpy(part).requires_grad_() for part in case.states("state")]
    paired = case.kind == "lstm"
    output, final = net(inputs, tuple(state) if paired else state[0])
    finals = final if paired else (final,)
    tensors = [output, *finals]
    upstream = [case.steps_of("d_output", case.directions * H), *case.states("d_state")]
    torch.autograd.backward(tensors, [torch.from_numpy(d) for d in upstream])
    results = {"output": output, "d_inputs": inputs.grad}
    results |= {f"d_{name}": param.grad for name, param in net.named_parameters()}
    results |= {f"final_{p}": t for p, t in zip(case.state_names, finals, strict=True)}
    results |= {f"d_initial_{p}": t.grad for p, t in zip(case.state_names, state, strict=True)}
    return {name: tensor.detach().numpy() for name, tensor in results.items()}
