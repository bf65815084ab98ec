"""A network of three tasks for methods that remember gradients by coordinate."""

import torch
from torch import nn

NAMES = ("a", "b", "c")


class Net(nn.Module):
    """Losses of very different scale, of any of the tasks, on the seed's batch."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 8), nn.Tanh())
        self.heads = nn.ModuleDict({name: nn.Linear(8, 2) for name in NAMES})

    def losses(self, seed, present=NAMES):
        x = torch.randn(7, 5, generator=torch.Generator().manual_seed(seed), dtype=self.trunk[0].weight.dtype)
        z = self.trunk(x)
        return {n: 10.0**k * (self.heads[n](z) - k).square().mean() for k, n in enumerate(NAMES) if n in present}

    def row(self, loss):
        """The gradient [P] of a loss by the trunk."""
        gradients = torch.autograd.grad(loss, list(self.trunk.parameters()), retain_graph=True)
        return torch.cat([g.flatten() for g in gradients])
