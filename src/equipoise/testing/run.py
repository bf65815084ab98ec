"""A method without a network: batches of rows and losses in, combined gradients out."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from equipoise.chain import linearise
from equipoise.method import (
    Aggregator,
    CoordinateAggregator,
    GroupAggregator,
    Method,
    Weighting,
    all_tasks,
)

NUM_TASKS = 5  # a method whose arguments name the tasks one by one must be made for so many
_WIDTH = 12  # P; more than the tasks, so that random rows are independent


@dataclass(frozen=True)
class Batch:
    """What a method is shown in one step, in float64."""

    rows: Tensor  # [K, P], the jacobian
    losses: Tensor  # [K]
    tasks: Tensor  # [K]
    results: Tensor  # [K], what validation finds after the step
    widths: tuple[int, ...] = (5, _WIDTH - 5)  # of the parameters that the columns belong to

    def groups(self, method: GroupAggregator) -> list[Tensor]:
        """The columns of each of the method's groups."""
        columns = torch.arange(sum(self.widths)).split(self.widths)
        parameters = {f"parameter {n}": torch.zeros(width) for n, width in enumerate(self.widths)}
        place = dict(zip(parameters.values(), columns, strict=True))
        nothing = columns[0][:0]
        return [torch.cat([nothing, *(place[p] for p in group)]) for group in method.groups_of(parameters)]

    def gramians(self, method: GroupAggregator) -> Tensor:
        """What a method that weighs groups apart is shown."""
        parts = [self.rows[:, columns] for columns in self.groups(method)]
        return torch.stack([part @ part.T for part in parts])

    def scaled(self, factor: float) -> "Batch":
        """Every loss, and so every gradient, multiplied by a factor."""
        return replace(self, rows=self.rows * factor, losses=self.losses * factor)

    def scaled_one(self, k: int, factor: float) -> "Batch":
        """The loss in place k, and so its gradient, multiplied by a factor."""
        factors = torch.ones_like(self.losses)
        factors[k] = factor
        return replace(self, rows=self.rows * factors[:, None], losses=self.losses * factors)

    def in_order(self, order: list[int]) -> "Batch":
        """The tasks with their roles exchanged; one named twice takes two roles."""
        return Batch(self.rows[order], self.losses[order], self.tasks, self.results[order])

    def with_rows(self, rows: Tensor) -> "Batch":
        """The same losses with other gradients."""
        return replace(self, rows=rows)

    def only(self, present: list[int]) -> "Batch":
        """The tasks that are present."""
        return Batch(self.rows[present], self.losses[present], self.tasks[present], self.results[present])


def batch(seed: int) -> Batch:
    """Independent rows of unequal length, some in conflict, positive losses, and results."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.rand(NUM_TASKS, 1, generator=generator, dtype=torch.float64) + 0.3
    rows = lengths * torch.randn(NUM_TASKS, _WIDTH, generator=generator, dtype=torch.float64)
    losses = torch.rand(NUM_TASKS, generator=generator, dtype=torch.float64) + 0.1
    results = torch.rand(NUM_TASKS, generator=generator, dtype=torch.float64)
    return Batch(rows, losses, all_tasks(losses), results)


BATCHES = tuple(batch(seed) for seed in (1, 2, 3))


def situations() -> dict[str, Tensor]:
    """Rows [K, P] that have broken methods before."""
    rows, other = batch(4).rows, batch(5).rows
    one_zero = rows.clone()
    one_zero[1] = 0
    factors = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0], dtype=rows.dtype)[:, None]
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0], dtype=rows.dtype)[:, None]
    unequal = torch.tensor([1e-20, 1e-10, 1.0, 1e7, 1e15], dtype=rows.dtype)[:, None]
    return {
        "generic": rows,
        "all zero": torch.zeros_like(rows),
        "one zero": one_zero,
        "parallel": factors * rows[0],
        "equal": rows[:1].expand_as(rows).contiguous(),
        "opposite": signs * rows[0],
        "opposite, unequal": signs * factors * rows[0],
        "duplicated": rows[[0, 0, 1, 1, 2]],
        "duplicated but for rounding": rows[[0, 0, 1, 1, 2]] * (1 + 1e-15 * other),
        "of rank 2": factors * rows[[0, 1, 0, 1, 0]] - other[:, :1] * rows[0],
        "in balance": rows - rows.mean(dim=0),
        "tiny": rows * 1e-20,
        "huge": rows * 1e15,
        "tiny to huge": unequal * rows,
        "opposite, tiny to huge": signs * unequal * rows[0],
    }


def bound(method: Method) -> Method:
    """The method, told the number of tasks."""
    method.bind(NUM_TASKS)
    return method


def gradient(method: Method, shown: Batch) -> Tensor:
    """The combined gradient [P] of one step, of whatever type the method is."""
    rows, losses, tasks = shown.rows.clone(), shown.losses.clone(), shown.tasks.clone()  # a method may write
    if isinstance(method, CoordinateAggregator):
        combined = method(rows, losses, tasks)
        assert combined.shape == rows.shape[1:], f"gave a gradient of shape {tuple(combined.shape)} for rows [K, P]"
        return combined
    if isinstance(method, GroupAggregator):
        combined = torch.zeros_like(rows[0])
        by_group = method(shown.gramians(method), losses, tasks)
        assert by_group.shape == (len(shown.groups(method)), len(losses)), f"gave weights {tuple(by_group.shape)}"
        for weights, columns in zip(by_group, shown.groups(method), strict=True):
            combined[columns] = weights.detach().double() @ shown.rows[:, columns]
        return combined
    if isinstance(method, Weighting):
        objective, weights = linearise(method, losses, tasks)
        assert objective.dim() == 0, f"gave an objective of shape {tuple(objective.shape)}, not a scalar"
    else:
        assert isinstance(method, Aggregator), "is no Weighting, Aggregator, GroupAggregator or CoordinateAggregator"
        weights = method(rows @ rows.T, losses, tasks)
    assert weights.shape == losses.shape, f"gave weights of shape {tuple(weights.shape)} for {len(losses)} tasks"
    return weights.detach().double() @ shown.rows


def run(method: Method, batches: Iterable[Batch] = BATCHES) -> list[Tensor]:
    """The gradients of a short training: every batch is a step and an epoch, and parameters move."""
    gradients = []
    for shown in batches:
        gradients.append(gradient(method, shown))
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.25)  # in an optimiser's place
            method.after_step(0.9 * shown.losses, shown.tasks)
        method.observe(shown.results, shown.tasks)
        method.end_epoch()
    return gradients


def saved(method: Method) -> dict[str, Any]:
    """The state as a file would give it back."""
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file)
    return state


def require_equal(actual: Any, expected: Any, what: str) -> None:
    """Raise unless both are equal to the last bit; NaN equals NaN."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True, msg=_prefix(what))


def require_close(actual: Tensor, expected: Tensor, what: str) -> None:
    """Raise unless both vectors are equal but for a millionth of the longer one."""
    limit = 1e-6 * float(torch.maximum(actual.abs().max(), expected.abs().max()))
    torch.testing.assert_close(actual, expected, rtol=0, atol=limit, msg=_prefix(what))


def _prefix(what: str) -> Callable[[str], str]:
    return lambda found: f"{what}: {found}"
