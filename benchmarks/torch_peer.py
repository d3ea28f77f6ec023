"""A baseline as users write it in PyTorch: one-hot input, nn.LSTM (GRU, RNN), linear head, Adam.

The other scripts run it in an environment with PyTorch. It prints characters per second.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
WARMUP = 3
VOCABULARY = 65


class Net(nn.Module):
    """Recurrent layers over one-hot characters, and logits for the next one."""

    def __init__(self, cell: str, vocab_size: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.recurrent = LAYERS[cell](vocab_size, hidden, layers)
        self.head = nn.Linear(hidden, vocab_size)

    def forward(self, ids, state=None):  # ids (T, B)
        """Return logits (T, B, V) and the final state."""
        one_hot = functional.one_hot(ids, self.vocab_size).float()
        outputs, state = self.recurrent(one_hot, state)
        return self.head(outputs), state


def train(args: argparse.Namespace) -> float:
    """Return training characters per second."""
    text = Path(args.corpus).read_text(encoding="utf-8")
    index = {char: i for i, char in enumerate(sorted(set(text)))}
    T, B = args.seq_length, args.batch_size
    needed = (args.steps + WARMUP) * T
    streams = torch.tensor([index[char] for char in text[: B * (needed + 1)]])
    streams = streams[: B * (len(streams) // B)].view(B, -1).T
    net = Net(args.cell, len(index), args.hidden, args.layers)
    optimizer = torch.optim.Adam(net.parameters(), 2e-3, fused=True)
    state, started = None, 0.0
    for step in range(args.steps + WARMUP):
        if step == WARMUP:
            started = time.perf_counter()
        at = step * T % (len(streams) - T - 1)
        inputs, targets = streams[at : at + T], streams[at + 1 : at + T + 1]
        logits, state = net(inputs.contiguous(), state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        loss.item()
    return args.steps * T * B / (time.perf_counter() - started)


@torch.inference_mode()
def sample(args: argparse.Namespace) -> float:
    """Return characters sampled per second, of all samples together."""
    net = Net(args.cell, VOCABULARY, args.hidden, args.layers).eval()
    if args.what == "load":
        net.load_state_dict(torch.load(args.weights))
    ids, state = torch.zeros(1, args.count, dtype=torch.long), None
    warm = 0 if args.what == "load" else 20
    started = time.perf_counter()
    for step in range(args.length + warm):
        if step == warm:
            started = time.perf_counter()
        logits, state = net(ids, state)
        ids = torch.multinomial(torch.softmax(logits[0] / 0.8, dim=-1), 1).T
    return args.length * args.count / (time.perf_counter() - started)


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "sample", "save", "load"])
    parser.add_argument("--corpus")
    parser.add_argument("--weights", help="file to save weights to, or to load before sampling")
    parser.add_argument("--cell", choices=LAYERS, default="lstm")
    for name, default in {
        "hidden": 256, "layers": 1, "seq-length": 64, "batch-size": 64, "steps": 20,
        "length": 500, "count": 1,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.manual_seed(0)
    if args.what == "save":
        net = Net(args.cell, VOCABULARY, args.hidden, args.layers)
        torch.save(net.state_dict(), args.weights)
        return
    print(json.dumps(train(args) if args.what == "train" else sample(args)))


if __name__ == "__main__":
    main()
