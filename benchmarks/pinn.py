"""Physics-informed networks: does balancing equation and conditions lower the error against the exact solution?

    python benchmarks/pinn.py [--problem helmholtz burgers] [--methods sum ...] [--steps 1500] [--seeds 5]

*helmholtz*: u_xx + u_yy + u = q on the square from -1 to 1, 0 on its boundary, with u = sin(πx) sin(4πy); *burgers*:
u_t + u u_x = (0.01 / π) u_xx on x from -1 to 1 and t from 0 to 1, 0 at both ends, with u(x, 0) = -sin(πx), whose
solution is an integral by Cole and Hopf. Both as in Wang, Teng & Perdikaris, SIAM J. Sci. Comput. 2021, and in Raissi,
Perdikaris & Karniadakis, J. Comput. Phys. 2019; here a network of 4 layers of 50, Adam at 1e-3 with a cosine to 0, and
points drawn anew in each step.
"""

import argparse
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from equipoise import lab

VISCOSITY = 0.01 / torch.pi
POINTS, EDGE = 256, 64  # of the equation, and of each condition, in a step
JUDGED = {"solution": ("relative L2 error", "lower")}


def derivatives(u, points):
    return torch.autograd.grad(u.sum(), points, create_graph=True)[0].unbind(dim=1)


def sines(points):
    return torch.sin(torch.pi * points[:, 0]) * torch.sin(4 * torch.pi * points[:, 1])


class Helmholtz:
    tasks = ("equation", "boundary")

    def losses(self, net, generator):
        points = (2 * torch.rand(POINTS, 2, generator=generator) - 1).requires_grad_()
        u = net(points)[:, 0]
        u_x, u_y = derivatives(u, points)
        u_xx, u_yy = derivatives(u_x, points)[0], derivatives(u_y, points)[1]
        source = (1 - 17 * torch.pi**2) * sines(points.detach())
        edge = 2 * torch.rand(EDGE, 2, generator=generator) - 1
        edge[torch.arange(EDGE), torch.arange(EDGE) % 2] = torch.where(torch.arange(EDGE) % 4 < 2, -1.0, 1.0)
        return {"equation": (u_xx + u_yy + u - source).square().mean(), "boundary": net(edge).square().mean()}

    def exact(self):
        side = torch.linspace(-1, 1, 101)
        points = torch.cartesian_prod(side, side)
        return points, sines(points)


class Burgers:
    tasks = ("equation", "boundary", "initial")

    def losses(self, net, generator):
        points = torch.rand(POINTS, 2, generator=generator)
        points = (points * torch.tensor([2.0, 1.0]) - torch.tensor([1.0, 0.0])).requires_grad_()
        u = net(points)[:, 0]
        u_x, u_t = derivatives(u, points)
        residual = u_t + u * u_x - VISCOSITY * derivatives(u_x, points)[0]
        ends = torch.stack([torch.arange(EDGE) % 2 * 2.0 - 1.0, torch.rand(EDGE, generator=generator)], dim=1)
        x = 2 * torch.rand(EDGE, generator=generator) - 1
        start = net(torch.stack([x, torch.zeros(EDGE)], dim=1))[:, 0] + torch.sin(torch.pi * x)
        losses = (residual.square().mean(), net(ends).square().mean(), start.square().mean())
        return dict(zip(self.tasks, losses, strict=True))

    def exact(self):
        """Basdevant et al., Computers & Fluids 1986, eq. (2.5), by quadrature of Gauss and Hermite."""
        nodes, weights = np.polynomial.hermite.hermgauss(100)
        x, t = (grid.ravel() for grid in np.meshgrid(np.linspace(-1, 1, 201), np.linspace(0.01, 1, 100)))
        shifted = x[:, None] - 2 * np.sqrt(float(VISCOSITY) * t)[:, None] * nodes
        kernel = weights * np.exp(-np.cos(np.pi * shifted) / (2 * np.pi * float(VISCOSITY)))
        u = -(np.sin(np.pi * shifted) * kernel).sum(1) / kernel.sum(1)
        return torch.tensor(np.stack([x, t], axis=1), dtype=torch.float32), torch.tensor(u, dtype=torch.float32)


def new_net():
    sizes = [2, 50, 50, 50, 50]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers, nn.Linear(50, 1))


def training(problem, steps):
    def train(arm, seed):
        generator, net = torch.Generator().manual_seed(seed), new_net()
        balancer = arm.balancer(net, problem.tasks)
        optimizer = torch.optim.Adam([*net.parameters(), *balancer.parameters()], lr=1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad()
            balancer(problem.losses(net, generator)).backward()
            optimizer.step()
            schedule.step()
        points, u = problem.exact()
        with torch.no_grad():
            error = float((net(points)[:, 0] - u).norm() / u.norm())
        print(f"{arm.name}, seed {seed}: {error:.4f}", flush=True)
        return {"solution/relative L2 error": error}

    return train


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", nargs="+", default=["helmholtz", "burgers"], choices=["helmholtz", "burgers"])
    parser.add_argument("--methods", nargs="+", default=["sum", "lr-annealing", "relobralo", "config"])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    for name in options.problem:
        train = training({"helmholtz": Helmholtz, "burgers": Burgers}[name](), options.steps)
        results = lab.compare(train, options.methods, seeds=options.seeds, tasks=JUDGED, title=name)
        print(results.table())
        print(results.verdict.headline)


if __name__ == "__main__":
    main()
