"""Where a step's Python calls, operations and reads from the device go, by what they are for.

    python benchmarks/step_calls.py                                    # tables for docs/benchmarks.md
    python benchmarks/step_calls.py --models mlp conv --tasks 3        # MGDA on these networks alone
    python benchmarks/step_calls.py --methods mgda db-mtl              # these methods alone
    python benchmarks/step_calls.py --check                            # whether the targets are met

A step is the balancer's call and ``.backward()`` of what it returns, the third of a fresh balancer; the forward pass of
the network lies outside. *Calls* are of Python functions, of whatever package. *Operations* are those that PyTorch
dispatches, views aside. *Reads* make the host wait for numbers of a device, *writes* send numbers there: they are
counted with all tensors of the network taken to be on one (``pretended_device.py``), so no GPU is needed. Counts are
exact, whatever else runs.

The floor is K backward passes by the parameters that each loss reaches, and nothing else.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import equipoise as eq
from models import MODELS, Network, build
from pretended_device import PretendedDevice

ROOMS = ("call", "walk", "roles", "plan", "passes", "products", "decision", "delivery", "record")
_PACKAGE = str(Path(eq.__file__).parent)
_ENTRIES = {  # (file, function, or "" for all others of the file) -> what it and all that it calls is for
    ("gradients/graph.py", "graph_of"): "walk",
    ("gradients/roles.py", "graph_of"): "walk",
    ("gradients/roles.py", ""): "roles",
    ("balancer/reach.py", ""): "roles",
    ("balancer/balanced.py", "plan_for"): "plan",
    ("gradients/plan.py", "plan_of"): "plan",
    ("gradients/plan.py", "describe"): "plan",
    ("gradients/plan.py", "fill"): "passes",
    ("gradients/known.py", ""): "passes",
    ("gradients/jacobian.py", "gramian"): "products",
    ("gradients/jacobian.py", "gramians"): "products",
    ("balancer/decide.py", ""): "decision",
    ("gradients/jacobian.py", "combine"): "delivery",
    ("gradients/jacobian.py", "combine_in_groups"): "delivery",
    ("gradients/jacobian.py", "spread"): "delivery",
    ("gradients/roles.py", "in_order"): "delivery",
    ("balancer/state.py", "note"): "record",
}
_TARGETS = {  # (route, K) -> most calls, and most operations, those of the floor apart where True
    ("auto", 3): (1500, 120, False),
    ("auto", 10): (2500, 200, False),
    ("rows", 3): (900, 100, True),
}
_BEYOND_ROWS = 40  # operations of a method by coordinates beside those of MGDA by rows
_BY_COORDINATES = ("db-mtl", "moco")
Losses = dict[str, Tensor]
Step = Callable[[Losses], Any]


@dataclass
class Counts:
    """Of one step, by room."""

    calls: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)


def count(model: str, num_tasks: int, make: Callable[[Network], Step]) -> Counts:
    """Count the third step that is made for a network."""
    found, problem = Counts(), build(model, num_tasks)
    step = make(problem)
    for _ in range(2):
        step(_losses(problem))
    losses = _losses(problem)
    with _profiled(found.calls):
        step(losses)
    losses = _losses(problem)
    with _Operations(found.operations):
        step(losses)
    return found


def traffic(model: str, num_tasks: int, make: Callable[[Network], Step]) -> tuple[int, int]:
    """Reads and writes of the third step that is made for a network on a device."""
    with PretendedDevice() as device:
        problem = build(model, num_tasks)
        device.put(problem)
        step = make(problem)
        for _ in range(2):
            step(_losses(problem))
        losses = _losses(problem)
        device.reads.clear()
        device.writes.clear()
        step(losses)
    return len(device.reads), len(device.writes)


def _losses(problem: Network) -> Losses:
    problem.zero_grad()
    return problem()[1]


@contextmanager
def _profiled(calls: Counter[str]) -> Iterator[None]:
    rooms = [ROOMS[0]]

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            rooms.append(_entered(frame) or rooms[-1])
            calls[rooms[-1]] += 1
        elif event == "return" and len(rooms) > 1:
            rooms.pop()

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


class _Operations(TorchDispatchMode):
    """Counts operations by the room of the innermost function that has one."""

    def __init__(self, operations: Counter[str]) -> None:
        super().__init__()
        self._counted = operations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and func._schema.name != "aten::detach":
            frame: FrameType | None = sys._getframe()
            while frame is not None and not _entered(frame):
                frame = frame.f_back
            self._counted[ROOMS[0] if frame is None else _entered(frame)] += 1
        return func(*args, **(kwargs or {}))


def _entered(frame: FrameType) -> str:
    """The room that a function begins; nothing for one that belongs to its caller's."""
    path = frame.f_code.co_filename
    if not path.startswith(_PACKAGE):
        return ""
    file = Path(path).relative_to(_PACKAGE).as_posix()
    return _ENTRIES.get((file, frame.f_code.co_name)) or _ENTRIES.get((file, ""), "")


