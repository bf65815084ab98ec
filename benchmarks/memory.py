"""What our gradient method allocates at the peak of a step beyond the plain sum, as the shared parameters grow.

    python benchmarks/memory.py
    python benchmarks/memory.py --widths 1024 --routes auto factored rows

An MLP of 256-width-width-192 numbers, N = 64, in units of K·P numbers (P: shared parameters) and in MiB. The peak is
that of the first two steps, all that is kept between them included, beyond what the network holds without gradients.
"""

import argparse
import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler otherwise announces every start and stop

from collections.abc import Callable

import torch

from contenders import AUTO, CONTENDERS, METHODS, PLAIN, Contender, step
from models import Problem, mlp

_ROUTES = ("auto", "factored", "rows", "batched")
_LIMIT = 0.25  # K·P numbers


def peak(contender: Contender, make: Callable[[], Problem], method: str) -> int:
    """Bytes allocated at the peak of the first two steps, beyond what the network held before them."""
    problem = make()

    def two_steps() -> None:
        backward = contender(problem, method)
        for _ in range(2):
            step(problem, backward)

    return peak_of(two_steps)


def peak_of(run: Callable[[], None]) -> int:
    """Bytes allocated at the peak of a call, beyond what there was before it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = highest = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", nargs="+", type=int, default=[1024, 3650, 7520], metavar="WIDTH")
    parser.add_argument("--tasks", nargs="+", type=int, default=[10], metavar="K")
    parser.add_argument("--method", choices=METHODS, default="mgda", help="the gradient method, default mgda")
    parser.add_argument("--routes", nargs="+", choices=_ROUTES, default=["auto"])
    options = parser.parse_args()
    for num_tasks in options.tasks:
        for width in options.widths:

            def make(num_tasks: int = num_tasks, width: int = width) -> Problem:
                torch.manual_seed(0)
                return mlp(num_tasks, width=width)

            size = make().shared_size
            plain = peak(CONTENDERS[PLAIN], make, options.method)
            print(f"\nP = {size / 1e6:.1f} million, K = {num_tasks}: plain sum {plain / 2**20:.0f} MiB")
            for route in options.routes:
                name = f"ours {route}"
                beyond = peak(CONTENDERS[name], make, options.method) - plain
                share = beyond / (4 * num_tasks * size)
                print(f"{name:13}  {beyond / 2**20:7.1f} MiB more  {share:6.3f} KP")
                if name == AUTO:
                    met = "met   " if share <= _LIMIT else "MISSED"
                    print(f"  {met}  {name}, KP beyond the plain sum: {share:.3f}, at most {_LIMIT}")


if __name__ == "__main__":
    main()
