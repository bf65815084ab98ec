"""Which share of our step is spent on planning it: reading the graph, sorting the leaves, counting operations.

    python benchmarks/planning.py
    python benchmarks/planning.py --models mlp --tasks 3 --repeats 100

The calls that a balancer makes are timed on the losses of a step, and then the step itself, from the batch to the
gradients of all parameters, which plans once more. Milliseconds are medians over the repetitions, the share is the
median of the shares within one repetition.
"""

import argparse
import statistics
import time
from itertools import pairwise

import torch

import equipoise as eq
from equipoise.gradients.plan import plan_of
from equipoise.gradients.roles import Parameters
from models import MODELS, build

_WARM_UP = 3
_PARTS = ("graph", "roles", "plan", "describe")
_LIMIT = 0.03


def measure(model: str, num_tasks: int, method: str, repeats: int) -> tuple[dict[str, float], float, float]:
    """Milliseconds of each part of planning and of a step, and the share of all parts in the step."""
    problem = build(model, num_tasks)
    balancer = eq.Balancer(eq.method(method), problem, tasks=problem.names)
    parameters = Parameters(problem)
    planned: list[list[float]] = []
    steps: list[float] = []
    for _ in range(_WARM_UP + repeats):
        problem.zero_grad()
        start = time.perf_counter()
        _, losses = problem()
        forward = time.perf_counter() - start
        moments = [time.perf_counter()]
        graph = parameters.graph_of(list(losses.values()))
        graph.require_several_passes()
        moments.append(time.perf_counter())
        parameters.learn(graph, range(num_tasks), num_tasks)
        roles = parameters.roles(graph, range(num_tasks), num_tasks)
        moments.append(time.perf_counter())
        plan = plan_of("auto", roles.shared, graph, num_tasks)
        moments.append(time.perf_counter())
        plan.describe(roles.names)
        moments.append(time.perf_counter())
        planned.append([end - start for start, end in pairwise(moments)])
        del graph, roles, plan
        start = time.perf_counter()
        balancer(losses).backward()
        steps.append(forward + time.perf_counter() - start)
    planned, steps = planned[_WARM_UP:], steps[_WARM_UP:]
    medians = [1000 * statistics.median(times) for times in zip(*planned, strict=True)]
    share = statistics.median(sum(parts) / step for parts, step in zip(planned, steps, strict=True))
    return dict(zip(_PARTS, medians, strict=True)), 1000 * statistics.median(steps), share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--tasks", nargs="+", type=int, default=[3, 10, 40], metavar="K")
    parser.add_argument("--method", default="mgda", help="the gradient method, default mgda")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(" " * 21 + "".join(f"  {name:>8}" for name in (*_PARTS, "step")) + "    share")
    for model in options.models:
        for num_tasks in options.tasks:
            parts, step, share = measure(model, num_tasks, options.method, options.repeats)
            print(
                f"{model:15} K = {num_tasks:<2}"
                + "".join(f"  {ms:8.3f}" for ms in (*parts.values(), step))
                + f"  {share:6.1%}  {'met   ' if share <= _LIMIT else 'MISSED'} at most {_LIMIT:.0%}"
            )


if __name__ == "__main__":
    main()
