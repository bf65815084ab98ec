"""Strongly convex tasks whose Pareto set is known: x(w) = (sum w_k A_k)^-1 sum w_k A_k u_k, w in the simplex."""

import numpy as np
import scipy.optimize
import torch

START = torch.tensor([0.9, -0.6, 0.6, 0.3], dtype=torch.float64)  # for tasks that are drawn


class Quadratics:
    """loss_k = (x - u_k)' A_k (x - u_k) / 2 + floor_k: x [P] -> losses [K], rows [K, P]."""

    def __init__(self, centres, hessians, floors):
        self.centres, self.hessians, self.floors = centres, hessians, floors

    def __call__(self, x):
        away = x - self.centres
        rows = (self.hessians @ away[:, :, None])[:, :, 0]
        return (rows * away).sum(dim=1) / 2 + self.floors, rows

    def point(self, weights):
        """The minimum of sum_k weights_k loss_k."""
        parts = torch.as_tensor(weights, dtype=torch.float64)[:, None, None] * self.hessians
        return torch.linalg.solve(parts.sum(dim=0), (parts @ self.centres[:, :, None]).sum(dim=0)[:, 0])

    def least(self, scalar):
        """The point of the Pareto set with the least ``scalar(losses)``, which must rise with every loss."""

        def value(logits):
            return float(scalar(self(self.point(_simplex(logits)))[0]))

        options = {"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000, "maxfev": 4000}
        start = np.zeros(len(self.centres) - 1)
        found = scipy.optimize.minimize(value, start, method="Nelder-Mead", options=options)
        return self.point(_simplex(found.x))


def _simplex(logits):
    return torch.softmax(torch.tensor([0.0, *logits], dtype=torch.float64), dim=0)


def drawn(num_tasks, width=4, seed=0):
    """Tasks of unlike scale and shape, condition number up to 4 each."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)[:num_tasks]
    turns = torch.linalg.qr(torch.randn(num_tasks, width, width, generator=generator, dtype=torch.float64)).Q
    curvatures = 0.5 + 1.5 * torch.rand(num_tasks, width, generator=generator, dtype=torch.float64)
    hessians = scales[:, None, None] * (turns * curvatures[:, None, :]) @ turns.transpose(1, 2)
    centres = torch.randn(num_tasks, width, generator=generator, dtype=torch.float64)
    centres = centres / centres.norm(dim=1, keepdim=True)
    return Quadratics(centres, hessians, scales)
