"""Two losses of two parameters, on which methods part company.

Liu et al., Conflict-Averse Gradient Descent, NeurIPS 2021, appendix; Navon et al., Multi-Task Learning as a
Bargaining Game, ICML 2022, appendix. The Pareto set is x1 from -7 to 7 at x2 near -8.3552.
"""

from math import cosh, log, sqrt, tanh

import torch
from descent import direction, told

FLOOR = 5e-6
LOWEST = 21.0  # both losses, before the scale, are above its negative
PAPERS = {  # scale of the first loss, steps, starts
    "nash": (0.1, 35_000, [(-8.5, 7.5), (0.0, 0.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0)]),
    "cagrad": (1.0, 100_000, [(-8.5, 7.5), (-8.5, -5.0), (9.0, 9.0)]),
}


def losses(x1, x2, scale):
    f1 = (0.5 * (-x1 - 7) - (-x2).tanh()).abs().clamp(min=FLOOR).log() + 6
    f2 = (0.5 * (-x1 + 3) + (-x2).tanh() + 2).abs().clamp(min=FLOOR).log() + 6
    q1 = ((-x1 + 7) ** 2 + 0.1 * (-x2 - 8) ** 2) / 10 - 20
    q2 = ((-x1 - 7) ** 2 + 0.1 * (-x2 - 8) ** 2) / 10 - 20
    up = (0.5 * x2).tanh()
    c1, c2 = up.where(up >= 0, 0.0), -up.where(up <= 0, 0.0)  # clamp has no gradient at its limit from torch 2.15 on
    return scale * (f1 * c1 + q1 * c2), f2 * c1 + q2 * c2


def by_hand(x1, x2, scale):
    """Both losses and their gradients: plain floats are what makes millions of steps bearable."""
    t, half = tanh(x2), tanh(0.5 * x2)
    slope, flank = 1 - t * t, 0.5 / cosh(0.5 * x2) ** 2
    c1, c1_2 = max(half, 0.0), flank if half >= 0 else 0.0
    c2, c2_2 = max(-half, 0.0), -flank if half <= 0 else 0.0
    u1, u2 = 0.5 * (-x1 - 7) + t, 0.5 * (-x1 + 3) - t + 2
    f1, f2 = log(max(abs(u1), FLOOR)) + 6, log(max(abs(u2), FLOOR)) + 6
    d1, d2 = (1 / u if abs(u) >= FLOOR else 0.0 for u in (u1, u2))
    bowl, bowl_2 = 0.01 * (x2 + 8) ** 2 - 20, 0.02 * (x2 + 8)
    q1, q2 = 0.1 * (7 - x1) ** 2 + bowl, 0.1 * (x1 + 7) ** 2 + bowl
    first = (
        scale * (-0.5 * d1 * c1 - 0.2 * (7 - x1) * c2),
        scale * (slope * d1 * c1 + f1 * c1_2 + bowl_2 * c2 + q1 * c2_2),
    )
    second = (
        -0.5 * d2 * c1 + 0.2 * (x1 + 7) * c2,
        -slope * d2 * c1 + f2 * c1_2 + bowl_2 * c2 + q2 * c2_2,
    )
    return (scale * (f1 * c1 + q1 * c2), f2 * c1 + q2 * c2), (first, second)


class Adam:
    """Its step for two parameters, Kingma & Ba, ICLR 2015, algorithm 1."""

    def __init__(self, beta2=0.999):
        self.beta2 = beta2
        self.mean, self.square, self.decay1, self.decay2 = [0.0, 0.0], [0.0, 0.0], 1.0, 1.0

    def step(self, gradient):
        self.decay1, self.decay2 = 0.9 * self.decay1, self.beta2 * self.decay2
        for i in (0, 1):
            self.mean[i] = 0.9 * self.mean[i] + 0.1 * gradient[i]
            self.square[i] = self.beta2 * self.square[i] + (1 - self.beta2) * gradient[i] * gradient[i]
        sizes = [sqrt(square / (1 - self.decay2)) + 1e-8 for square in self.square]
        return [mean / (1 - self.decay1) / size for mean, size in zip(self.mean, sizes, strict=True)]


def reached(x):
    """Whether this is the Pareto set."""
    return abs(x[1] + 8.3552) < 0.15 and abs(x[0]) <= 7.1


def descend_by_gramian(method, start, scale, steps):
    """The point after ``steps`` of Adam with learning rate 0.001, for an aggregator that reads no losses."""
    method.bind(2)
    gramian, tasks, unit = torch.empty(2, 2, dtype=torch.float64), torch.arange(2), torch.ones(2)
    entries = gramian.numpy()
    x, adam = list(start), Adam()
    for _ in range(steps):
        _, (g, h) = by_hand(*x, scale)
        entries[0, 0], entries[1, 1] = g[0] * g[0] + g[1] * g[1], h[0] * h[0] + h[1] * h[1]
        entries[0, 1] = entries[1, 0] = g[0] * h[0] + g[1] * h[1]
        first, second = method(gramian, unit, tasks).tolist()
        moves = adam.step([first * g[i] + second * h[i] for i in (0, 1)])
        x = [x[i] - 0.001 * moves[i] for i in (0, 1)]
    return x


def descend_any(method, start, scale, steps, rate):
    """The same for any method, all hooks served; losses are shown above their lower bound, as FAMO's authors do.

    The learning rate falls from ``rate`` to zero.
    """
    method.bind(2)
    x, adam = torch.tensor(start, dtype=torch.float64), Adam(beta2=0.99)

    def problem(x):
        (first, second), rows = by_hand(*x.tolist(), scale)
        shown = [first + LOWEST * scale, second + LOWEST]
        return torch.tensor(shown, dtype=torch.float64), torch.tensor(rows, dtype=torch.float64)

    for step in range(steps):
        shown, rows = problem(x)
        now = rate * (1 - step / steps)
        moves = adam.step(direction(method, shown, rows, now).tolist())
        x = x - now * torch.tensor(moves, dtype=torch.float64)
        told(method, problem, shown, step, x)
    return x.tolist()
