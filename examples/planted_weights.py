"""Known best weights: which searches and which methods find them.

Three tasks measure the same 500 numbers with noise of 1, 0.5 and 2; the network is these numbers, shared by all. With
weights w, training ends at the weighted mean of the tasks' measurements, whose expected squared error is
Σ w² σ² / (n (Σ w)²), least at w proportional to 1 / σ². The excess is by how much an error is above the least.

Run: python examples/planted_weights.py   (needs the workbench: pip install "equipoise[lab]")
"""

import sys
import tempfile
from concurrent.futures import Future
from pathlib import Path

import torch
from optuna.storages import InMemoryStorage

import equipoise as eq
from equipoise.lab.search import TPE, Grid, Objective, Random, Search, Space, choose, submitting

SIGMA = {"a": 1.0, "b": 0.5, "c": 2.0}
TRIALS, SAMPLES, NUMBERS, STEPS = 60, 20, 500, 400
METHODS = ("sum", "uw", "gradnorm", "dwa", "mgda", "imtl-g")


def excess(weights):
    """Expected squared error of training with these weights over the least one, minus 1."""
    error = sum((weights[task] * SIGMA[task]) ** 2 for task in SIGMA) / sum(weights.values()) ** 2
    return error * sum(sigma**-2 for sigma in SIGMA.values()) - 1


def at_once(function, *arguments):
    """An executor that does not wait: an evaluation here is one line of arithmetic."""
    future = Future()
    future.set_result(function(*arguments))
    return future


def searched(strategy):
    """The weights that a search ends with; a trial costs nothing, since its error is known."""
    objectives = [Objective(task, "error", higher_is_better=False) for task in SIGMA]
    with tempfile.TemporaryDirectory() as folder:
        search = Search(strategy, objectives, Path(folder), storage=InMemoryStorage())
        error = lambda job, report: [1 + excess(strategy.space.weights(job.point))] * len(SIGMA)  # noqa: E731
        for _ in search.run(error, execute=submitting(at_once)):
            pass
        best = choose(search.whole, search.baseline, objectives)
        return strategy.space.weights(search.trials[best].job.point)


def balanced(name):
    """The mean weights of the last 100 steps of training with a method."""
    torch.manual_seed(0)
    truth = torch.randn(NUMBERS)
    seen = {task: truth + sigma * torch.randn(SAMPLES, NUMBERS) for task, sigma in SIGMA.items()}
    estimate = torch.nn.Parameter(torch.zeros(NUMBERS))
    balancer = eq.Balancer(eq.method(name), [estimate], tasks=list(SIGMA))
    optimizer = torch.optim.Adam([estimate, *balancer.parameters()], lr=0.05)
    total = dict.fromkeys(SIGMA, 0.0)
    for step in range(STEPS):
        optimizer.zero_grad()
        balancer({task: (estimate - y).square().mean() for task, y in seen.items()}).backward()
        optimizer.step()
        if step >= STEPS - 100:
            weights = balancer.record.weights
            total = {task: total[task] + float(weights[task]) for task in SIGMA}
    return {task: 3 * value / sum(total.values()) for task, value in total.items()}


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    space = Space(tuple(SIGMA))
    objectives = tuple(Objective(task, "error", higher_is_better=False) for task in SIGMA)
    least = sum(sigma**-2 for sigma in SIGMA.values())
    found = {"planted": {task: 3 * sigma**-2 / least for task, sigma in SIGMA.items()}}
    for name, strategy in {
        "grid": Grid(space, TRIALS),
        "random": Random(space, TRIALS, seed),
        "tpe": TPE(space, objectives, TRIALS, seed),
        "front": TPE(space, objectives, TRIALS, seed, front=True),
    }.items():
        found[f"{name} search, {TRIALS} trials"] = searched(strategy)
    for name in METHODS:
        found[name] = balanced(name)
    for name, weights in found.items():
        shown = "  ".join(f"{task} {weight:.2f}" for task, weight in weights.items())
        print(f"{name:26} {shown}   excess {100 * excess(weights):.1f} %")


if __name__ == "__main__":
    main()
