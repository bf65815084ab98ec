"""PINA's solvers under a balancer, against a weighting of PINA's kind that computes MGDA by hand, and against none."""

import pytest
import torch

import equipoise as eq

pytest.importorskip("pina", reason='needs pip install "equipoise[pina]"')
from lightning import seed_everything
from pina import Condition, Trainer
from pina.domain import CartesianDomain
from pina.equation import Equation
from pina.model import FeedForward
from pina.operator import laplacian
from pina.optim import TorchOptimizer
from pina.problem import InverseProblem, SpatialProblem
from pina.solver import PhysicsInformedEnsembleSolver, PhysicsInformedSingleModelSolver
from pina.weighting import BaseWeighting, ScalarWeighting
from pina_helmholtz import QUIET, made_solver

from equipoise.trainers.pina import BalancerWeighting

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class ByHand(BaseWeighting):
    """Twice the point of least norm of two gradients; all parameters are shared, since the equation holds u itself."""

    def update_weights(self, losses):
        unknowns = getattr(self.solver.problem, "unknown_parameters", {})
        parameters = [*self.solver.model.parameters(), *unknowns.values()]
        one, two = (
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, retain_graph=True)]).double()
            for loss in losses.values()
        )
        weight = min(max(float((two - one) @ two / (two - one).square().sum()), 0.0), 1.0)
        return dict(zip(losses, (2 * weight, 2 - 2 * weight), strict=True))


def with_state():
    """A method whose steps depend on those before."""
    return eq.Chain(eq.RunningNorm(), eq.MGDA())


def solver(weighting):
    seed_everything(0, verbose=False)
    made = made_solver(weighting, points=24, width=6)
    made._pina_optimizers = [TorchOptimizer(torch.optim.SGD, lr=1e-3, momentum=0.9)]  # Adam makes steps of rounding
    return made


def train(made, epochs=5, train=None, **options):
    seed_everything(1, verbose=False)
    trainer = Trainer(made, max_epochs=epochs, accelerator="cpu", **QUIET, **options)
    trainer.train(**train or {})
    return trainer


def flat(made):
    return torch.cat([p.detach().flatten() for p in made.model.parameters()])


def trained(weighting, **options):
    made = solver(weighting)
    train(made, **options)
    return flat(made)


SPLIT = {"batch_size": 8, "accumulate_grad_batches": 2}
OPTIONS = [{}, {"gradient_clip_val": 0.5}, SPLIT, {"precision": "bf16-mixed"}]


