"""What one training step costs: the plain sum, the floor, Equipoise and TorchJD, interleaved in one process.

    pip install -e '.[parity]'
    python benchmarks/step_cost.py                         # everything, more than an hour on two cores
    python benchmarks/step_cost.py --models mlp --tasks 3 10 --repeats 30
    python benchmarks/step_cost.py --models text --tasks 40 --contenders "ours auto" "torchjd engine"
    python benchmarks/step_cost.py --models mlp pinn mmoe --tasks 3 --contenders "ours auto" --against ../other
    python benchmarks/step_cost.py --check                 # Sum equals sum(losses).backward() to the last bit

The clock runs from the losses to the gradients of all parameters; the forward pass lies outside it, and
``step / sum`` is the ratio with it inside. The floor is K calls of ``torch.autograd.grad`` on the parameters that each
loss reaches, and nothing else. Every repetition times each contender once, on its own copy of the network and in a new
order, since a step is faster or slower after certain others. A time is the median over the repetitions, a ratio the
median of the ratios within one repetition; for weights decided in every tenth step the mean of ten such medians, one
for each step of ten. A contender of TorchJD's that raises is left out and its error shown.

Memory is what a contender allocates at the peak of its first two steps, buffers that it keeps included, beyond the
peak of the plain sum and of the floor, in units of K·P numbers (P: shared parameters). K passes keep the graph while
gradients flow through it, which one pass does not need to: that part of the difference to the plain sum is the floor's.

``--clock cpu`` counts this process's processor time instead of wall time, for a machine that is not idle; take it
with ``--threads 1``, since threads that wait for each other count as busy.

Beside this, each with a docstring of its own: ``planning.py`` (the share of a step spent on planning it), ``memory.py``
(as P grows), ``accuracy.py`` (of Gramians and gradients).
"""

import argparse
import gc
import json
import random
import statistics
import time
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch

from contenders import AUTO, CONTENDERS, DEFAULT, EVERY, FLOOR, METHODS, OURS, PERIOD, PLAIN, TORCHJD, Checkout, step
from memory import peak
from models import MODELS, build

_CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
_WARM_UP = 2
_PERIODS = {EVERY: PERIOD}  # contenders whose steps differ, and after how many they repeat
_WEIGHTINGS, _REPRESENTATION = ("ours sum", "ours uw"), "ours representation"
_OF_FLOOR: dict[
    str, dict[int | None, float]
] = {  # model -> K -> most of the floor's time that our default may take; None: any K
    "mlp": {3: 0.9, 10: 0.65, 40: 0.6},
    "mlp-512": {None: 1.15},
    "conv": {None: 1.05},
    "transformer": {None: 1.05},
    "transformer-256": {None: 1.05},
}
_OF_PLAIN: dict[str, dict[int | None, float]] = {"text": {3: 2.4, 10: 2.4}}
_FASTER = {"mlp": {3: 2.0, 10: 4.0, 40: 5.0}, "text": {3: 8.0, 10: 25.0}}  # than TorchJD's default, at least


@dataclass
class Cost:
    """One contender on one network."""

    model: str
    num_tasks: int
    contender: str
    milliseconds: float
    of_plain: float
    of_floor: float
    step_of_plain: float  # forward pass included
    memory_beyond_plain: float  # in K·P numbers
    memory_beyond_floor: float


