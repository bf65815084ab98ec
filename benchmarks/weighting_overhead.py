"""What a loss weighting adds to a training step of the plain sum, in microseconds of Python and small operations.

    python benchmarks/weighting_overhead.py                      # every weighting, K = 3
    python benchmarks/weighting_overhead.py --tasks 10 --methods uw dwa relobralo

The network is one small linear layer, so that hardly anything but the overhead is left. The clock runs from before the
forward pass to after the backward pass, on one thread. Each repetition runs 20 steps of every method, methods in a new
order. Shown is what the step that is faster than all but a tenth takes beyond that of the plain sum: slower ones
measure what else the machine does.
"""

import argparse
import gc
import random
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

import equipoise as eq

_WARM_UP = 30
_BLOCK = 20  # steps in a row
_LIMIT = 120.0  # microseconds, at K = 3
_PLAIN = "plain sum"


def runs(num_tasks: int, chosen: list[str] | None) -> dict[str, Callable[[], None]]:
    """The plain sum's step, and that of each weighting."""
    torch.manual_seed(0)
    layer, batch = nn.Linear(4, num_tasks), torch.randn(8, 4)
    tasks = [f"task {k}" for k in range(num_tasks)]

    def losses() -> dict[str, Tensor]:
        return dict(zip(tasks, layer(batch).square().mean(dim=0).unbind(), strict=True))

    def plain() -> None:
        sum(losses().values(), torch.zeros(())).backward()

    def balanced(balancer: eq.Balancer) -> None:
        balancer(losses()).backward()

    found: dict[str, Callable[[], None]] = {_PLAIN: plain}
    for row in eq.methods():
        if issubclass(row.cls, eq.Weighting) and (chosen is None or row.name in chosen):
            found[row.name] = partial(balanced, eq.Balancer(row.make(num_tasks), layer, tasks=tasks))
    return found


def measure(steps: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Microseconds of each step."""
    for step in steps.values():
        for _ in range(_WARM_UP):
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    gc.collect()
    gc.freeze()
    order = random.Random(0)
    for _ in range(repeats):
        for name, step in order.sample(list(steps.items()), len(steps)):
            for _ in range(_BLOCK):
                start = time.perf_counter()
                step()
                times[name].append(1e6 * (time.perf_counter() - start))
    gc.unfreeze()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=3, metavar="K")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="weightings by name, default all")
    parser.add_argument("--repeats", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    times = measure(runs(options.tasks, options.methods), options.repeats)
    fast = {name: statistics.quantiles(own, n=10)[0] for name, own in times.items()}
    plain = fast.pop(_PLAIN)
    print(f"K = {options.tasks}, torch {torch.__version__}, {options.repeats} repetitions")
    print(f"{_PLAIN}: {plain:.0f} us; beyond it, in us:")
    for name, own in sorted(fast.items(), key=lambda item: item[1]):
        missed = "" if options.tasks != 3 or own - plain <= _LIMIT else f"  MISSED: at most {_LIMIT:.0f}"
        print(f"  {name:18} {own - plain:6.0f}{missed}")


if __name__ == "__main__":
    main()
