"""Training as its definition has it: K calls of autograd.grad on the whole batch, in float64, in one process."""

import torch
from torch import nn

import equipoise as eq
from equipoise.method import CoordinateAggregator, GroupAggregator, Weighting

NAMES = ("a", "b", "c")
SIZE, STEPS, RATE = 16, 3, 0.05
KINDS = {
    "uw": eq.UW,
    "mgda": eq.MGDA,
    "graddrop": lambda: eq.method("graddrop"),
    "metabalance": lambda: eq.method("metabalance"),
    "every 2, mgda": lambda: eq.Every(2, eq.MGDA()),
}


class Net(nn.Module):
    """A trunk with three heads; ``trunk`` may be replaced by something that calls it."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh())
        self.heads = nn.ModuleDict({name: nn.Linear(16, 2) for name in NAMES})

    def forward(self, x):
        z = self.trunk(x)
        return {"z": z, **{name: head(z) for name, head in self.heads.items()}}


def batch(step):
    """Inputs and targets of which some are missing, unevenly over samples; no four in a row lack all of a task."""
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(SIZE, 6, generator=generator)
    targets = {name: 3.0**k * torch.randn(SIZE, 2, generator=generator) for k, name in enumerate(NAMES)}
    targets["b"][[0, 2, 4, 13]] = torch.nan
    targets["c"][1::4] = torch.nan
    return x, targets


def shares(rank, size, micro_batches):
    """For each micro-batch the samples that a rank has in it."""
    mine = torch.arange(SIZE).view(size, -1)[rank]
    return list(mine.view(micro_batches, -1))


def loss_of(outputs, target):
    known = ~target.isnan().any(dim=1)
    return (outputs[known] - target[known]).square().mean()


def balanced(method, net, losses, dtype):
    """The gradient of every parameter of the network, and of the method; numbers are drawn in that dtype."""
    named, stacked = dict(net.named_parameters()), torch.stack(losses)
    tasks = torch.arange(len(losses))
    if isinstance(method, Weighting):
        sought = [*named.values(), *method.parameters()]
        found = torch.autograd.grad(method(stacked, tasks), sought)
        return found[: len(named)], found[len(named) :]
    rows = [torch.autograd.grad(loss, named.values(), retain_graph=True, materialize_grads=True) for loss in losses]
    shared = [i for i, name in enumerate(named) if name.startswith("trunk")]
    result = [sum(row[i] for row in rows) for i in range(len(named))]  # of a head, one task's own
    jacobian = torch.stack([torch.cat([row[i].flatten() for i in shared]) for row in rows])
    values = stacked.detach()
    if isinstance(method, CoordinateAggregator):
        combined = method(jacobian.to(dtype), values.to(dtype), tasks).double()
        pieces = combined.split([rows[0][i].numel() for i in shared])
        for i, piece in zip(shared, pieces, strict=True):
            result[i] = piece.view_as(rows[0][i])
    elif isinstance(method, GroupAggregator):
        place = {p: i for i, p in enumerate(named.values())}
        groups = [[place[p] for p in group] for group in method.groups_of(named)]
        gramians = []
        for group in groups:
            parts = [torch.cat([row[i].flatten() for i in group if i in shared] or [values[:0]]) for row in rows]
            gramians.append(torch.stack(parts) @ torch.stack(parts).mT)
        for group, weights in zip(groups, method(torch.stack(gramians), values, tasks), strict=True):
            for i in (i for i in group if i in shared):
                result[i] = sum(w * row[i] for w, row in zip(weights, rows, strict=True))
    else:
        weights = method(jacobian @ jacobian.mT, values, tasks)
        for i in shared:
            result[i] = sum(w * row[i] for w, row in zip(weights, rows, strict=True))
    return result, []


def train(kind, dtype, size=1, micro_batches=1, clip=None):
    """The balanced gradients of all steps, end to end."""
    torch.manual_seed(0)
    net, method = Net().double(), KINDS[kind]()
    method.bind(len(NAMES))
    method.match_sum()
    method.double()
    parameters, learned = list(net.parameters()), list(method.parameters())
    taken = []
    for step in range(STEPS):
        x, targets = batch(step)
        total = [torch.zeros_like(p) for p in [*parameters, *learned]]
        for number in range(micro_batches):
            samples = torch.cat([shares(rank, size, micro_batches)[number] for rank in range(size)])
            outputs = net(x[samples].double())
            losses = [loss_of(outputs[name], targets[name][samples].double()) for name in NAMES]
            own, others = balanced(method, net, losses, dtype)
            total = [old + new / micro_batches for old, new in zip(total, [*own, *others], strict=True)]
        if clip is not None:
            norm = torch.cat([g.flatten() for g in total[: len(parameters)]]).norm()
            total[: len(parameters)] = [g * min(1.0, clip / (norm + 1e-6)) for g in total[: len(parameters)]]
        taken.append(torch.cat([g.detach().flatten() for g in total[: len(parameters)]]))
        with torch.no_grad():
            for p, g in zip([*parameters, *learned], total, strict=True):
                p -= RATE * g
    return torch.stack(taken)
