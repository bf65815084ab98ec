"""A small network with a trunk and a head per task, for laws that go through a balancer."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.balancer import Balancer
from equipoise.method import Method
from equipoise.testing.run import NUM_TASKS, Batch

NAMES = tuple(f"task {k}" for k in range(NUM_TASKS))


class Network:
    """Outputs tanh(inputs @ trunk) @ head_k, losses by mean squared error, a balancer; float64, always the same.

    Trunk [4, 3], heads [3], batches of 6 inputs. Batches are drawn by ``seed``.
    """

    def __init__(self, method: Method) -> None:
        generator = torch.Generator().manual_seed(0)
        self.trunk = torch.randn(4, 3, generator=generator, dtype=torch.float64).requires_grad_()
        self.heads = [torch.randn(3, generator=generator, dtype=torch.float64).requires_grad_() for _ in NAMES]
        self.balancer = Balancer(method, [self.trunk, *self.heads], tasks=NAMES)

    def losses(self, seed: int, present: Sequence[int] = range(NUM_TASKS)) -> dict[str, Tensor]:
        """The losses [] of a batch, by task name, of the ``present`` tasks."""
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.randn(6, 4, generator=generator, dtype=torch.float64)
        targets = torch.randn(NUM_TASKS, 6, generator=generator, dtype=torch.float64)
        features = torch.tanh(inputs @ self.trunk)
        return {NAMES[k]: (features @ self.heads[k] - targets[k]).square().mean() for k in present}

    def batch(self, seed: int) -> Batch:
        """What a method sees of a batch: the jacobian [K, 12] of the trunk, by plain autograd, and the losses [K]."""
        losses = list(self.losses(seed).values())
        rows = [torch.autograd.grad(loss, self.trunk, retain_graph=True)[0].flatten() for loss in losses]
        values = torch.stack(losses).detach()
        return Batch(torch.stack(rows), values, torch.arange(NUM_TASKS), -values, (self.trunk.numel(),))

    def delivered(self, losses: dict[str, Tensor], incoming: float = 1.0) -> Tensor:
        """The trunk's ``.grad`` [12] after a backward pass that begins with the gradient ``incoming``."""
        self.trunk.grad = None
        (incoming * self.balancer(losses)).backward()
        assert self.trunk.grad is not None, "delivered no gradient"
        return self.trunk.grad.flatten()
