"""PINA: ``PINN(..., weighting=BalancerWeighting(eq.ConFIG()))``; an equation whose boundary the sum neglects."""

import torch
from lightning import seed_everything
from pina import Trainer
from pina.model import FeedForward
from pina.optim import TorchOptimizer
from pina.problem.zoo import HelmholtzProblem
from pina.solver import PhysicsInformedSingleModelSolver

import equipoise as eq
from equipoise.trainers.pina import BalancerWeighting

QUIET = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False)


def made_solver(weighting=None, points=256, width=32):
    problem = HelmholtzProblem(alpha_x=1, alpha_y=1)
    problem.discretise_domain(points, "random", domains=["D", "boundary"])
    model, adam = FeedForward(2, 1, layers=[width, width]), TorchOptimizer(torch.optim.Adam, lr=3e-3)
    return PhysicsInformedSingleModelSolver(problem, model, adam, weighting=weighting)


def relative_error(solver, points=1000):
    x = solver.problem.spatial_domain.sample(points, "random")
    exact = solver.problem.solution(x).tensor
    return float((solver(x).tensor.detach() - exact).norm() / exact.norm())


def main() -> None:
    seed_everything(0)  # PINA draws points by Python's random, too
    solver = made_solver(BalancerWeighting(eq.ConFIG()))
    Trainer(solver, max_epochs=600, accelerator="cpu", **QUIET).train()
    print(f"error {relative_error(solver):.3f}, weights {solver.weighting.last_saved_weights()}")


if __name__ == "__main__":
    main()