def measure(model: str, num_tasks: int, names: list[str], method: str, repeats: int, clock: str) -> list[Cost]:
    """Time the contenders in turn, ``repeats`` times."""
    now = _CLOCKS[clock]
    runs = {}
    for name in names:
        problem = build(model, num_tasks)
        try:
            backward = CONTENDERS[name](problem, method)
            for _ in range(_WARM_UP):
                step(problem, backward)
        except Exception as error:
            if name not in TORCHJD:
                raise
            print(f"\n{name} cannot do {model}: {str(error).splitlines()[0]:.100}")
            continue
        runs[name] = (problem, backward)
    names = list(runs)
    backwards: dict[str, list[float]] = {name: [] for name in names}
    steps: dict[str, list[float]] = {name: [] for name in names}
    torch.empty(7 * 2**20)  # a large block, once freed: glibc then gives none back to the system within a step
    gc.collect()
    gc.freeze()  # a collection then costs what the step's own objects cost
    order = random.Random(0)
    for _ in range(repeats):
        for name, (problem, backward) in order.sample(list(runs.items()), len(runs)):
            problem.zero_grad()
            start = now()
            outputs = problem()
            middle = now()
            backward(*outputs)
            end = now()
            del outputs
            backwards[name].append(end - middle)
            steps[name].append(end - start)
    gc.unfreeze()
    unit = 4 * num_tasks * runs[PLAIN][0].shared_size
    del runs
    peaks = {name: peak(CONTENDERS[name], partial(build, model, num_tasks), method) for name in names}
    return [
        Cost(
            model,
            num_tasks,
            name,
            1000 * average(backwards[name], _PERIODS.get(name, 1)),
            ratio(backwards[name], backwards[PLAIN], _PERIODS.get(name, 1)),
            ratio(backwards[name], backwards[FLOOR], _PERIODS.get(name, 1)),
            ratio(steps[name], steps[PLAIN], _PERIODS.get(name, 1)),
            (peaks[name] - peaks[PLAIN]) / unit,
            (peaks[name] - peaks[FLOOR]) / unit,
        )
        for name in names
    ]


def ratio(times: list[float], others: list[float], period: int) -> float:
    """The average ratio within one repetition, which a drifting machine leaves alone."""
    return average([a / b for a, b in zip(times, others, strict=True)], period)


def average(values: list[float], period: int) -> float:
    """The mean over a period's steps of each one's median."""
    return statistics.mean(statistics.median(values[first::period]) for first in range(period))


def show(costs: list[Cost]) -> None:
    """One table: a network with its K tasks."""
    width = max(len(cost.contender) for cost in costs)
    print(f"\n{costs[0].model}, K = {costs[0].num_tasks}")
    heads = {"ms": 8, "/ sum": 6, "/ floor": 7, "step / sum": 10, "KP > sum": 8, "KP > floor": 10}
    print(" " * width + "".join(f"  {head:>{columns}}" for head, columns in heads.items()))
    for cost in costs:
        print(
            f"{cost.contender:{width}}  {cost.milliseconds:8.2f}  {cost.of_plain:6.2f}  {cost.of_floor:7.3f}  "
            f"{cost.step_of_plain:10.2f}  {cost.memory_beyond_plain:8.2f}  {cost.memory_beyond_floor:10.2f}"
        )
    for what, value, limit in targets({cost.contender: cost for cost in costs}):
        print(f"  {'met   ' if value <= limit else 'MISSED'}  {what}: {value:.3f}, at most {limit:.3g}")
    for what, value, limit in speeds({cost.contender: cost for cost in costs}):
        print(f"  {'met   ' if value >= limit else 'MISSED'}  {what}: {value:.2f}, at least {limit:.3g}")


def targets(costs: dict[str, Cost]) -> list[tuple[str, float, float]]:
    """(what, value, most that it may be) for every target that these contenders can show."""
    found = []
    for name in _WEIGHTINGS:
        if name in costs:
            found.append((f"{name} / sum", costs[name].of_plain, 1.03))
    if _REPRESENTATION in costs:
        found.append((f"{_REPRESENTATION} / sum", costs[_REPRESENTATION].of_plain, 1.15))
    if EVERY in costs and (costs[EVERY].model, costs[EVERY].num_tasks) == ("conv", 3):
        # with the forward pass: K passes in one step of ten alone bring the backward pass above 1.2
        found.append((f"{EVERY}, whole step / sum", costs[EVERY].step_of_plain, 1.2))
    if AUTO in costs:
        ours = costs[AUTO]
        for limits, value, what in ((_OF_FLOOR, ours.of_floor, FLOOR), (_OF_PLAIN, ours.of_plain, "sum")):
            by_tasks = limits.get(ours.model, {})
            limit = by_tasks.get(ours.num_tasks, by_tasks.get(None))
            if limit is not None:
                found.append((f"{AUTO} / {what}", value, limit))
    for name in OURS:
        if name in costs and name != "ours batched":  # its gradients for all tasks at once are K·P more by nature
            found.append((f"{name}, KP beyond the floor", round(costs[name].memory_beyond_floor, 2), 1.0))
    return found


