"""DeepXDE's model under a balancer, against training by hand with MGDA in closed form, and against ``dde.Model``."""

import os

import pytest
import torch

import equipoise as eq

os.environ.setdefault("DDE_BACKEND", "pytorch")
dde = pytest.importorskip("deepxde", reason='needs pip install "equipoise[deepxde]"')
if dde.backend.backend_name != "pytorch":
    pytest.skip("DeepXDE runs on another backend", allow_module_level=True)
from deepxde_helmholtz import equation, made_problem  # noqa: E402

from equipoise.trainers.deepxde import BalancedModel  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TASKS, LR = ["equation", "boundary"], 1e-2


@pytest.fixture(autouse=True)
def few_iterations_of_lbfgs(monkeypatch):
    """One call of the optimizer, which does not converge."""
    monkeypatch.setitem(dde.optimizers.LBFGS_options, "maxiter", 8)
    monkeypatch.setitem(dde.optimizers.LBFGS_options, "iter_per_step", 8)


def problem():
    """The example's, small, with losses of one size: MGDA's weights are neither 0 nor 2."""
    dde.config.set_random_seed(0)
    return made_problem(lambda x, u: 0.2 * equation(x, u), points=16, width=6)


def flat(model):
    return torch.cat([p.detach().flatten() for p in model.net.parameters()])


def train(model, iterations=5, optimizer="sgd", lr=LR, **options):
    model.compile(optimizer, lr=lr, verbose=0, **options)
    model.train(iterations=iterations, display_every=1000, verbose=0)
    return model


def with_state():
    """A method whose steps depend on those before."""
    return eq.Chain(eq.RunningNorm(), eq.MGDA())


def balanced(method, **options):
    return BalancedModel(*problem(), method, **{"tasks": TASKS, **options})


def weights_by_hand(net, losses):
    """Twice the point of least norm of two gradients, over all parameters: the equation holds u itself."""
    one, two = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, [*net.parameters()], retain_graph=True)]).double()
        for loss in losses
    )
    weight = min(max(float((two - one) @ two / (two - one).square().sum()), 0.0), 1.0)
    return 2 * weight, 2 - 2 * weight


def by_hand(iterations):
    model = dde.Model(*problem())
    model.compile("sgd", lr=LR, verbose=0)
    for _ in range(iterations):
        losses = model.outputs_losses_train(*model.data.train_next_batch(None))[1]
        weights = weights_by_hand(model.net, losses)
        weighted = sum(weight * loss for weight, loss in zip(weights, losses, strict=True))
        gradients = torch.autograd.grad(weighted, [*model.net.parameters()])
        with torch.no_grad():
            for parameter, gradient in zip(model.net.parameters(), gradients, strict=True):
                parameter -= LR * gradient
    return model


def test_it_trains_as_by_hand():
    model = train(balanced(eq.MGDA()))
    assert 0.01 < model.balancer.record.weights["equation"] < 1.99
    torch.testing.assert_close(flat(model), flat(by_hand(5)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{}, {"optimizer": "adam", "decay": ("step", 2, 0.5)}, {"optimizer": "L-BFGS", "lr": None}],
    ids=["sgd", "adam", "lbfgs"],
)
def test_the_plain_sum_trains_as_deepxde_does(options):
    ours, theirs = train(balanced(eq.Sum()), **options), train(dde.Model(*problem()), **options)
    torch.testing.assert_close(flat(ours), flat(theirs), rtol=1e-4, atol=1e-5)
    assert ours.losshistory.loss_train[-1] == pytest.approx(theirs.losshistory.loss_train[-1], rel=1e-3)


def test_users_weights_are_deepxdes_loss_weights():
    ours = train(balanced(eq.Sum(), tasks={"equation": 0.5, "boundary": 10.0}))
    torch.testing.assert_close(flat(ours), flat(train(dde.Model(*problem()), loss_weights=[0.5, 10.0])))


def test_lbfgs_minimises_one_weighted_sum_in_each_of_its_calls():
    """By hand: weights at the first point, then DeepXDE's L-BFGS on the sum under them, one call in all."""
    model = dde.Model(*problem())
    model.compile("L-BFGS", verbose=0)
    losses = model.outputs_losses_train(*model.data.train_next_batch(None))[1]
    weights = weights_by_hand(model.net, losses)
    other = train(dde.Model(*problem()), optimizer="L-BFGS", lr=None, loss_weights=list(weights))
    ours = train(balanced(eq.MGDA()), optimizer="L-BFGS", lr=None)
    torch.testing.assert_close(flat(ours), flat(other), rtol=1e-3, atol=1e-4)


def test_the_second_optimizer_takes_up_the_method():
    model = balanced(with_state())
    train(model, 3)
    balancer = model.balancer
    train(model, 3, "adam", 1e-3)
    assert model.balancer is balancer
    assert balancer.steps == 6


def test_what_a_method_learns_is_trained():
    model = balanced(eq.UW())
    model.compile("sgd", lr=1e-2, verbose=0)
    before = [p.detach().clone() for p in model.balancer.parameters()]
    train(model, lr=1e-2)
    for old, new in zip(before, model.balancer.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_external_variables_are_balanced():
    """An unknown that both losses reach gets MGDA's weights, as the network does."""

    def unknown(method):
        dde.config.set_random_seed(0)
        k = dde.Variable(2.0)
        line = dde.geometry.Interval(0, 1)
        end = dde.icbc.OperatorBC(line, lambda x, u, _: u - k, lambda _, on_boundary: on_boundary)
        data = dde.data.PDE(line, lambda x, u: dde.grad.hessian(u, x) - u - k, end, num_domain=6, num_boundary=2)
        net = dde.nn.FNN([1, 4, 1], "tanh", "Glorot uniform")
        model = dde.Model(data, net) if method is None else BalancedModel(data, net, method, tasks=TASKS)
        train(model, 1, external_trainable_variables=k)
        return model, k

    model, k = unknown(eq.MGDA())
    assert 0.01 < model.balancer.record.weights["equation"] < 1.99
    single = [float(unknown(eq.Fixed({other: float(other == name) for other in TASKS}))[1]) - 2.0 for name in TASKS]
    expected = 2.0 + sum(model.balancer.record.weights[name] * step for name, step in zip(TASKS, single, strict=True))
    assert float(k) == pytest.approx(expected, abs=1e-5)


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    whole = train(balanced(with_state()), 6)
    path = train(balanced(with_state()), 3).save("stopped")
    resumed, forgetful = balanced(with_state()), balanced(with_state())
    for model in (resumed, forgetful):
        model.compile("sgd", lr=LR, verbose=0)
    dde.Model.restore(forgetful, path)
    forgetful.train(iterations=3, verbose=0)
    resumed.train(iterations=3, model_restore_path=path, verbose=0)
    assert resumed.balancer.steps == 6
    torch.testing.assert_close(flat(resumed), flat(whole), rtol=1e-6, atol=1e-7)
    assert (flat(forgetful) - flat(whole)).abs().max() > 1e-6  # the state matters
    plain = train(dde.Model(*problem()), 3).save("plain")
    with pytest.raises(KeyError, match="balancer"):
        resumed.restore(plain)


def test_what_it_cannot_do_is_an_error():
    with pytest.raises(ValueError, match="tasks has 3 names, a, b, c, and the model 2 losses"):
        train(balanced(eq.MGDA(), tasks=["a", "b", "c"]))
    with pytest.raises(ValueError, match=r"tasks=\{name: weight\}"):
        train(balanced(eq.MGDA()), loss_weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="NNCG"):
        train(balanced(eq.MGDA()), optimizer="NNCG")
