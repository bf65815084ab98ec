"""The delivered gradient is sum_k w_nk g_k by every group n of parameters, whatever the network."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import equipoise as eq


def weigh(gramian: Tensor) -> Tensor:
    """Weights that depend on the gramian, so that a wrong one shows; ones where nothing moves."""
    trace = gramian.trace()
    return 1.0 + (gramian.sum(dim=1) / trace).where(trace > 0, 0.0) / (2.0 + torch.arange(len(gramian)))


class PerPart(eq.GroupAggregator):
    """A group for every ``size`` parameters, in their order."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def groups_of(self, parameters: dict[str, Tensor]) -> list[list[Tensor]]:
        given = list(parameters.values())
        return [given[i : i + self.size] for i in range(0, len(given), self.size)]

    def forward(self, gramians: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.stack([weigh(gramian) for gramian in gramians])


@pytest.mark.paired
@pytest.mark.parametrize("division", [(1, "factored"), (2, "rows"), (3, "factored")], ids=str)
def test_every_group_delivers_its_definition(case, division):
    size, route = division
    parameters = list(case.model.parameters())
    num_tasks = len(case.losses)
    rows = {}
    for parameter in parameters:
        found = [
            torch.autograd.grad(loss, parameter, retain_graph=True, allow_unused=True)[0]
            if parameter.requires_grad
            else None
            for loss in case.losses.values()
        ]
        rows[parameter] = found
    shared = {p for p in parameters if sum(g is not None for g in rows[p]) >= min(2, num_tasks)}
    expected = {}
    for group in PerPart(size).groups_of(dict(enumerate(parameters))):
        members = [p for p in group if p in shared]
        dense = {p: torch.stack([torch.zeros_like(p) if g is None else g for g in rows[p]]).double() for p in members}
        flat = torch.cat(
            [torch.zeros(num_tasks, 0).double(), *(dense[p].reshape(num_tasks, -1) for p in members)], dim=1
        )
        weights = weigh(flat @ flat.T)
        expected.update({p: torch.tensordot(weights, dense[p], dims=1) for p in members})
    balancer = eq.Balancer(PerPart(size), case.model, tasks=list(case.losses), route=route)
    balancer(case.losses).backward()
    for parameter in parameters:
        if parameter in expected:
            limit = 1e-6 if parameter.dtype == torch.float64 else case.tolerance
            bound = limit * float(expected[parameter].abs().max() + 1e-12)
            assert_close(parameter.grad.double(), expected[parameter], rtol=limit, atol=bound)
        elif any(g is not None for g in rows[parameter]):
            (gradient,) = [g for g in rows[parameter] if g is not None]
            assert_close(parameter.grad, gradient)
