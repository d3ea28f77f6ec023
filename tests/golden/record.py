"""Record what PyTorch computes, as golden values: ``python -m tests.golden.record``.

Needs PyTorch (the files at hand come from 2.13.0). Everything is float64 and drawn from fixed
seeds. It writes beside it:

    layers.npz   for each case of torch_layers.RECORDED, by its number, all results one behind the
                 other in the order of their names
    torch.json   for each optimizer its parameters step by step, from the same start and gradients;
                 "cross_entropy": the loss and its gradient, logits (T, B, V)
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]  # needed by this script alone

from tests.torch_layers import RECORDED, by_torch

FOLDER = Path(__file__).parent
RATES = [0.1, 0.05, 0.2, 0.01, 0.03]
# Gradient elements from huge to so small that the epsilon of the optimizer matters, and none.
GRADIENT_SCALES = [1e3, 1.0, 1.0, 1.0, 1e-4, 1e-8, 0.0]
OPTIMIZERS = {
    # Each step sets a learning rate of its own.
    "sgd": lambda params: torch.optim.SGD(params, lr=1.0),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": lambda params: torch.optim.AdamW(params, weight_decay=0.1),
}


def draw(*shape: int) -> torch.Tensor:
    """Return normal random numbers, rounded to keep the files short."""
    return torch.randn(shape).mul(500).round().div(1000)


def record_optimizer(make: Any, start: torch.Tensor, gradients: torch.Tensor) -> dict[str, Any]:
    params = torch.nn.Parameter(start.clone())
    optimizer = make([params])
    course = []
    for gradient, rate in zip(gradients, RATES, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        params.grad = gradient.clone()
        optimizer.step()
        course.append(params.tolist())
    return {
        "start": start.tolist(),
        "gradients": gradients.tolist(),
        "learning_rates": RATES,
        "params_after_step": course,
    }


def record_optimizers() -> dict[str, Any]:
    torch.manual_seed(1)
    scales = torch.tensor(GRADIENT_SCALES)
    start, gradients = draw(len(scales)), draw(len(RATES), len(scales)) * scales
    return {name: record_optimizer(make, start, gradients) for name, make in OPTIMIZERS.items()}


def record_cross_entropy() -> dict[str, Any]:
    torch.manual_seed(3)
    T, V, B = 5, 6, 2
    logits, targets = draw(T, V, B), torch.randint(V, (T, B))
    # One huge logit, beside the target: the target's own probability underflows.
    logits[2, (targets[2, 1] + 1) % V, 1] = 1000
    logits.requires_grad_()
    loss = torch.nn.functional.cross_entropy(logits, targets)
    loss.backward()
    return {
        "logits": logits.transpose(1, 2).tolist(),
        "targets": targets.tolist(),
        "loss": loss.item(),
        "d_logits": logits.grad.transpose(1, 2).tolist(),
    }


def record_layers() -> dict[str, Any]:
    cases = [by_torch(case) for case in RECORDED]
    return {
        str(number): np.concatenate([results[name].ravel() for name in sorted(results)])
        for number, results in enumerate(cases)
    }


if __name__ == "__main__":
    np.savez_compressed(FOLDER / "layers.npz", allow_pickle=False, **record_layers())
    torch.set_default_dtype(torch.float64)
    values = record_optimizers() | {"cross_entropy": record_cross_entropy()}
    text = json.dumps(values, separators=(",", ":"))
    (FOLDER / "torch.json").write_text(text + "\n", encoding="utf-8")
