"""The loss that common PyTorch models reach on a text in a given number of seconds.

    python benchmarks/quality_peer.py corpus.txt --marks 20 60 >> quality_peers.jsonl

Requires PyTorch. Trains on the first 90 % of the corpus, evaluates on the last 10 % at every mark
(with the clock stopped), and prints one JSON object per mark, like quality.py. The baselines:

    char-rnn      LSTM 2x128, windows of 50, batches of 50, RMSprop with a learning rate of 2e-3
                  that is multiplied by 0.97 after each epoch from the tenth on, gradients clipped
                  at 5
    torch-lstm    LSTM 2x256, windows of 64, batches of 64, Adam with a learning rate of 2e-3,
                  gradients clipped at norm 1: what a user would write
    nanogpt       a transformer with 4 layers, 4 heads and 128 features, context 64, batches of 12,
                  AdamW with cosine decay from 1e-3 to 1e-4 and a warm-up of 100 steps: the recipe
                  for a laptop in its README, with its 2,000 steps scaled to the time limit. One run
                  per mark
"""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from measuring import make_parser
from torch import nn
from torch.nn import functional
from torch_peer import Net

JUDGED = 0.1
WINDOW = 256
LAPTOP_SECONDS = 65  # for its 2,000 steps on 2 cores


class Block(nn.Module):
    """Causal self-attention and a feed-forward network, each after a layer norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.projections, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x):  # (B, T, width)
        """Return x with what this block adds."""
        B, T, width = x.shape
        parts = self.projections(self.before_attention(x)).view(B, T, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.joined(seen.transpose(1, 2).reshape(B, T, width))
        return x + self.mlp(self.before_mlp(x))


class Transformer(nn.Module):
    """A small GPT: embeddings of characters and places, blocks, and a tied output."""

    def __init__(self, vocab_size: int, context: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.context = context
        self.characters, self.places = nn.Embedding(vocab_size, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                scale = (2 * layers) ** -0.5 if name.endswith(("joined.weight", "2.weight")) else 1
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, ids):  # ids (B, T)
        """Return logits (B, T, V)."""
        x = self.characters(ids) + self.places(torch.arange(ids.shape[1]))
        return self.norm(self.blocks(x)) @ self.characters.weight.T


def nats(logits, targets) -> float:
    """Return the sum of -log p(target)."""
    return float(functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum"))


@torch.no_grad()
def judge_recurrent(net: Net, ids: torch.Tensor) -> tuple[float, float]:
    """Return nats per character, carried and cold."""
    total, state, n = 0.0, None, len(ids) - 1
    for at in range(0, n, 1000):
        logits, state = net(ids[at : min(at + 1000, n), None], state)
        total += nats(logits, ids[at + 1 : at + 1 + len(logits), None])
    windows = (n // WINDOW) * WINDOW
    inputs, targets = (ids[i : i + windows].view(-1, WINDOW).T for i in (0, 1))
    cold = nats(net(inputs)[0], targets) / windows
    return total / n, cold


@torch.no_grad()
def judge_transformer(net: Transformer, ids: torch.Tensor) -> tuple[float, float]:
    """Return nats per character, with as much context as it can see, and cold.

    It sees ``context`` characters at most: each is predicted from at least half as many.
    """
    half, n = net.context // 2, len(ids) - 1
    count = (n - half) // half
    windows = ids.unfold(0, net.context, half)[:count]
    targets = ids[1:].unfold(0, net.context, half)[:count]
    total = sum(
        nats(net(w)[:, half:], t[:, half:])
        for w, t in zip(windows.split(256), targets.split(256), strict=True)
    )
    size = count * half
    cold_windows = n // WINDOW
    inputs, expected = (ids[i : i + cold_windows * WINDOW].view(-1, WINDOW) for i in (0, 1))
    cold = 0.0
    for start in range(0, WINDOW, half):  # after the first context, a sliding one
        first = max(0, start + half - net.context)
        part = net(inputs[:, first : start + half])[:, start - first :]
        cold += nats(part, expected[:, start : start + half])
    return total / size, cold / (cold_windows * WINDOW)


def train_recurrent(name: str, ids: torch.Tensor, judged: torch.Tensor, V: int,
                    marks: list[float]) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Train one of the two LSTMs, yielding a row at every mark."""
    original = name == "char-rnn"
    T, B, hidden = (50, 50, 128) if original else (64, 64, 256)
    net = Net("lstm", V, hidden, 2)
    optimizer: torch.optim.Optimizer = (
        torch.optim.RMSprop(net.parameters(), 2e-3, alpha=0.95)
        if original
        else torch.optim.Adam(net.parameters(), 2e-3, fused=True)
    )
    streams = ids[: len(ids) // B * B].view(B, -1).T
    per_epoch = (len(streams) - 1) // T
    state, step, began = None, 0, time.perf_counter()
    for mark in marks:
        while time.perf_counter() - began < mark:
            epoch, position = divmod(step, per_epoch)
            if not position:
                state = None
                if original and epoch >= 10:
                    optimizer.param_groups[0]["lr"] *= 0.97
            at = position * T
            logits, state = net(streams[at : at + T].contiguous(), state)
            state = tuple(part.detach() for part in state)
            targets = streams[at + 1 : at + T + 1]
            loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if original:
                nn.utils.clip_grad_value_(net.parameters(), 5.0)
            else:
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            step += 1
        since = time.perf_counter()
        carried, cold = judge_recurrent(net, judged)
        yield row(name, mark, (carried, cold), step, net)
        began += time.perf_counter() - since  # judging does not count


def train_transformer(ids: torch.Tensor, judged: torch.Tensor, V: int,
                      seconds: float) -> dict[str, Any]:  # fmt: skip
    """Train the small GPT for so long."""
    T, B, rng = 64, 12, torch.Generator().manual_seed(1337)
    net = Transformer(V, T, 128, 4, 4)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, 1e-3, betas=(0.9, 0.99), fused=True)
    step, began = 0, time.perf_counter()
    warmup = 100 * seconds / LAPTOP_SECONDS
    while (progress := (time.perf_counter() - began) / seconds) < 1:
        rate = 1e-4 + 0.5 * (1 + math.cos(math.pi * progress)) * 9e-4
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / warmup)
        starts = torch.randint(len(ids) - T, (B, 1), generator=rng)
        windows = ids[starts + torch.arange(T + 1)]
        logits = net(windows[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
    return row("nanogpt", seconds, judge_transformer(net, judged), step, net)


def row(
    peer: str, seconds: float, nats_per_char: tuple[float, float], steps: int, net: nn.Module
) -> dict[str, Any]:
    """Return what is printed."""
    return {
        "peer": peer,
        "seconds": seconds,
        "carried": round(nats_per_char[0], 4),
        "cold": round(nats_per_char[1], 4),
        "steps": steps,
        "parameters": sum(p.numel() for p in net.parameters()),
    }


def main() -> None:
    """Measure all peers on all corpora."""
    parser = make_parser(__doc__)
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--marks", type=float, nargs="+", default=[20, 60])
    parser.add_argument(
        "--peers", nargs="+", default=["char-rnn", "torch-lstm", "nanogpt"],
        choices=["char-rnn", "torch-lstm", "nanogpt"],
    )  # fmt: skip
    args = parser.parse_args()
    for corpus in args.corpus:
        text = corpus.read_text(encoding="utf-8")
        index = {char: i for i, char in enumerate(sorted(set(text)))}
        ids = torch.tensor([index[char] for char in text])
        seen = len(ids) - int(len(ids) * JUDGED)
        parts = ids[:seen], ids[seen:], len(index)
        for peer in args.peers:
            torch.manual_seed(1337)
            rows = (
                (train_transformer(*parts, mark) for mark in sorted(args.marks))
                if peer == "nanogpt"
                else train_recurrent(peer, *parts, sorted(args.marks))
            )
            for result in rows:
                print(json.dumps({"text": corpus.name, **result}), flush=True)


if __name__ == "__main__":
    main()
