"""The reference: one process, whole batch, plain autograd, every step of a method written out."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import equipoise as eq

NAMES = ["a", "b", "c"]

METHODS = {
    "sum": eq.Sum,
    "uw": eq.UW,
    "mgda": eq.MGDA,
    "pcgrad": lambda: eq.PCGrad(seed=3),
    "nash-mtl": eq.NashMTL,
    "upgrad": eq.UPGrad,
    "graddrop": lambda: eq.GradDrop(seed=3),
}
GRADIENT_METHODS = {name: make for name, make in METHODS.items() if name not in ("sum", "uw")}


class Net(nn.Module):
    """A trunk and three heads: two regressions that disagree, one classification."""

    def __init__(self, middle: nn.Module | None = None) -> None:
        super().__init__()
        middle = nn.Linear(16, 16) if middle is None else middle
        self.trunk = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), middle, nn.Tanh())
        self.heads = nn.ModuleDict({"a": nn.Linear(16, 1), "b": nn.Linear(16, 1), "c": nn.Linear(16, 3)})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.apply_heads(self.trunk(x))

    def apply_heads(self, z: Tensor) -> dict[str, Tensor]:
        return {name: head(z) for name, head in self.heads.items()}


def net_of(seed=0, **arguments):
    torch.manual_seed(seed)
    return Net(**arguments)


def data_of(rows=12, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 5, generator=generator)
    return x, {"a": x[:, :1] * 2, "b": 3 - x[:, :1], "c": torch.randint(3, (rows,), generator=generator)}


LOSSES = {"a": F.mse_loss, "b": F.mse_loss, "c": F.cross_entropy}


def losses_of(out, targets, names=NAMES):
    return {name: LOSSES[name](out[name], targets[name]) for name in names}


def gradients_of(net):
    return [None if p.grad is None else p.grad.clone() for p in net.parameters()]


def bound(make):
    """A method as a balancer of three tasks would bind it."""
    method = make()
    method.bind(len(NAMES))
    method.match_sum()
    return method


def reference(method, losses, net):
    """The gradient by each parameter of the net: trunk balanced, heads raw, or all weighted by an objective."""
    tasks = torch.tensor([NAMES.index(name) for name in losses])
    parameters = [p for p in net.parameters() if p.requires_grad]
    rows = [torch.autograd.grad(x, parameters, retain_graph=True, allow_unused=True) for x in losses.values()]
    rows = [[torch.zeros_like(p) if g is None else g for p, g in zip(parameters, row, strict=True)] for row in rows]
    values = torch.stack([loss.detach() for loss in losses.values()])
    trunk = [i for i, p in enumerate(parameters) if any(p is q for q in net.trunk.parameters())]
    jacobian = torch.stack([torch.cat([row[i].flatten() for i in trunk]) for row in rows])
    combined = [sum(row[i] for row in rows) for i in range(len(parameters))]  # heads: one row alone is not zero
    if isinstance(method, eq.Weighting):
        leaf = values.requires_grad_()
        (weights,) = torch.autograd.grad(method(leaf, tasks), leaf)
        return [sum(w * row[i] for w, row in zip(weights, rows, strict=True)) for i in range(len(parameters))]
    if isinstance(method, eq.Aggregator):
        wide = jacobian.double()
        weights = method(wide @ wide.T, values.double(), tasks)
        flat = (weights @ wide).to(jacobian.dtype)
    else:
        flat = method(jacobian, values, tasks)
    for i, piece in zip(trunk, flat.split([parameters[i].numel() for i in trunk]), strict=True):
        combined[i] = piece.view_as(parameters[i])
    return combined


def error(gradients, expected):
    """Largest difference over the largest number, by parameter."""
    pairs = [(g, e) for g, e in zip(gradients, expected, strict=True) if e is not None and e.any()]
    assert pairs
    return max(float((g.double() - e.double()).abs().max() / e.double().abs().max()) for g, e in pairs)