@pytest.mark.parametrize("options", OPTIONS, ids=["whole", "clipped", "accumulated", "bfloat16"])
def test_it_trains_as_by_hand(options):
    torch.testing.assert_close(
        trained(BalancerWeighting(eq.MGDA()), **options), trained(ByHand(), **options), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("options", OPTIONS, ids=["whole", "clipped", "accumulated", "bfloat16"])
def test_the_plain_sum_trains_as_pina_does_without_a_weighting(options):
    torch.testing.assert_close(trained(BalancerWeighting(eq.Sum()), **options), trained(None, **options))


def test_users_weights_are_those_of_pinas_fixed_weighting():
    tasks = {"boundary": 10.0, "D": 0.5}
    torch.testing.assert_close(trained(BalancerWeighting(eq.Sum(), tasks=tasks)), trained(ScalarWeighting(tasks)))


def test_its_weights_are_told():
    weighting = BalancerWeighting(eq.MGDA())
    made = solver(weighting)
    assert weighting.last_saved_weights() == {}
    train(made)
    assert weighting.last_saved_weights() == weighting.balancer.record.weights
    assert weighting.last_saved_weights().keys() == {"boundary", "D"}


def test_validation_moves_nothing_and_reports_the_sum():
    made = solver(BalancerWeighting(with_state()))
    trainer = train(made, train_size=0.75, val_size=0.25)
    assert made.balancer.steps == 5
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert logged["train_loss"] == pytest.approx(sum(made.balancer.record.losses.values()), rel=1e-5)
    results = []
    for weighting in (BalancerWeighting(eq.Sum()), None):
        trainer = train(solver(weighting), train_size=0.75, val_size=0.25)
        results.append({name: float(value) for name, value in trainer.callback_metrics.items()})
    assert results[0] == pytest.approx(results[1], rel=1e-5)
    assert "val_loss" in results[0]


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    whole = trained(BalancerWeighting(with_state()), epochs=8)
    train(solver(BalancerWeighting(with_state())), epochs=4).save_checkpoint("stopped.ckpt")
    resumed = solver(BalancerWeighting(with_state()))
    train(resumed, epochs=8, train={"ckpt_path": "stopped.ckpt"})
    assert resumed.balancer.steps == 8
    torch.testing.assert_close(flat(resumed), whole, rtol=1e-4, atol=1e-6)


def test_lbfgs_minimises_the_sum_under_the_weights_of_the_step_before():
    results = []
    for held in (True, False):
        weighting = BalancerWeighting(eq.MGDA())
        made = solver(weighting)
        train(made)
        lbfgs = TorchOptimizer(torch.optim.LBFGS, max_iter=4, line_search_fn="strong_wolfe")
        fixed = ScalarWeighting(weighting.last_saved_weights())
        second = PhysicsInformedSingleModelSolver(made.problem, made.model, lbfgs, weighting=None if held else fixed)
        if held:
            made._pina_optimizers = [lbfgs]
            with weighting.balancer.frozen():
                train(made, epochs=2)
        else:
            train(second, epochs=2)
        results.append(flat(made))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


class Unknown(SpatialProblem, InverseProblem):
    """u'' - u = k, and u = k at the ends: both conditions reach k."""

    output_variables = ["u"]  # noqa: RUF012
    spatial_domain = CartesianDomain({"x": [0.0, 1.0]})
    unknown_parameter_domain = CartesianDomain({"k": [1.0, 3.0]})
    domains = {"inside": spatial_domain, "ends": spatial_domain.partial()}  # noqa: RUF012
    conditions = {  # noqa: RUF012
        "inside": Condition(
            domain="inside",
            equation=Equation(lambda x, u, params: laplacian(u, x) - params["k"] - u),
        ),
        "ends": Condition(domain="ends", equation=Equation(lambda x, u, params: u - params["k"])),
    }


@pytest.mark.parametrize(("method", "by_hand"), [(eq.Sum, lambda: None), (eq.MGDA, ByHand)], ids=["sum", "mgda"])
def test_the_unknowns_of_an_inverse_problem_are_balanced(method, by_hand):
    found = []
    for weighting in (BalancerWeighting(method()), by_hand()):
        seed_everything(0, verbose=False)
        problem = Unknown()
        problem.discretise_domain(8, "random", domains=["inside", "ends"])
        sgd = TorchOptimizer(torch.optim.SGD, lr=0.01)
        made = PhysicsInformedSingleModelSolver(problem, FeedForward(1, 1, layers=[4]), sgd, weighting=weighting)
        train(made)
        found.append([*flat(made).tolist(), float(problem.unknown_parameters["k"])])
    assert found[0] == pytest.approx(found[1], rel=1e-4, abs=1e-6)


def test_what_it_cannot_do_is_an_error():
    used = BalancerWeighting(eq.MGDA())
    solver(used)
    with pytest.raises(ValueError, match="another solver"):
        solver(used)
    with pytest.raises(ValueError, match="learns parameters"):
        solver(BalancerWeighting(eq.UW()))
    with pytest.raises(ValueError, match=r"tasks must be the conditions .*'D'"):
        solver(BalancerWeighting(eq.MGDA(), tasks={"boundary": 1.0, "E": 1.0}))
    problem = solver(None).problem
    models = [FeedForward(2, 1, layers=[4]) for _ in range(2)]
    with pytest.raises(ValueError, match="one model"):
        PhysicsInformedEnsembleSolver(problem, models, weighting=BalancerWeighting(eq.MGDA()))