def speeds(costs: dict[str, Cost]) -> list[tuple[str, float, float]]:
    """(what, value, least that it must be): how many times faster our default is than TorchJD."""
    if AUTO not in costs:
        return []
    ours, found = costs[AUTO], []
    limit = _FASTER.get(ours.model, {}).get(ours.num_tasks)
    if DEFAULT in costs and limit is not None:
        found.append((f"{DEFAULT} / {AUTO}", costs[DEFAULT].of_plain / ours.of_plain, limit))
    rivals = [costs[name] for name in TORCHJD if name in costs]
    if rivals:
        best = min(rivals, key=lambda cost: cost.of_plain)
        found.append((f"{best.contender} (its best) / {AUTO}", best.of_plain / ours.of_plain, 1.0))
    return found


def check(model: str, num_tasks: int) -> None:
    """Compare every gradient of Sum through the balancer with that of the plain sum, bit for bit.

    Raises:
        AssertionError: If one differs.
    """
    gradients = []
    for name in (PLAIN, "ours sum"):
        problem = build(model, num_tasks)
        step(problem, CONTENDERS[name](problem, "mgda"))
        gradients.append({n: p.grad for n, p in problem.named_parameters() if p.grad is not None})
    plain, ours = gradients
    different = [name for name, gradient in plain.items() if not torch.equal(gradient, ours[name])]
    assert plain.keys() == ours.keys(), f"{model}, K = {num_tasks}: Sum has gradients of other parameters"
    assert not different, f"{model}, K = {num_tasks}: Sum differs from sum(losses).backward() in {different}"
    print(f"{model}, K = {num_tasks}: Sum equals sum(losses).backward() to the last bit in {len(plain)} tensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[name for name in MODELS if name != "pinn"])
    parser.add_argument("--tasks", nargs="+", type=int, default=[3, 10, 40], metavar="K")
    parser.add_argument("--method", choices=METHODS, default="mgda", help="the gradient method, default mgda")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="NAME")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=_CLOCKS, default="wall")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--against", type=Path, metavar="PATH", help="time the package of another checkout too")
    parser.add_argument("--check", action="store_true", help="compare Sum with the plain sum bit for bit, time nothing")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    others = Checkout(options.against).contenders() if options.against else {}
    CONTENDERS.update(others)
    names = [name for name in CONTENDERS if name in {PLAIN, FLOOR, *options.contenders, *others}]
    if EVERY in names and options.repeats < PERIOD:
        parser.error(f"{EVERY!r} needs --repeats of at least {PERIOD}, got {options.repeats}")
    setting = {
        "method": options.method,
        "repeats": options.repeats,
        "threads": options.threads,
        "clock": options.clock,
        "versions": {name: version(name) for name in ("torch", "equipoise", "torchjd")},
    }
    print(", ".join(f"{key} {value}" for key, value in setting.items()))
    costs: list[Cost] = []
    for model in options.models:
        for num_tasks in options.tasks:
            if options.check:
                check(model, num_tasks)
                continue
            found = measure(model, num_tasks, names, options.method, options.repeats, options.clock)
            show(found)
            costs += found
    if options.json and costs:
        options.json.write_text(json.dumps({**setting, "costs": [asdict(cost) for cost in costs]}, indent=1))


if __name__ == "__main__":
    main()
