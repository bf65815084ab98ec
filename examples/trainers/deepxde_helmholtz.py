"""DeepXDE: ``BalancedModel(data, net, eq.ConFIG(), tasks=[...])``; its Helmholtz demo, smaller and unweighted."""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")
import deepxde as dde
import numpy as np

import equipoise as eq
from equipoise.trainers.deepxde import BalancedModel


def equation(x, u):
    curvature = dde.grad.hessian(u, x, i=0, j=0) + dde.grad.hessian(u, x, i=1, j=1)
    return -curvature - np.pi**2 * u - np.pi**2 * (np.pi * x).sin().prod(dim=1, keepdim=True)


def made_problem(equation=equation, points=256, width=32):
    square = dde.geometry.Rectangle([0, 0], [1, 1])
    boundary = dde.icbc.DirichletBC(square, lambda x: 0, lambda _, on_boundary: on_boundary)
    data = dde.data.PDE(square, equation, boundary, points, points // 4)
    return data, dde.nn.FNN([2, width, width, 1], "sin", "Glorot uniform")


def relative_error(model):
    x = np.random.default_rng(0).random((1000, 2))
    return dde.metrics.l2_relative_error(np.sin(np.pi * x).prod(axis=1, keepdims=True), model.predict(x))


def main() -> None:
    dde.config.set_random_seed(0)
    model = BalancedModel(*made_problem(), eq.ConFIG(), tasks=["equation", "boundary"])
    model.compile("adam", lr=3e-3)
    model.train(iterations=600, display_every=100)
    print(relative_error(model), model.balancer.record.weights)


if __name__ == "__main__":
    main()
