# a script, in no package
"""Record what PyTorch computes, as golden values for test_torch_golden.py.

Run with PyTorch installed (the files at hand come from 2.13.0):

    python tests/golden/make_torch_golden.py

It writes the JSON files beside it. Everything is float64 and drawn from fixed seeds. Arrays have
PyTorch's axis order: sequences (T, B, features), states (layers, B, H).

    optimizers.json   a course of params for each optimizer, all from the same start and gradients
    cells.json        "cells": nn.RNN, nn.LSTM and nn.GRU with 1 and 2 layers, forward and backward
                      "cross_entropy": the loss and its gradient, logits (T, B, V)
"""

import json
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]  # needed by this script alone
from torch import nn  # type: ignore[import-not-found, unused-ignore]  # (as above)

INPUT_SIZE, HIDDEN_SIZE, T, B = 3, 4, 5, 2
RATES = [0.1, 0.05, 0.2, 0.01, 0.03]
# Gradient elements from huge to so small that the epsilon of the optimizer matters, and none.
GRADIENT_SCALES = [1e3, 1.0, 1.0, 1.0, 1e-4, 1e-8, 0.0]


def draw(*shape: int) -> torch.Tensor:
    """Return normal random numbers, rounded to keep the files short."""
    return torch.randn(shape).mul(500).round().div(1000)


def record_optimizer(make: Any, start: torch.Tensor, gradients: torch.Tensor) -> dict[str, Any]:
    params = nn.Parameter(start.clone())
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
    makers = {
        # Each step sets a learning rate of its own.
        "sgd": lambda params: torch.optim.SGD(params, lr=1.0),
        "adagrad": torch.optim.Adagrad,
        "rmsprop": torch.optim.RMSprop,
        "adam": torch.optim.Adam,
        "adamw": lambda params: torch.optim.AdamW(params, weight_decay=0.1),
    }
    return {name: record_optimizer(make, start, gradients) for name, make in makers.items()}


def record_cell(module: Any) -> dict[str, Any]:
    weights = dict(module.named_parameters())
    for weight in weights.values():
        weight.data = draw(*weight.shape)
    has_cell_state = isinstance(module, nn.LSTM)
    inputs = draw(T, B, INPUT_SIZE).requires_grad_()
    # One array of states for h, and for the LSTM a second one for c.
    states = draw(1 + has_cell_state, module.num_layers, B, HIDDEN_SIZE).requires_grad_()
    outputs, final = module(inputs, tuple(states) if has_cell_state else states[0])
    final_states = torch.stack(final if has_cell_state else [final])
    d_outputs, d_final_states = draw(*outputs.shape), draw(*final_states.shape)
    torch.autograd.backward([outputs, final_states], [d_outputs, d_final_states])
    return {
        "weights": {name: weight.tolist() for name, weight in weights.items()},
        "inputs": inputs.tolist(),
        "initial_states": states.tolist(),
        "outputs": outputs.tolist(),
        "final_states": final_states.tolist(),
        "d_outputs": d_outputs.tolist(),
        "d_final_states": d_final_states.tolist(),
        "d_weights": {name: weight.grad.tolist() for name, weight in weights.items()},
        "d_inputs": inputs.grad.tolist(),
        "d_initial_states": states.grad.tolist(),
    }


def record_cells() -> dict[str, Any]:
    torch.manual_seed(2)
    cases = {}
    for layers in (1, 2):
        sizes = (INPUT_SIZE, HIDDEN_SIZE, layers)
        cases[f"rnn-tanh-{layers}"] = record_cell(nn.RNN(*sizes, nonlinearity="tanh"))
        cases[f"rnn-relu-{layers}"] = record_cell(nn.RNN(*sizes, nonlinearity="relu"))
        cases[f"lstm-{layers}"] = record_cell(nn.LSTM(*sizes))
        cases[f"gru-{layers}"] = record_cell(nn.GRU(*sizes))
    return cases


def record_cross_entropy() -> dict[str, Any]:
    torch.manual_seed(3)
    vocab_size = 6
    logits, targets = draw(T, vocab_size, B), torch.randint(vocab_size, (T, B))
    # One huge logit, beside the target: the target's own probability underflows.
    logits[2, (targets[2, 1] + 1) % vocab_size, 1] = 1000
    logits.requires_grad_()
    loss = nn.functional.cross_entropy(logits, targets)
    loss.backward()
    return {
        "logits": logits.transpose(1, 2).tolist(),
        "targets": targets.tolist(),
        "loss": loss.item(),
        "d_logits": logits.grad.transpose(1, 2).tolist(),
    }


def write(name: str, values: dict[str, Any]) -> None:
    text = json.dumps(values, separators=(",", ":"))
    Path(__file__).with_name(name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    write("optimizers.json", record_optimizers())
    write("cells.json", {"cells": record_cells(), "cross_entropy": record_cross_entropy()})