def plain_sum(problem: Network) -> Step:
    """``sum(losses).backward()``."""
    return lambda losses: sum(losses.values(), torch.zeros(())).backward()


def floor(problem: Network) -> Step:
    """K backward passes."""
    reached = [[*problem.trunk.parameters(), *head.parameters()] for head in problem.heads]

    def step(losses: Losses) -> None:
        for k, (loss, parameters) in enumerate(zip(losses.values(), reached, strict=True), start=1):
            torch.autograd.grad(loss, parameters, retain_graph=k < len(losses))

    return step


def balanced(problem: Network, method: eq.Method, route: Any = "auto") -> Step:
    """A balancer's, without monitor."""
    balancer = eq.Balancer(method, problem, tasks=problem.names, route=route, monitor="off")

    def step(losses: Losses) -> None:
        balancer(losses).backward()

    return step


CONTENDERS: dict[str, Callable[[Network], Step]] = {
    "plain sum": plain_sum,
    "floor": floor,
    "auto": lambda problem: balanced(problem, eq.method("mgda")),
    "rows": lambda problem: balanced(problem, eq.method("mgda"), "rows"),
    "db-mtl": lambda problem: balanced(problem, eq.method("db-mtl")),
    "moco": lambda problem: balanced(problem, eq.method("moco")),
}


def targets(num_tasks: int, found: dict[str, Counts]) -> Iterator[tuple[str, int, int]]:
    """(what, how many, how many at most) on the MLP."""
    for (route, k), (calls, operations, beyond_floor) in _TARGETS.items():
        if k == num_tasks:
            most = operations + beyond_floor * found["floor"].operations.total()
            yield f"mgda, {route}, K = {k}: calls", found[route].calls.total(), calls
            yield f"mgda, {route}, K = {k}: operations", found[route].operations.total(), most
    for name in _BY_COORDINATES:
        most = found["rows"].operations.total() + _BEYOND_ROWS
        yield f"{name}, K = {num_tasks}: operations", found[name].operations.total(), most


def _show_rooms(model: str, num_tasks: int, found: dict[str, Counts]) -> None:
    print(f"\nMGDA and others, {model}, K = {num_tasks}: calls / operations")
    print(" " * 10 + "".join(f"{room:>12}" for room in (*ROOMS, "all")))
    for name, counts in found.items():
        cells = [f"{counts.calls[room]} / {counts.operations[room]}" for room in ROOMS]
        cells.append(f"{counts.calls.total()} / {counts.operations.total()}")
        print(f"{name:10}" + "".join(f"{cell:>12}" for cell in cells))


def main() -> None:
    """Print the tables, or check the targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows = {row.name: row for row in eq.methods()}
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[])
    parser.add_argument("--methods", nargs="+", choices=rows, metavar="NAME")
    parser.add_argument("--tasks", nargs="+", type=int, default=[3, 10], metavar="K")
    parser.add_argument("--check", action="store_true", help="fail where a step on the MLP misses a target")
    options = parser.parse_args()
    missed = 0
    for model in options.models if options.models or options.methods else ["mlp"]:
        for num_tasks in options.tasks:
            found = {name: count(model, num_tasks, make) for name, make in CONTENDERS.items()}
            _show_rooms(model, num_tasks, found)
            for what, value, most in targets(num_tasks, found) if model == "mlp" else ():
                missed += value > most
                print(f"  {'met   ' if value <= most else 'MISSED'}  {what}: {value}, at most {most}")
    if options.check:
        sys.exit(missed > 0)
    for num_tasks in [] if options.models else options.tasks:
        print(f"\nmlp, K = {num_tasks}{'':12} calls operations reads writes")
        for name in options.methods or rows:

            def make(problem: Network, name: str = name, k: int = num_tasks) -> Step:
                return balanced(problem, rows[name].make(k))

            counts, (reads, writes) = count("mlp", num_tasks, make), traffic("mlp", num_tasks, make)
            print(
                f"  {name:20} {counts.calls.total():6} {counts.operations.total():10} {reads:5} {writes:6}", flush=True
            )


if __name__ == "__main__":
    main()
