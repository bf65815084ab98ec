"""Burgers' equation with PINA, from its collection of problems."""

import math

import torch
from lightning import seed_everything
from pina import Trainer
from pina.model import FeedForward
from pina.optim import TorchOptimizer
from pina.problem.zoo import BurgersProblem
from pina.solver import PhysicsInformedSingleModelSolver

if __name__ == "__main__":
    seed_everything(0, verbose=False)
    problem = BurgersProblem(nu=0.01 / math.pi)
    problem.discretise_domain(100, "random", domains="D")
    problem.discretise_domain(20, "random", domains=["boundary", "t0"])
    model = FeedForward(input_dimensions=2, output_dimensions=1, layers=[20, 20], func=torch.nn.Tanh)
    solver = PhysicsInformedSingleModelSolver(problem, model, optimizer=TorchOptimizer(torch.optim.Adam, lr=3e-3))
    trainer = Trainer(
        solver,
        max_epochs=12,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.train()
    torch.save(model.state_dict(), "model.pt")
