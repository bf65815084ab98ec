"""A balancer written naively: K times ``autograd.grad`` by all parameters, a dense gramian, nothing saved or shared."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

import equipoise as eq

LOSSES = {"sum": eq.Sum, "uw": eq.UW, "gls": lambda: eq.method("gls"), "rlw": lambda: eq.method("rlw")}
GRAMIAN = {
    "mgda": eq.MGDA,
    "pcgrad": eq.PCGrad,
    "nash-mtl": eq.NashMTL,
    "upgrad": lambda: eq.method("upgrad"),
    "cagrad": lambda: eq.method("cagrad"),
    "aligned-mtl": lambda: eq.method("aligned-mtl"),
    "gradvac": lambda: eq.method("gradvac"),
    "running-norm": lambda: eq.method("running-norm"),
    "imtl-g": lambda: eq.method("imtl-g"),
}
ROWS = {name: (lambda name=name: eq.method(name)) for name in ("graddrop", "moco", "median", "trimmed-mean")}
METHODS = [*LOSSES, *GRAMIAN, *ROWS, "uw, mgda", "gls, pcgrad", "uw, graddrop"]


def method_named(name):
    """One method, or a chain of two."""
    made = [(LOSSES | GRAMIAN | ROWS)[part]() for part in name.split(", ")]
    return made[0] if len(made) == 1 else eq.Chain(*made)


@dataclass
class Expected:
    """What a step gives: gradients by name, and how large the terms were that each was summed from."""

    gradients: dict[str, Tensor]
    sizes: dict[str, float]
    own: list[Tensor]  # gradients by the method's own parameters
    gramian: Tensor
    is_finite: bool


@dataclass
class Naive:
    """Its ``step`` is the definition."""

    name: str
    net: nn.Module
    weights: dict[str, float]  # the users', of all tasks
    heads: str
    ever: dict[str, set[str]] = field(default_factory=dict)  # parameter -> the tasks that ever reached it

    def __post_init__(self):
        parts = self.name.split(", ")
        self.weighting = LOSSES[parts[0]]() if parts[0] in LOSSES else eq.Sum()
        self.second = (GRAMIAN | ROWS)[parts[-1]]() if parts[-1] not in LOSSES else None
        for method in filter(None, (self.weighting, self.second)):
            method.bind(len(self.weights))
            if set(self.weights.values()) != {1.0}:
                method.prefer(torch.tensor(list(self.weights.values()), dtype=torch.float64))

    def step(self, losses: dict[str, Tensor], incoming: float, found_gramian: Tensor | None) -> Expected:
        """What balancing these losses gives. The method is shown the gramian found, which must be near the true one:
        a method may be as steep as it likes there.
        """
        every = list(self.weights)
        names = [name for name in every if name in losses]
        tasks = torch.tensor([every.index(name) for name in names], dtype=torch.int64)
        weighted = [losses[name] * self.weights[name] for name in names]
        named = {name: p for name, p in self.net.named_parameters() if p.requires_grad}
        rows = {name: [] for name in named}
        for loss, task in zip(weighted, names, strict=True):
            seed = torch.full_like(loss, incoming)
            for p, row in zip(named, torch.autograd.grad(loss, [*named.values()], seed, True, allow_unused=True)):
                rows[p].append(None if row is None else row.double() / incoming)
                if row is not None:
                    self.ever.setdefault(p, set()).add(task)
        values = torch.stack(weighted).detach().requires_grad_()
        objective = self.weighting(values, tasks)
        (scale,) = torch.autograd.grad(objective, values, retain_graph=True)
        learned = [p for p in self.weighting.parameters() if p.requires_grad]
        own = torch.autograd.grad(objective, learned, torch.full_like(objective, incoming)) if learned else []
        scale = scale.double()
        enough = min(2, len(every))
        now = {p for p in named if any(row is not None for row in rows[p])}
        shared = [p for p in named if p in now and len(self.ever[p]) >= enough]
        zeros = {p: torch.zeros_like(named[p], dtype=torch.float64) for p in named}
        flat = [
            torch.cat([(zeros[p] if rows[p][k] is None else rows[p][k]).flatten() for p in shared] or [torch.zeros(0)])
            for k in range(len(names))
        ]
        jacobian = torch.stack(flat).double()
        balanced = [k for k in range(len(names)) if any(rows[p][k] is not None for p in shared)]
        is_finite = all(row.isfinite().all() for its in rows.values() for row in its if row is not None)
        weights, mixture = scale.clone() if is_finite else torch.ones_like(scale), None
        gramian = jacobian @ jacobian.T
        if self.second is not None and balanced and is_finite:
            if isinstance(self.second, eq.Aggregator):
                scaled = (scale[:, None] * found_gramian * scale)[balanced][:, balanced]
                weights[balanced] *= self.second(scaled, values.detach().double()[balanced], tasks[balanced])
            else:
                seen = (scale[:, None] * jacobian)[balanced].to(next(iter(named.values())).dtype)
                mixture = self.second(seen, values.detach()[balanced].to(seen), tasks[balanced]).double()
        gradients, sizes = {}, {}
        pieces = dict(zip(shared, mixture.split([named[p].numel() for p in shared])) if mixture is not None else ())
        for p in now:
            raw = self.second is not None and p not in shared and self.heads == "raw"
            terms = [(1.0 if raw else weights[k]) * row for k, row in enumerate(rows[p]) if row is not None]
            gradients[p] = incoming * (pieces[p].view_as(named[p]) if p in pieces else sum(terms))
            sizes[p] = abs(incoming) * float(sum(term.norm() for term in terms))
        return Expected(gradients, sizes, list(own), gramian, is_finite)
