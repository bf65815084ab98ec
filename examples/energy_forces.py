"""Energies and forces of small clusters: the forces are the gradient of the network's own energy.

    python examples/energy_forces.py

Both tasks reach every weight, the forces by a second derivative. Four atoms with the potential of Lennard and Jones;
the network adds up a function of each pair's distance.
"""

import torch
from torch import nn

import equipoise as eq

PAIRS = torch.triu_indices(4, 4, 1)


def distances(positions):
    return (positions[:, PAIRS[0]] - positions[:, PAIRS[1]]).norm(dim=2)


def energy_and_forces(energy_of, positions):
    """[N] and [N, 4, 3], from a function of positions [N, 4, 3]; the graph reaches the function's parameters."""
    positions = positions.detach().requires_grad_()
    energy = energy_of(positions)
    return energy, -torch.autograd.grad(energy.sum(), positions, create_graph=True)[0]


def lennard_jones(positions):
    sixth = distances(positions) ** -6
    return 4 * (sixth**2 - sixth).sum(dim=1)


class Potential(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, positions):
        return self.pair(1 / distances(positions)[..., None]).sum(dim=(1, 2))


def clusters(count, generator):
    """Corners of a tetrahedron whose edges are 1.5 long, each moved."""
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.5 / 8**0.5
    positions = corners + 0.1 * torch.randn(count, 4, 3, generator=generator)
    return positions, *(values.detach() for values in energy_and_forces(lennard_jones, positions))


def train(method, steps=600):
    torch.manual_seed(0)
    generator, model = torch.Generator().manual_seed(0), Potential()
    positions, energies, forces = clusters(256, generator)
    balancer = eq.Balancer(method, model, tasks=["energy", "forces"])
    optimizer = torch.optim.Adam([*model.parameters(), *balancer.parameters()], lr=2e-3)
    for _ in range(steps):
        energy, force = energy_and_forces(model, positions)
        optimizer.zero_grad()
        balancer({"energy": (energy - energies).square().mean(), "forces": (force - forces).square().mean()}).backward()
        optimizer.step()
    positions, energies, forces = clusters(256, generator)
    energy, force = (found.detach() for found in energy_and_forces(model, positions))
    return float((energy - energies).abs().mean()), float((force - forces).abs().mean())


if __name__ == "__main__":
    for method in (eq.Sum(), eq.UW(), eq.NashMTL()):
        energy, force = train(method)
        print(f"{method}: error of the energy {energy:.4f}, of a force {force:.4f}")
