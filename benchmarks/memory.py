"""What our gradient method allocates at the peak of a step beyond the plain sum, as the shared parameters grow.

    python benchmarks/memory.py
    python benchmarks/memory.py --widths 1024 --routes auto factored rows
    python benchmarks/memory.py --models transformer-256 conv --routes rows low-memory

An MLP of 256-width-width-192 numbers, N = 64, or other networks, in MiB and in units of K·P numbers and of P (shared
parameters). The peak is that of the first two steps, all that is kept between them included, beyond what the network
holds without gradients.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch

from contenders import AUTO, CONTENDERS, METHODS, PLAIN, Contender, step
from models import MODELS, Network, Problem, build, mlp
from peaks import peak_of

_ROUTES = ("auto", "factored", "rows", "batched", "low-memory")
_LIMITS = {AUTO: ("KP", 0.25), "ours low-memory": ("P", 1.3)}


def peak(contender: Contender, make: Callable[[], Network], method: str) -> int:
    """Bytes allocated at the peak of the first two steps, beyond what the network held before them."""
    problem = make()

    def two_steps() -> None:
        backward = contender(problem, method)
        for _ in range(2):
            step(problem, backward)

    return peak_of(two_steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", nargs="*", type=int, default=[1024, 3650, 7520], metavar="WIDTH")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[], help="networks of step_cost.py")
    parser.add_argument("--tasks", nargs="+", type=int, default=[10], metavar="K")
    parser.add_argument("--method", choices=METHODS, default="mgda", help="the gradient method, default mgda")
    parser.add_argument("--routes", nargs="+", choices=_ROUTES, default=["auto"])
    options = parser.parse_args()
    for num_tasks in options.tasks:
        makes: dict[str, Callable[[], Network]] = {
            f"width {width}": partial(_mlp, num_tasks, width) for width in ([] if options.models else options.widths)
        }
        makes |= {model: partial(build, model, num_tasks) for model in options.models}
        for title, make in makes.items():
            size = make().shared_size
            plain = peak(CONTENDERS[PLAIN], make, options.method)
            print(f"\n{title}, P = {size / 1e6:.1f} million, K = {num_tasks}: plain sum {plain / 2**20:.0f} MiB")
            for route in options.routes:
                name = f"ours {route}"
                beyond = peak(CONTENDERS[name], make, options.method) - plain
                shares = {"KP": beyond / (4 * num_tasks * size), "P": beyond / (4 * size)}
                print(f"{name:15}  {beyond / 2**20:7.1f} MiB more  {shares['KP']:6.3f} KP  {shares['P']:6.2f} P")
                if name in _LIMITS and not (options.models and name == AUTO):
                    unit, limit = _LIMITS[name]
                    met = "met   " if shares[unit] <= limit else "MISSED"
                    print(f"  {met}  {name}, {unit} beyond the plain sum: {shares[unit]:.3f}, at most {limit}")


def _mlp(num_tasks: int, width: int) -> Problem:
    torch.manual_seed(0)
    return mlp(num_tasks, width=width)


if __name__ == "__main__":
    main()
