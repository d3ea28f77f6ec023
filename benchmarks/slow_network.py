# ruff: noqa: ANN401, N802  # MPI's types are unknown, and its names are as they are
"""One process of a run of charrnn whose machines, parts of this one, a slow network joins.

    mpiexec -n 2 python benchmarks/slow_network.py --latency 0.05 train CORPUS ...

    --machines N     divide the processes of this machine among N (MPICH only)
    --latency S      seconds that a message takes to another machine
    --bandwidth B    bytes per second that a machine sends
    --momentum R M   go on from a meeting at rate R with Nesterov momentum M, as DiLoCo does
                     (Douillard et al. 2023); 1 0 is the plain mean

What follows is a command line of charrnn. A collective between machines is complete once MPI has
done it and, after that, a message for each level of a binary tree has been on its way: log2(N)
latencies. A broadcast keeps its sender no longer than usual, and nothing is delayed within a
machine.
"""

import argparse
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # NumPy must not be there before charrnn has set the number of its threads
    from numpy.typing import NDArray


class SlowRequest:
    """A request that is complete some time after MPI has done it."""

    def __init__(self, request: Any, delay: float) -> None:
        self.request, self.delay = request, delay
        self.ready: float | None = None

    def Test(self) -> bool:
        """Return True once it is complete."""
        if self.ready is None:
            if not self.request.Test():
                return False
            self.ready = time.perf_counter() + self.delay
        return time.perf_counter() >= self.ready


class SlowNetwork:
    """A communicator between machines, whose messages take their time.

    hops   messages that follow each other in a collective
    root   this process is on the machine of rank 0
    """

    def __init__(self, comm: Any, given: argparse.Namespace, *, hops: int, root: bool) -> None:
        self.comm, self.given, self.hops, self.root = comm, given, hops, root

    def __getattr__(self, name: str) -> Any:
        return getattr(self.comm, name)

    def _slow(self, request: Any, sent: float) -> SlowRequest:
        seconds = sent / self.given.bandwidth if self.given.bandwidth else 0.0
        return SlowRequest(request, self.hops * self.given.latency + seconds)

    def Ibcast(self, data: "NDArray[Any]") -> Any:
        """Send from rank 0."""
        request = self.comm.Ibcast(data)
        return request if self.root else self._slow(request, data.nbytes)

    def Iallgather(self, own: "NDArray[Any]", table: "NDArray[Any]") -> Any:
        """Send a few numbers."""
        return self._slow(self.comm.Iallgather(own, table), own.nbytes)

    def Ireduce_scatter(self, row: "NDArray[Any]", total: "NDArray[Any]", counts: list[int]) -> Any:
        """Send to each machine what it sums."""
        sent = row.nbytes - total.nbytes
        return self._slow(self.comm.Ireduce_scatter(row, total, counts), sent)

    def Iallgatherv(self, place: Any, everything: list[Any]) -> Any:
        """Send what this machine has, to all others."""
        sent = everything[1][self.comm.rank] * (self.comm.size - 1)
        return self._slow(self.comm.Iallgatherv(place, everything), sent)

    def Ialltoallv(self, letters: list[Any], answers: list[Any]) -> Any:
        """Send a piece to each other machine."""
        sent = sum(letters[1]) - letters[1][self.comm.rank]
        return self._slow(self.comm.Ialltoallv(letters, answers), sent)


def slow_down(given: argparse.Namespace) -> None:
    """Put the slow network between the machines."""
    from charrnn.parallel.mpi_world import World

    begin = World.__init__

    def init(world: World) -> None:
        begin(world)
        count = len(world.machines)
        if count == 1:
            return
        kind = {"hops": math.ceil(math.log2(count)), "root": world.number == 0}
        world.comm = SlowNetwork(world.comm, given, **kind)
        if world.row == 0:
            world.leaders = SlowNetwork(world.leaders, given, **kind)

    World.__init__ = init  # type: ignore[method-assign]


def with_momentum(rate: float, momentum: float) -> None:
    """Have the machines go on from a meeting with Nesterov momentum."""
    import numpy as np

    from charrnn.training.local_steps import LocalSteps

    def descend(self: Any, anchor: "NDArray[Any]", delta: "NDArray[Any]") -> None:
        if not hasattr(self, "velocity"):
            self.velocity = np.zeros_like(delta)
        self.velocity *= momentum
        self.velocity += delta
        anchor -= rate * (delta + momentum * self.velocity)

    LocalSteps.descend = descend  # type: ignore[method-assign]


def main() -> None:
    """Run charrnn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=int, default=2)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--bandwidth", type=float, default=0.0)
    parser.add_argument("--momentum", type=float, nargs=2)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    os.environ["MPIR_CVAR_NUM_CLIQUES"] = str(given.machines)
    from charrnn.cli import main as run

    slow_down(given)
    if given.momentum:
        with_momentum(*given.momentum)
    sys.argv = ["charrnn", *given.command]
    run()


if __name__ == "__main__":
    main()
