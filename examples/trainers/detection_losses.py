"""A tensor of box, cls, dfl: ``eq.Balancer(method, model["backbone"], ...)``; a criterion as ultralytics' has it."""

import torch
from torch import nn

import equipoise as eq
from equipoise import losses

BINS, SIGNS = torch.arange(8.0), torch.tensor([-1.0, -1.0, 1.0, 1.0])  # a side's distance from its anchor is in bins


def make_detector():
    backbone = nn.Sequential(nn.Linear(12, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU())
    return nn.ModuleDict({"backbone": backbone, "sides": nn.Linear(32, 4 * 8), "classes": nn.Linear(32, 3)})


def criterion(model, x, sides, labels):
    z = model["backbone"](x)
    logits = model["sides"](z).unflatten(1, (4, -1))
    box = losses.ciou(logits.softmax(dim=2) @ BINS * SIGNS, sides * SIGNS)
    cls = nn.functional.cross_entropy(model["classes"](z), labels)
    dfl = nn.functional.cross_entropy(logits.flatten(0, 1), sides.flatten().round().long())
    return torch.stack([7.5 * box, 0.5 * cls, 1.5 * dfl])


def main() -> None:
    torch.manual_seed(0)
    model, x = make_detector(), torch.randn(64, 12)
    balancer = eq.Balancer(eq.UPGrad(), model["backbone"], tasks=["box", "cls", "dfl"])  # right however they are joined
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(100):
        optimizer.zero_grad()
        joined = criterion(model, x, x[:, :4].abs() + 1, x[:, 4:7].argmax(dim=1))
        balancer(dict(zip(balancer.names, joined, strict=True))).backward()
        optimizer.step()
    print(balancer.record.losses, balancer.record.weights)


if __name__ == "__main__":
    main()
