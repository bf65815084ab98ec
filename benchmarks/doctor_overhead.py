"""What the doctor costs a script outside of its steps and at them, and the monitor's looks a loop of one's own.

    python benchmarks/doctor_overhead.py                  # some minutes
    python benchmarks/doctor_overhead.py --pairs 40       # fewer pairs of steps

A step is forward and backward pass and Adam with three losses, on networks of ``models.py``, by the processor time of
one thread, which is disturbed least by what else the machine does. Blocks of steps with and without the watch take
turns, the two of a pair in a random order: shown is the median over the pairs of the ratio, with its standard error by
the bootstrap. In none of these steps does the watch look. Then the same of a backward pass of one multiplication, in
microseconds, so that hardly anything but the watch is left.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.method import Method
from equipoise.monitor.looks import Looks
from equipoise.watching import ScriptWatch
from models import build

_BLOCK = 5  # steps in a row
_NEVER = 10**9  # a step that no script reaches
_WARM_UP = 12  # after its first ten calls a watch knows the lines
_TINY = 2000  # steps of one multiplication in a row
_WINDOW = 1100  # steps for three looks of the monitor


def training(name: str) -> Callable[[], None]:
    """A step of a network as a script writes it."""
    problem = build(name, 3)
    optimizer = torch.optim.Adam(problem.parameters(), 1e-3)

    def step() -> None:
        a, b, c = problem()[1].values()
        loss = a + 0.5 * b + c
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def multiplication() -> Callable[[], None]:
    """A step of nothing but a backward pass."""
    weight = torch.ones((), requires_grad=True)

    def step() -> None:
        (2 * weight).backward()

    return step


def pairs_of(step: Callable[[], None], pairs: int, block: int) -> list[tuple[float, float]]:
    """Seconds of a block without and with a watch."""
    watch, order = ScriptWatch([_NEVER]), random.Random(0)
    with watch:
        for _ in range(_WARM_UP):
            step()
    found = []
    for _ in range(pairs):
        seconds = {}
        for is_on in order.sample([False, True], 2):
            if is_on:
                watch.start()
            step()  # the first after a start is noted
            start = time.process_time()
            for _ in range(block):
                step()
            seconds[is_on] = time.process_time() - start
            if is_on:
                watch.stop()
        found.append((seconds[False], seconds[True]))
    return found


def median_and_error(values: list[float]) -> tuple[float, float]:
    """The median, and its standard error by the bootstrap."""
    draw = random.Random(0)
    medians = [statistics.median(draw.choices(values, k=len(values))) for _ in range(500)]
    return statistics.median(values), statistics.stdev(medians)


def looked_at(step: Callable[[], None], looks: int) -> float:
    """Seconds of a look."""
    with ScriptWatch(range(1, looks + 1)) as watch:
        for _ in range(looks):
            step()
    return statistics.median(look.seconds for look in watch.seen.looks)


def monitored(num_tasks: int) -> float:
    """Seconds of the monitor's looks in a window."""
    looks = Looks(Method())
    gramian: Tensor = torch.eye(num_tasks, dtype=torch.float64)
    names, ones = [f"task {k}" for k in range(num_tasks)], [1.0] * num_tasks
    start = time.process_time()
    for window in range(100):
        for step in (1, 11, 101):
            looks.look(step + _WINDOW * window, names, ones, gramian, torch.ones_like(gramian[0]), 1000)
    return (time.process_time() - start) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in ("mlp-width-256", "mlp", "transformer-64"):
        torch.manual_seed(0)
        step = training(name)
        found = pairs_of(step, options.pairs, _BLOCK)
        milliseconds = 1000 * statistics.median(plain for plain, _ in found) / _BLOCK
        ratio, error = median_and_error([100 * (on / off - 1) for off, on in found])
        print(f"{name}: a step of {milliseconds:.1f} ms takes {ratio:+.2f} % (± {error:.2f}) outside of the looks")
        print(f"{name}: a look takes {1000 * looked_at(step, 5):.0f} ms")
    found = pairs_of(multiplication(), options.pairs // 4, _TINY)
    more, error = median_and_error([1e6 * (on - off) / _TINY for off, on in found])
    print(f"a call of backward takes {more:.1f} µs (± {error:.1f}) more")
    for num_tasks in (3, 10):
        print(f"monitor, K = {num_tasks}: {1e6 * monitored(num_tasks) / _WINDOW:.2f} µs a step")


if __name__ == "__main__":
    main()
