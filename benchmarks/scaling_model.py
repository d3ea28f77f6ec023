"""What many machines would do, from the time of a step on one: the alpha-beta model.

    python benchmarks/scaling_model.py --step 1x512=0.045 --step 2x1024=0.45

Prints, for each network, link and number of machines M, how many times as many characters are read
in a second as on one machine, whose step takes T seconds. Every machine has a batch of its own.

A message of n bytes takes alpha + n / beta (Hockney 1994), alpha being the latency in seconds and
beta the bandwidth in bytes per second. With S bytes of weights, a step exchanges

    Reduce_scatter of gradients   log2(M) alpha + (M - 1) / M  S / beta     recursive halving
    Allgatherv of weights         the same                                  recursive doubling
    two sums of a few numbers     2 log2(M) alpha

(Thakur, Rabenseifner & Gropp 2005), and so

    speedup(M) = M T / (T + 4 log2(M) alpha + 2 (M - 1) / M  S / beta)
"""

import math

from measuring import heading, make_parser, row

FLOAT = 4  # bytes of a weight

# Latency in seconds and bandwidth in bytes per second, of messages between two processes.
LINKS = {
    "10 Gbit/s Ethernet": (50e-6, 1.25e9),
    "100 Gbit/s Ethernet": (20e-6, 12.5e9),
    "InfiniBand, 200 Gbit/s": (2e-6, 25e9),
}
MACHINES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def weights(layers: int, hidden: int, vocab: int) -> int:
    """Return the number of parameters of an LSTM with one-hot input and a linear output."""
    recurrent = 4 * hidden * (vocab + (2 * layers - 1) * hidden + 2 * layers)
    return recurrent + vocab * (hidden + 1)


def exchange(machines: int, size: float, alpha: float, beta: float) -> float:
    """Return the seconds that a synchronization of so many bytes of weights takes."""
    return 4 * math.log2(machines) * alpha + 2 * (machines - 1) / machines * size / beta


def main() -> None:
    """Print a table for each network."""
    parser = make_parser(__doc__)
    parser.add_argument("--step", action="append", required=True, metavar="LAYERSxUNITS=SECONDS")
    parser.add_argument("--vocab", type=int, default=65, help="number of characters")
    given = parser.parse_args()
    for text in given.step:
        name, _, seconds = text.partition("=")
        layers, _, hidden = name.partition("x")
        size, step = FLOAT * weights(int(layers), int(hidden), given.vocab), float(seconds)
        print(f"\nlstm {name}: {size / 1e6:.1f} MB of weights, {1000 * step:.0f} ms a step\n")
        heading("machines", *LINKS)
        for machines in MACHINES:
            times = [exchange(machines, size, *link) for link in LINKS.values()]
            row(machines, *(f"{machines * step / (step + time):,.1f}" for time in times))


if __name__ == "__main__":
    main()
