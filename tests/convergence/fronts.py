"""Problems whose Pareto front is known: convex (ZDT1), concave (Fonseca, ZDT2, DTLZ2) and in pieces (ZDT3).

Fonseca & Fleming 1995 (VLMOP2 of Van Veldhuizen 1999); Zitzler, Deb, Thiele, Evolutionary Computation 2000 (ZDT);
Deb, Thiele, Laumanns, Zitzler, CEC 2002 (DTLZ).
"""

import torch

PI = torch.pi


class Problem:
    """x [P] -> losses [K], rows [K, P] by autograd; ``onto`` brings a point back into the box."""

    def __init__(self, function, front, low=1e-6, high=1.0):  # at 0 the root of ZDT's first loss has no slope
        self.function, self.front, self.low, self.high = function, front, low, high

    def __call__(self, x):
        leaf = x.clone().requires_grad_()
        losses = self.function(leaf)
        rows = [torch.autograd.grad(loss, leaf, retain_graph=True)[0] for loss in losses]
        return losses.detach(), torch.stack(rows)

    def onto(self, x):
        return x.clamp(self.low, self.high)

    def away(self, losses):
        """The distance from the front."""
        return float((self.front - losses).norm(dim=1).min())

    def least(self, scalar):
        """The smallest ``scalar`` over the front, and the losses there."""
        values = scalar(self.front)
        return float(values.min()), self.front[values.argmin()]


def fonseca(x):
    centre = len(x) ** -0.5
    return torch.stack([1 - (-(x - side * centre).square().sum()).exp() for side in (1, -1)])


def _zdt(second):
    def losses(x):
        return torch.stack([x[0], second(x[0], 1 + 9 * x[1:].mean())])

    return losses


def _zdt1(f, g):
    return g * (1 - (f / g).sqrt())


def _zdt2(f, g):
    return g * (1 - (f / g).square())


def _zdt3(f, g):
    """One more than the published loss, which is negative in places."""
    return 1 + g * (1 - (f / g).sqrt() - f / g * (10 * PI * f).sin())


def _dtlz2(x):
    """Three losses by two angles, and by the distance of the other coordinates from 1/2."""
    radius, a, b = 1 + (x[2:] - 0.5).square().sum(), x[0] * PI / 2, x[1] * PI / 2
    return radius * torch.stack([a.cos() * b.cos(), a.cos() * b.sin(), a.sin()])


def _at_best_distance(second):
    f = torch.linspace(1e-6, 1, 20_001, dtype=torch.float64)
    front = torch.stack([f, second(f, torch.ones_like(f))], dim=1)
    return front[front[:, 1] <= front[:, 1].cummin(dim=0).values]  # ZDT3: without what others dominate


def _fonseca_front():
    s = torch.linspace(-1, 1, 20_001, dtype=torch.float64)  # x = s / sqrt(P) in all coordinates
    return torch.stack([1 - (-((s - 1) ** 2)).exp(), 1 - (-((s + 1) ** 2)).exp()], dim=1)


def _sphere():
    a = torch.linspace(0, PI / 2, 300, dtype=torch.float64)
    a, b = torch.cartesian_prod(a, a).T
    return torch.stack([a.cos() * b.cos(), a.cos() * b.sin(), a.sin()], dim=1)


PROBLEMS = {
    "fonseca": Problem(fonseca, _fonseca_front(), -2.0),
    "zdt1": Problem(_zdt(_zdt1), _at_best_distance(_zdt1)),
    "zdt2": Problem(_zdt(_zdt2), _at_best_distance(_zdt2)),
    "zdt3": Problem(_zdt(_zdt3), _at_best_distance(_zdt3)),
    "dtlz2": Problem(_dtlz2, _sphere(), 0.0),
}
STARTS = {  # ZDT3 has a local minimum in every piece of its front: the best of some starts counts
    "fonseca": [[0.6, -0.2]],
    "zdt1": [[0.5, 0.4, 0.3]],
    "zdt2": [[0.5, 0.4, 0.3]],
    "zdt3": [[0.22, 0.2, 0.1], [0.43, 0.2, 0.1], [0.64, 0.2, 0.1]],
    "dtlz2": [[0.3, 0.6, 0.2, 0.9]],
}
