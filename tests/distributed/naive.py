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
    norms: Tensor  # of the tasks' gradients by all parameters
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
            method.match_sum()
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
        named = {p: parameter for p, parameter in self.net.named_parameters() if parameter.requires_grad}
        rows, reached = self._rows(weighted, names, named, incoming)
        values = torch.stack(weighted).detach().requires_grad_()
        scale, own = self._weighting(values, tasks, incoming)
        now = [p for p in named if any(mask[p] for mask in reached)]
        shared = [p for p in now if len(self.ever[p]) >= min(2, len(every))]
        flat = [torch.cat([torch.zeros(0), *(row[p].flatten() for p in shared)]) for row in rows]
        jacobian = torch.stack(flat).double()
        balanced = [k for k, mask in enumerate(reached) if any(mask[p] for p in shared)]
        norms = torch.stack([torch.stack([row[p].norm() for p in named]).norm() for row in rows])
        is_finite = bool(norms.isfinite().all())
        weights, mixed = scale.clone() if is_finite else torch.ones_like(scale), {}
        if isinstance(self.second, eq.Aggregator) and balanced and is_finite:
            seen = (scale[:, None] * found_gramian * scale)[balanced][:, balanced]
            weights[balanced] *= self.second(seen, values.detach().double()[balanced], tasks[balanced])
        elif self.second is not None and balanced and is_finite:
            seen = (scale[:, None] * jacobian)[balanced].to(named[shared[0]].dtype)
            mixture = self.second(seen, values.detach()[balanced].to(seen), tasks[balanced]).double()
            mixed = dict(zip(shared, mixture.split([named[p].numel() for p in shared]), strict=True))
        gradients, sizes = {}, {}
        for p in now:
            is_raw = self.second is not None and p not in shared and self.heads == "raw"
            terms = [(1.0 if is_raw else weight) * row[p] for weight, row in zip(weights, rows, strict=True)]
            gradients[p] = incoming * (mixed[p].view_as(named[p]) if p in mixed else sum(terms))
            sizes[p] = abs(incoming) * float(sum(term.norm() for term in terms))
        return Expected(gradients, sizes, own, jacobian @ jacobian.T, norms, is_finite)

    def _rows(self, losses, names, named, incoming):
        """For each task its gradient by every parameter, and which it reaches."""
        rows, reached = [], []
        for loss, task in zip(losses, names, strict=True):
            seed = torch.full_like(loss, incoming)
            found = torch.autograd.grad(loss, [*named.values()], seed, retain_graph=True, allow_unused=True)
            row = dict(zip(named, found, strict=True))
            reached.append({p: gradient is not None for p, gradient in row.items()})
            for p in named:
                self.ever.setdefault(p, set()).update({task} if row[p] is not None else ())
            rows.append(
                {p: (torch.zeros_like(named[p]) if g is None else g).double() / incoming for p, g in row.items()}
            )
        return rows, reached

    def _weighting(self, values, tasks, incoming):
        """d objective / d losses, and the gradients by the weighting's own parameters."""
        objective = self.weighting(values, tasks)
        (scale,) = torch.autograd.grad(objective, values, retain_graph=True)
        learned = [p for p in self.weighting.parameters() if p.requires_grad]
        seed = torch.full_like(objective, incoming)
        return scale.double(), list(torch.autograd.grad(objective, learned, seed)) if learned else []
