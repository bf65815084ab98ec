"""What validation results say of tasks, for the weightings that listen to ``observe``."""

from torch import Tensor


def follow(mean: Tensor, results: Tensor, tasks: Tensor, alpha: float) -> None:
    """Move the tasks' entries of ``mean`` [K] by ``alpha`` towards their results; a first result is taken as it is.

    An entry without any result is NaN. A result that is not finite says nothing.
    """
    results, tasks = results.to(mean), tasks.to(mean.device)
    before = mean[tasks]
    start = results.where(before.isnan(), before)
    mean[tasks] = (start + alpha * (results - start)).where(results.isfinite(), before)


def rose_and_fell(best: Tensor, results: Tensor, up: float, down: float) -> tuple[Tensor, Tensor]:
    """Whether results lie above the best by more than ``up`` · abs(best), and below by more than ``down`` of it.

    A best that is NaN is none yet, and any result rises above it.
    """
    size = best.abs()
    return best.isnan() | (results > best + up * size), results < best - down * size
