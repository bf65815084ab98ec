"""What a training step costs with each available method, beside the plain sum, for docs/methods.md.

    pip install -e .
    python benchmarks/method_costs.py                                  # all methods: some minutes
    python benchmarks/method_costs.py --methods mgda nash-mtl          # these alone; the other rows stay
    python benchmarks/method_costs.py --dry                            # writes nothing
    python docs/write.py                                               # measures new methods, writes docs/methods.md

A step is forward and backward pass on the MLP of ``models.py`` (P = 1.5 million, N = 64) with K = 3 and K = 10 heads,
without the optimiser; a method that reads the losses after the step is given them, by one more forward pass. All
methods share one network and are timed in turn, in a new order in each repetition, by the processor time of one thread,
which is disturbed least by what else the machine does. What is written is the median over the repetitions of the ratio
to the plain sum (``sum(losses).backward()``) of the same repetition. ``--methods`` changes who shares the caches, so
compare ratios of one run.
"""

import argparse
import csv
import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

import equipoise as eq
from equipoise.method import Method
from equipoise.registry import read_costs
from equipoise.registry.row import FILE, StepCost
from models import Problem, build

_PLAIN = "plain sum"
_WARM_UP = 2
Step = Callable[[], None]


def plain_sum(problem: Problem) -> Step:
    """What everybody writes."""

    def step() -> None:
        _, losses = problem()
        sum(losses.values(), torch.zeros(())).backward()

    return step


def balanced(problem: Problem, method: Method) -> Step:
    """A step with a method."""
    balancer = eq.Balancer(method, problem, tasks=problem.names)

    def step() -> None:
        _, losses = problem()
        balancer(losses).backward()
        if "after_step" in method.needs:
            with torch.no_grad():
                balancer.after_step(problem()[1])

    return step


def measure(names: list[str], num_tasks: int, repeats: int) -> dict[str, float]:
    """The ratios by method."""
    problem = build("mlp", num_tasks)
    made = {row.name: row for row in eq.methods()}
    steps = {_PLAIN: plain_sum(problem)} | {name: balanced(problem, made[name].make(num_tasks)) for name in names}
    times: dict[str, list[float]] = {name: [] for name in steps}
    order = random.Random(0)
    for repeat in range(repeats + _WARM_UP):
        for name in order.sample(list(steps), len(steps)):
            problem.zero_grad()
            start = time.process_time()
            steps[name]()
            if repeat >= _WARM_UP:
                times[name].append(time.process_time() - start)
        print(f"\rK = {num_tasks}: repetition {repeat + 1} of {repeats + _WARM_UP}", end="", flush=True)
    print(f"; the plain sum takes {1000 * statistics.median(times[_PLAIN]):.1f} ms")
    return {name: statistics.median(a / b for a, b in zip(times[name], times[_PLAIN], strict=True)) for name in names}


def processor() -> str:
    """Its name where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [row.name for row in eq.methods()]
    parser.add_argument("--methods", nargs="*", choices=names, default=names, metavar="NAME")
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--dry", action="store_true", help="show the ratios and write nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine = f"{processor()}, one thread, PyTorch {torch.__version__.partition('+')[0]}"
    three, ten = (measure(options.methods, num_tasks, options.repeats) for num_tasks in (3, 10))
    found = {name: StepCost(round(three[name], 2), round(ten[name], 2), machine) for name in options.methods}
    for name, cost in found.items():
        print(f"{name:16} {cost.three:6.2f} {cost.ten:6.2f}")
    if options.dry:
        return
    costs = {name: cost for name, cost in (read_costs() | found).items() if name in names}
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["method", "three", "ten", "machine"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"method": name, **asdict(costs[name])} for name in names if name in costs)


if __name__ == "__main__":
    main()
