"""The contract of a balanced loss: its value, its gradient, its errors, its state."""

import copy
import gc
import pickle
import warnings
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import equipoise as eq
from equipoise.gradients.ranks import Ranks

NAMES = ["a", "b"]
GRADIENT_METHODS = [eq.MGDA, eq.PCGrad, eq.NashMTL]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 4)
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in NAMES})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        z = torch.tanh(self.trunk(x))
        return {name: head(z) for name, head in self.heads.items()}


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(1))


def losses_of(net, x, names=NAMES):
    out = net(x)
    return {name: ((out[name] - 3 * i) ** 2).mean() for i, name in enumerate(NAMES) if name in names}


def grads(net):
    return [None if p.grad is None else p.grad.clone() for p in net.parameters()]


def backward(net, x, balancer, factor=1.0, names=NAMES):
    net.zero_grad()
    (balancer(losses_of(net, x, names)) * factor).backward()
    return grads(net)


def numbers_of(balancer):
    """A copy of the method's state."""
    return copy.deepcopy(balancer.method.state_dict())


# The value


@pytest.mark.parametrize("make", [eq.Sum, eq.UW, eq.DWA, *GRADIENT_METHODS, lambda: eq.Chain(eq.UW(), eq.MGDA())])
def test_the_value_is_the_user_weighted_total_to_the_last_bit(net, x, make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balancer = eq.Balancer(make(), net, tasks={"a": 0.3, "b": 2.0})
    losses = losses_of(net, x)
    assert balancer(losses).item() == (losses["a"] * 0.3 + losses["b"] * 2.0).item()


def test_a_huge_objective_does_not_swallow_the_value(net, x):
    class Huge(eq.Weighting):
        def forward(self, losses, tasks):
            return 1e20 * losses.sum()

    losses = losses_of(net, x)
    assert eq.Balancer(Huge(), net, tasks=NAMES)(losses).item() == sum(losses.values()).item()


def test_under_no_grad_the_value_comes_back_and_nothing_moves(net, x):
    balancer = eq.Balancer(eq.DWA(), net, tasks=NAMES)
    before = numbers_of(balancer)
    with torch.no_grad():
        losses = losses_of(net, x)
        loss = balancer(losses)
    assert loss.item() == sum(losses.values()).item()
    assert not loss.requires_grad
    assert_close(numbers_of(balancer), before, equal_nan=True)
    assert balancer.steps == 0


def test_a_record_before_the_first_step_is_an_error_that_says_so(net, x):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with pytest.raises(RuntimeError, match=r"nothing has gone backward yet: read it after balancer\(losses\)"):
        balancer.record  # noqa: B018
    backward(net, x, balancer)
    assert (balancer.steps, balancer.record.step) == (1, 1)
    loaded = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    loaded.load_state_dict(balancer.state_dict())
    assert loaded.steps == 1
    with pytest.raises(RuntimeError, match="nothing has gone backward yet since the state was loaded"):
        loaded.record  # noqa: B018


# The gradient


@pytest.mark.parametrize("make", [eq.UW, *GRADIENT_METHODS])
def test_the_incoming_gradient_scales_the_result_and_not_the_weights(net, x, make):
    plain = eq.Balancer(make(), net, tasks=NAMES)
    scaled = eq.Balancer(make(), net, tasks=NAMES)
    expected = backward(net, x, plain)
    got = backward(net, x, scaled, factor=2.0**16)
    for one, other in zip(got, expected, strict=True):
        assert torch.equal(one, other * 2.0**16)
    assert plain.record.weights == scaled.record.weights
    if plain.record.gramian is not None:
        assert_close(plain.record.gramian, scaled.record.gramian)


def test_gradients_add_to_those_already_there(net, x):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    once = backward(net, x, balancer)
    balancer(losses_of(net, x)).backward()
    for parameter, gradient in zip(net.parameters(), once, strict=True):
        assert_close(parameter.grad, 2 * gradient)


def test_in_place_scaling_of_the_returned_loss(net, x):
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    expected = backward(net, x, balancer, factor=0.25)
    net.zero_grad()
    loss = balancer(losses_of(net, x))
    loss *= 0.25
    loss.backward()
    for one, other in zip(grads(net), expected, strict=True):
        assert_close(one, other)


def test_a_tensor_hook_runs_once_on_the_combined_gradient(net, x):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    expected = backward(net, x, balancer)
    calls = []
    handles = [p.register_hook(lambda g: calls.append(1) or 2 * g) for p in net.parameters()]
    got = backward(net, x, balancer)
    assert len(calls) == len(handles)
    for one, other in zip(got, expected, strict=True):
        assert_close(one, 2 * other)
    for handle in handles:
        handle.remove()
    assert_close(backward(net, x, balancer), expected)


def test_a_leaf_that_was_not_given_gets_the_gradient_of_the_total(net, x):
    temperature = torch.tensor(2.0, requires_grad=True)
    balancer = eq.Balancer(eq.PCGrad(), net, tasks={"a": 1.0, "b": 3.0})
    losses = {name: loss * temperature for name, loss in losses_of(net, x).items()}
    balancer(losses).backward()
    assert_close(temperature.grad, (losses["a"] + 3 * losses["b"]).detach() / 2.0)


def test_a_user_s_weight_is_in_the_rows_once(net, x):
    plain = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    heavy = eq.Balancer(eq.PCGrad(), net, tasks={"a": 5.0, "b": 1.0})
    backward(net, x, plain)
    backward(net, x, heavy)
    scale = torch.tensor([5.0, 1.0], dtype=torch.float64)
    assert_close(heavy.record.gramian, scale[:, None] * plain.record.gramian * scale, rtol=1e-6, atol=0)
    assert heavy.record.losses == plain.record.losses


def test_nash_takes_a_user_s_weight_as_its_preference(net, x):
    balancer = eq.Balancer(eq.NashMTL(), net, tasks={"a": 4.0, "b": 1.0})
    backward(net, x, balancer)
    preference = torch.tensor([4.0, 1.0], dtype=torch.float64)
    weights = torch.tensor(list(balancer.record.weights.values()), dtype=torch.float64) / preference  # the method's own
    assert_close(weights * (balancer.record.gramian @ weights), preference)


def test_a_weight_that_a_method_ignores_is_warned_of_once(net):
    with pytest.warns(UserWarning, match=r"UW\(\) does not depend on the scale"):
        eq.Balancer(eq.UW(), net, tasks={"a": 2.0, "b": 1.0})
    with pytest.warns(UserWarning, match=r"MGDA\(\) listens to small gradients"):
        eq.Balancer(eq.MGDA(), net, tasks={"a": 2.0, "b": 1.0})


def test_chain_delivers_the_rows_of_the_weighted_terms_and_the_weighting_s_own_gradient(net, x):
    uw = eq.UW(initial=0.7)
    balancer = eq.Balancer(eq.Chain(uw, eq.MGDA()), net, tasks=NAMES)
    backward(net, x, balancer)
    alone = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    factor = 0.5 * torch.exp(torch.tensor(-0.7, dtype=torch.float64)).item()
    gradient = net.trunk.weight.grad.clone()
    backward(net, x, alone)
    assert_close(gradient, factor * net.trunk.weight.grad)  # both terms carry the same factor
    losses = torch.stack([loss.detach() for loss in losses_of(net, x).values()])
    assert_close(uw.log_variance.grad, 0.5 - factor * losses)


class Sign(eq.CoordinateAggregator):
    """The mean of the rows where their signs agree."""

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return jacobian.mean(0) * (jacobian.sign().sum(0).abs() == len(jacobian))


def test_a_coordinate_method_sees_the_unscaled_rows_and_gives_the_gradient(net, x):
    balancer = eq.Balancer(eq.Chain(eq.Fixed([1.0, 2.0]), Sign()), net, tasks=NAMES)
    losses = losses_of(net, x)
    shared = list(net.trunk.parameters())
    rows = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses.values()]
    jacobian = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows]) * torch.tensor([[1.0], [2.0]])
    (balancer(losses) * 8.0).backward()
    got = torch.cat([p.grad.flatten() for p in shared])
    assert_close(got, 8.0 * Sign()(jacobian, torch.zeros(2)))
    assert balancer.record.weights == {}
    assert balancer.record.gramian is not None


def test_autocast_around_the_backward_does_not_lower_its_precision(net, x):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    expected = backward(net, x, balancer)
    net.zero_grad()
    loss = balancer(losses_of(net, x))
    with torch.autocast("cpu"):
        loss.backward()
    assert_close(grads(net), expected)


# Parameters


def test_a_module_is_read_at_every_step(net, x):
    net.trunk.requires_grad_(False)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with pytest.warns(UserWarning, match="nothing to balance"):
        backward(net, x, balancer)
    assert net.trunk.weight.grad is None
    net.trunk.requires_grad_(True)
    backward(net, x, balancer)
    assert net.trunk.weight.grad is not None


def test_an_iterator_of_parameters_is_taken_once(net, x):
    balancer = eq.Balancer(eq.MGDA(), iter(net.parameters()), tasks=NAMES)
    backward(net, x, balancer)
    assert all(gradient is not None for gradient in backward(net, x, balancer))


def test_nothing_of_the_model_is_registered(net):
    balancer = eq.Balancer(eq.UW(), net, tasks=NAMES)
    assert [name for name, _ in balancer.named_parameters()] == ["method.log_variance"]


def test_what_was_shared_once_stays_shared_and_is_saved(net, x):
    half = eq.Chain(eq.UnitNorm())  # a lone row of unit norm shows that the method was asked
    fresh = eq.Balancer(half, net, tasks=NAMES)
    backward(net, x, fresh, names=["a"])
    assert fresh.record.gramian.item() == 0.0  # never yet seen shared: all of it belongs to task a
    backward(net, x, fresh)
    backward(net, x, fresh, names=["a"])
    flat = torch.cat([p.grad.flatten() for p in net.trunk.parameters()])
    assert_close(flat.norm(), torch.tensor(1.0))

    loaded = eq.Balancer(eq.Chain(eq.UnitNorm()), net, tasks=NAMES)
    loaded.load_state_dict(fresh.state_dict())
    backward(net, x, loaded, names=["a"])
    assert_close(torch.cat([p.grad.flatten() for p in net.trunk.parameters()]), flat)
    assert loaded.record.step == 4


def test_an_absent_task_leaves_its_head_alone(net, x):
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    backward(net, x, balancer)
    backward(net, x, balancer, names=["b"])
    assert net.heads["a"].weight.grad is None
    assert balancer.record.names == ("b",)


def test_a_batch_without_any_task_does_nothing(net):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    loss = balancer({})
    loss.backward()
    assert loss.item() == 0.0
    assert all(p.grad is None for p in net.parameters())


def test_no_shared_parameter_is_warned_of(x):
    net = nn.ModuleDict({name: nn.Linear(3, 1) for name in NAMES})
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with pytest.warns(UserWarning, match="nothing to balance"):
        balancer({name: net[name](x).mean() for name in NAMES}).backward()


def test_a_learned_weight_outside_the_optimiser_is_warned_of(net, x):
    balancer = eq.Balancer(eq.UW(), net, tasks=NAMES)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(50):
            backward(net, x, balancer)  # accumulating, perhaps
    optimizer.step()
    with pytest.warns(UserWarning, match=r"log_variance of UW\(\): no optimiser"):
        for _ in range(50):
            backward(net, x, balancer)


def test_a_learned_weight_in_the_optimiser_is_not(net, x):
    balancer = eq.Balancer(eq.UW(), net, tasks=NAMES)
    optimizer = torch.optim.Adam([*net.parameters(), *balancer.parameters()])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(51):
            backward(net, x, balancer)
            optimizer.step()
    assert not caught


# Numbers that are not finite


@pytest.mark.parametrize("where", ["trunk", "head"])
@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_a_gradient_that_is_not_finite_goes_through_and_moves_no_state(net, x, where, value):
    balancer = eq.Balancer(eq.Chain(eq.RunningNorm(), eq.PCGrad()), net, tasks=NAMES)
    backward(net, x, balancer)
    before = numbers_of(balancer)
    net.zero_grad()
    losses = losses_of(net, x)
    tensor = net.trunk.weight if where == "trunk" else net.heads["a"].weight
    losses["a"] = losses["a"] + (tensor * 0.0).sum() * value
    balancer(losses).backward()
    assert not tensor.grad.isfinite().all()
    assert balancer.record.skipped
    assert_close(numbers_of(balancer), before, rtol=0, atol=0)


def test_grad_scaler_skips_an_overflow_and_trains_on(net, x):
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    before = copy.deepcopy(net.state_dict())

    def step(value):
        optimizer.zero_grad()
        losses = losses_of(net, x)
        losses["b"] = losses["b"] * value
        scaler.scale(balancer(losses)).backward()
        scaler.step(optimizer)
        scaler.update()

    step(torch.inf)
    assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert scaler.get_scale() == 2.0**15
    step(1.0)
    assert not torch.equal(net.trunk.weight, before["trunk.weight"])


def test_a_zero_incoming_gradient_asks_no_method(net, x):
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    assert all(bool((g == 0).all()) for g in backward(net, x, balancer, factor=0.0))
    assert balancer.record.skipped


@pytest.mark.parametrize("make", [eq.MGDA, eq.NashMTL])
@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_the_balance_does_not_depend_on_the_scale_of_all_gradients(net, x, make, factor):
    plain, scaled = (eq.Balancer(make(), net, tasks=NAMES) for _ in range(2))
    expected = backward(net, x, plain)
    net.zero_grad()
    scaled({name: loss * factor for name, loss in losses_of(net, x).items()}).backward()
    power = 1.0 if make is eq.MGDA else 0.0  # Nash: G α = 1/α is unit-free, so its trunk gradient is unchanged
    for parameter, gradient in zip(net.trunk.parameters(), expected[:2], strict=True):
        assert_close(parameter.grad / factor**power, gradient, rtol=1e-5, atol=1e-6)


# Errors


class Nans(eq.Aggregator):
    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return losses * torch.nan


def test_a_second_backward_is_refused(net, x):
    loss = eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses_of(net, x))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="a second time on the balanced loss"):
        loss.backward()
    loss = eq.Balancer(eq.Sum(), net, tasks=NAMES)(losses_of(net, x))
    loss.backward()
    with pytest.raises(RuntimeError, match="the graph of these losses is used up"):
        loss.backward()


def test_retain_graph_keeps_the_graph_for_others(net, x):
    losses = losses_of(net, x)
    eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses).backward(retain_graph=True)
    (kept,) = torch.autograd.grad(losses["b"], net.trunk.weight)
    (fresh,) = torch.autograd.grad(losses_of(net, x)["b"], net.trunk.weight)
    assert torch.equal(kept, fresh)


def test_create_graph_is_refused(net, x):
    loss = eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses_of(net, x))
    with pytest.raises(RuntimeError, match="create_graph=True is not supported"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss.backward(create_graph=True)


@pytest.mark.parametrize("method", [eq.Sum, eq.MGDA])
def test_a_loss_without_graph_is_refused(net, x, method):
    losses = losses_of(net, x)
    losses["b"] = losses["b"].detach()
    with pytest.raises(ValueError, match="loss of task 'b' has no graph"):
        eq.Balancer(method(), net, tasks=NAMES)(losses)


@pytest.mark.parametrize("method", [eq.Sum, eq.MGDA])
def test_a_model_that_no_loss_reaches_is_refused(net, x, method):
    with pytest.raises(ValueError, match="no loss reaches any of the parameters"):
        eq.Balancer(method(), Net(), tasks=NAMES)(losses_of(net, x))


@pytest.mark.parametrize("method", [eq.Sum, eq.MGDA])
def test_a_frozen_model_is_refused(net, x, method):
    net.requires_grad_(False)
    with pytest.raises(ValueError, match="parameters are all frozen"):
        eq.Balancer(method(), net, tasks=NAMES)(losses_of(net, x.requires_grad_()))


def test_weights_that_are_not_finite_are_the_method_s_defect(net, x):
    loss = eq.Balancer(Nans(), net, tasks=NAMES)(losses_of(net, x))
    with pytest.raises(RuntimeError, match=r"Nans\(\) gave weights"):
        loss.backward()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "mgda"}, r"method must be a method such as MGDA\(\).*got 'mgda'"),
        ({"tasks": []}, "tasks is empty"),
        ({"tasks": "ab"}, "tasks must be Tasks, names or {name: weight}, got 'ab'"),
        ({"tasks": 2}, "tasks must be Tasks, names or {name: weight}, got 2"),
        ({"tasks": [eq.Task("a", nn.MSELoss())]}, r"got among the names Task\(name='a'"),
        ({"tasks": {"a": "heavy"}}, "weight of task 'a' must be a number, got 'heavy'"),
        ({"tasks": {"a": nn.MSELoss()}}, r"weight of task 'a' must be a number, got MSELoss\(\)"),
        ({"tasks": ["a", "a"]}, "must be unique, got 'a'"),
        ({"tasks": {"a": -1.0}}, "weight of task 'a' must be positive and finite, got -1.0"),
        ({"heads": "both"}, "heads must be 'raw' or 'weighted', got 'both'"),
        ({"route": "fast"}, "route must be one of 'auto', 'rows', 'batched', 'factored', 'low-memory', got 'fast'"),
        ({"probe_every": -1}, "probe_every must be 0 or a number of steps, got -1"),
        ({"ranks": "world"}, "ranks must be 'auto', 'local' or a process group, got 'world'"),
        ({"parameters": []}, "parameters is empty"),
        ({"ranks": 2}, "ranks must be 'auto', 'local' or a process group, got 2"),
        ({"parameters": [1.0]}, "parameters must be a module or leaf tensors, got among them 1.0"),
        ({"parameters": None}, "parameters must be a module or leaf tensors, got None"),
        ({"parameters": [{"params": []}]}, "got among them {'params': "),
        ({"parameters": [[torch.ones(1)]]}, r"got among them \[tensor"),
        ({"parameters": nn.Linear(9, 9).named_parameters()}, r"got among them \('weight', Parameter"),
        ({"parameters": [nn.Linear(2, 2).weight.T]}, r"a tensor of shape \(2, 2\) that was computed from others"),
        ({"gramian_from": ["trunk"]}, "gramian_from must be a module or leaf tensors, got among them 'trunk'"),
        ({"method": nn.Sequential(nn.Tanh())}, r"got Sequential: it comes first, Balancer\(method, model\)$"),
        ({"method": Sign(), "gramian_from": nn.Linear(1, 1)}, "gramian_from has no use in a coordinate method"),
        ({"method": eq.Fixed([1.0])}, r"weights must hold one value for each of 2 tasks, got \[1.0\]"),
    ],
)
def test_constructor_errors(net, arguments, message):
    arguments = {"method": eq.MGDA(), "parameters": net, "tasks": NAMES} | arguments
    with pytest.raises(ValueError, match=message):
        eq.Balancer(arguments.pop("method"), arguments.pop("parameters"), **arguments)


@pytest.mark.parametrize(
    ("losses", "options", "message"),
    [
        ({"A": torch.zeros(())}, {}, "no task 'A'; did you mean 'a'"),
        ({"a": torch.zeros(2)}, {}, "loss of task 'a' must be a scalar tensor, got"),
        ({"a": 1.0}, {}, "loss of task 'a' must be a scalar tensor, got float"),
        ([torch.zeros(())], {}, "map task names to values, got list"),
        ({}, {"counts": {"c": 1}}, "no task 'c'"),
        ({}, {"representation": torch.zeros(2)}, "representation must have a graph"),
    ],
)
def test_call_errors(net, losses, options, message):
    with pytest.raises(ValueError, match=message):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses, **options)


def test_a_representation_that_no_loss_reaches_is_refused(net, x):
    with pytest.raises(ValueError, match="the loss of 'a', 'b' does not reach the representation"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses_of(net, x), representation=net.trunk(x))


def test_chosen_parameters_that_a_sharing_task_bypasses_are_refused(net, x):
    with pytest.raises(ValueError, match="the loss of 'b' does not reach the parameters of gramian_from"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES, gramian_from=net.heads["a"])(losses_of(net, x))
    with pytest.raises(ValueError, match="parameters are all frozen"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES, gramian_from=nn.Linear(1, 1).requires_grad_(False))(losses_of(net, x))


def test_chosen_parameters_and_a_representation_are_too_much(net, x):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES, gramian_from=net.trunk)
    with pytest.raises(ValueError, match="not both"):
        balancer(losses_of(net, x), representation=net.trunk(x))


def test_a_saved_state_of_other_tasks_is_refused(net):
    saved = eq.Balancer(eq.Sum(), net, tasks=NAMES).state_dict()
    with pytest.raises(ValueError, match=r"of tasks \['a', 'b'\], this balancer has \['b', 'a'\]"):
        eq.Balancer(eq.Sum(), net, tasks=["b", "a"]).load_state_dict(saved)


# What else a trainer relies on


def test_the_graph_is_freed_by_the_backward(net, x):
    class Token:
        pass

    class Held(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value, token):
            ctx.token = token
            return value.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient, None

    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    token = Token()
    loss = balancer({name: Held.apply(value, token) for name, value in losses_of(net, x).items()})
    held = weakref.ref(token)
    del token
    assert held() is not None
    loss.backward()
    gc.collect()
    assert held() is None  # although the user still holds the loss


def test_probes_come_every_n_steps(net, x):
    balancer = eq.Balancer(eq.Sum(), net, tasks=NAMES, probe_every=3)
    measured = []
    for _ in range(7):
        backward(net, x, balancer)
        measured.append(balancer.record.gramian is not None)
    assert measured == [True, False, False, True, False, False, True]


@pytest.mark.parametrize("result", ["good", None, torch.ones(2)])
def test_a_result_that_is_no_number_is_refused(net, result):
    with pytest.raises(ValueError, match="result of task 'b' must be a number, got"):
        eq.Balancer(eq.Plateau(), net, tasks=NAMES).observe({"a": 1.0, "b": result})


def test_end_epoch_observe_and_after_step_reach_the_method(net, x):
    class Listener(eq.Weighting):
        def bind(self, num_tasks):
            self.heard = []

        def forward(self, losses, tasks):
            return losses.sum()

        def end_epoch(self):
            self.heard.append("epoch")

        def observe(self, results, tasks):
            self.heard.append((results.tolist(), tasks.tolist()))

        def after_step(self, losses, tasks):
            self.heard.append((losses.tolist(), tasks.tolist()))

    balancer = eq.Balancer(Listener(), net, tasks={"a": 1.0, "b": 2.0})
    balancer.end_epoch()
    balancer.observe({"b": 0.5})
    balancer.after_step({"a": torch.tensor(1.0), "b": torch.tensor(3.0)})
    assert balancer.method.heard == ["epoch", ([0.5], [1]), ([1.0, 6.0], [0, 1])]
    with pytest.raises(ValueError, match="no task 'c'"):
        balancer.observe({"c": 1.0})


def test_multi_task_loss_is_the_balancer_on_the_tasks_losses(net, x):
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss()), eq.Task("b", nn.MSELoss(), weight=2.0)])
    with pytest.warns(UserWarning, match="does not depend on the scale"):
        criterion = eq.MultiTaskLoss(tasks, eq.Balancer(eq.UW(), net, tasks=tasks))
    targets = {name: torch.zeros(6, 1) for name in NAMES}
    out = net(x)
    loss = criterion(out, targets)
    assert loss.item() == ((out["a"] ** 2).mean() + 2 * (out["b"] ** 2).mean()).item()
    loss.backward()
    assert criterion.balancer.record.losses["b"] == pytest.approx((out["b"] ** 2).mean().item())
    assert len(list(criterion.parameters())) == 1
    with pytest.raises(ValueError, match="build it with tasks=tasks"):
        eq.MultiTaskLoss(tasks, eq.Balancer(eq.Sum(), net, tasks=["b", "a"]))


@pytest.mark.parametrize(("route", "digits"), [("rows", 1e-7), ("factored", 2**-7)])
def test_bfloat16_parameters_are_balanced_in_higher_precision(net, x, route, digits):
    """Rows are summed in float64; factors skip the rounding of each task's gradient to bfloat16."""
    net.to(torch.bfloat16)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES, route=route)
    losses = losses_of(net, x.to(torch.bfloat16))
    shared = list(net.trunk.parameters())
    rows = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses.values()]
    jacobian = torch.stack([torch.cat([g.double().flatten() for g in row]) for row in rows])
    balancer(losses).backward()
    assert_close(balancer.record.gramian, jacobian @ jacobian.T, rtol=digits, atol=digits)
    weights = torch.tensor(list(balancer.record.weights.values()), dtype=torch.float64)
    combined = torch.cat([p.grad.flatten() for p in shared])
    assert_close(combined, (weights @ jacobian).to(torch.bfloat16), rtol=2**-6, atol=digits)


def test_the_shared_part_of_the_graph_is_freed_while_the_losses_are_held(net, x):
    class Saved:
        def __init__(self, tensor):
            self.tensor = tensor

    kept = weakref.WeakSet()

    def pack(tensor):
        saved = Saved(tensor)
        kept.add(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        z = torch.tanh(net.trunk(x))
    losses = {name: head(z).square().mean() for name, head in net.heads.items()}
    loss = eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses)
    assert len(kept) > 0
    loss.backward()
    gc.collect()
    assert len(kept) == 0


class Seen(eq.Aggregator):
    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        self.seen = (gramian.shape, tasks.tolist())
        return torch.ones_like(losses)


def test_a_method_sees_the_present_tasks_by_their_place_among_all(net, x):
    method = Seen()
    balancer = eq.Balancer(method, net, tasks=["other", *NAMES])
    backward(net, x, balancer)
    assert method.seen == ((2, 2), [1, 2])
    backward(net, x, balancer, names=["b"])
    assert method.seen == ((1, 1), [2])
    reached = dict(balancer.get_extra_state()["reached"])
    assert reached["trunk.weight"] == 0b110
    assert reached["heads.b.weight"] == 0b100


def test_an_aggregator_in_a_chain_sees_the_weighted_rows(net, x):
    chained = backward(net, x, eq.Balancer(eq.Chain(eq.Fixed([1.0, 10.0]), eq.MGDA()), net, tasks=NAMES))
    losses = losses_of(net, x)
    net.zero_grad()
    eq.Balancer(eq.MGDA(), net, tasks=NAMES)({"a": losses["a"], "b": 10.0 * losses["b"]}).backward()
    assert_close(chained[0], net.trunk.weight.grad)


def test_gradient_methods_refuse_graphs_of_one_pass(net, x):
    encoded = checkpoint(net.trunk, x.requires_grad_(), use_reentrant=True)
    losses = {name: head(encoded).square().mean() for name, head in net.heads.items()}
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses)


# Traps


def test_a_pickled_balancer_goes_on_with_rows_of_its_own(net, x):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    backward(net, x, balancer)
    twin_net, twin = pickle.loads(pickle.dumps((net, balancer)))
    assert_close(backward(twin_net, 2 * x, twin), backward(net, 2 * x, balancer), rtol=0, atol=0)
    assert len(pickle.dumps(balancer)) < 20_000 + len(pickle.dumps(net))


def test_the_representation_may_be_one_output_of_several(net, x):
    """The other output of the same node is a path around it."""
    encoder, head = nn.Linear(3, 4), nn.Linear(2, 1)
    model = nn.ModuleList([encoder, head])
    mean, scale = encoder(x).chunk(2, dim=1)
    losses = {"a": head(mean).square().mean(), "b": (mean.square() + scale.exp() - scale).mean()}
    rows = [torch.autograd.grad(loss, encoder.weight, retain_graph=True)[0] for loss in losses.values()]
    balancer = eq.Balancer(eq.PCGrad(), model, tasks=NAMES)
    balancer(losses, representation=mean).backward()
    weights = list(balancer.record.weights.values())
    assert_close(encoder.weight.grad, weights[0] * rows[0] + weights[1] * rows[1])


class Huge(eq.Aggregator):
    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.full_like(losses, 1e42)


@pytest.mark.parametrize("options", [{}, {"gramian_from": True}, {"heads": "weighted"}])
def test_weights_beyond_float32_are_applied(net, x, options):
    if "gramian_from" in options:
        options = {"gramian_from": net.trunk.weight}
    expected = backward(net, x, eq.Balancer(eq.Sum(), net, tasks=NAMES))[0].double() * 2.0**-120 * 1e42
    net.zero_grad()
    balancer = eq.Balancer(Huge(), net, tasks=NAMES, **options)
    balancer({name: loss * 2.0**-120 for name, loss in losses_of(net, x).items()}).backward()
    got = net.trunk.weight.grad.double()
    assert_close(got, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    assert all(gradient.isfinite().all() for gradient in grads(net))


def test_a_task_that_shares_nothing_has_no_say(net, x):
    """Its gradient by the shared parameters is not zero, it does not exist."""
    alone = nn.Linear(3, 1)
    model = nn.ModuleList([net, alone])
    three = eq.Balancer(eq.MGDA(), model, tasks=[*NAMES, "c"])
    expected = backward(net, x, eq.Balancer(eq.MGDA(), net, tasks=NAMES))
    net.zero_grad()
    three({**losses_of(net, x), "c": alone(x).square().mean()}).backward()
    assert_close(grads(net), expected)
    assert three.record.weights["c"] == 1.0


def test_a_method_serves_one_balancer(net):
    method = eq.UW()
    eq.Balancer(method, net, tasks=NAMES)
    with pytest.raises(ValueError, match=r"UW\(\) already serves a balancer"):
        eq.Balancer(eq.Chain(method, eq.MGDA()), net, tasks=NAMES)
    with pytest.raises(ValueError, match="one method object twice"):
        twice = eq.UnitNorm()
        eq.Chain(twice, eq.Clip(1.0), twice)


def test_a_criterion_with_other_weights_than_its_balancer_is_refused(net):
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss(), weight=5.0), eq.Task("b", nn.MSELoss())])
    with pytest.raises(ValueError, match="build it with tasks=tasks"):
        eq.MultiTaskLoss(tasks, eq.Balancer(eq.Sum(), net, tasks=NAMES))


def test_a_criterion_of_names_is_refused(net):
    with pytest.raises(ValueError, match=r"tasks must be Tasks, which know the losses, got \['a', 'b'\]"):
        eq.MultiTaskLoss(NAMES, eq.Balancer(eq.Sum(), net, tasks=NAMES))


@pytest.mark.parametrize("method", [eq.Sum, eq.MGDA])
def test_another_loss_may_share_the_graph(net, x, method):
    """An auxiliary penalty on an activation, added after balancing."""
    expected = backward(net, x, eq.Balancer(method(), net, tasks=NAMES))
    net.zero_grad()
    z = torch.tanh(net.trunk(x))
    losses = {name: ((net.heads[name](z) - 3 * i) ** 2).mean() for i, name in enumerate(NAMES)}
    penalty = z.square().mean()
    (extra,) = torch.autograd.grad(penalty, net.trunk.weight, retain_graph=True)
    (eq.Balancer(method(), net, tasks=NAMES)(losses) + penalty).backward()
    assert_close(net.trunk.weight.grad, expected[0] + extra)


@pytest.mark.parametrize("make", [eq.Sum, eq.UW, eq.MGDA, lambda: eq.Chain(eq.UW(), eq.MGDA())])
@pytest.mark.parametrize("goes_backward", [True, False])
def test_a_step_leaves_nothing_behind(net, x, make, goes_backward):
    balancer = eq.Balancer(make(), net, tasks=NAMES)
    held = weakref.WeakSet()

    def step():
        losses = losses_of(net, x)
        held.update(losses.values())
        loss = balancer(losses)
        if goes_backward:
            loss.backward()

    step()
    gc.collect()
    assert not held


def test_loss_weightings_take_graphs_of_one_pass(net, x):
    encoded = checkpoint(net.trunk, x.requires_grad_(), use_reentrant=True)
    losses = {name: head(encoded).square().mean() for name, head in net.heads.items()}
    eq.Balancer(eq.UW(), net, tasks=NAMES)(losses).backward()
    assert net.trunk.weight.grad is not None


def test_heads_whose_outputs_were_joined_are_noticed(net, x):
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with pytest.warns(UserWarning, match=r"heads.a.weight, heads.a.bias, heads.b.weight, heads.b.bias are reached"):
        for _ in range(10):
            joined = torch.cat(list(net(x).values()), dim=1) @ torch.eye(2)  # no part is told from another
            balancer({name: (joined[:, i] - i).square().mean() for i, name in enumerate(NAMES)}).backward()


def test_state_keeps_its_precision_and_the_whole_chain_moves(net):
    balancer = eq.Balancer(eq.Chain(eq.UW(), eq.DWA(), eq.MGDA()), net, tasks=NAMES).bfloat16()
    assert {p.dtype for p in balancer.parameters()} == {torch.float32}
    assert balancer.method.steps[1].total.dtype == torch.float32
    assert {p.device.type for p in balancer.to("meta").parameters()} == {"meta"}


def test_an_empty_step_may_be_scaled_in_place(net):
    loss = eq.Balancer(eq.MGDA(), net, tasks=NAMES)({})
    loss *= 0.5
    loss.backward()
    assert loss == 0
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())


def test_a_representation_above_no_given_parameter_trains_the_heads(net, x):
    balancer = eq.Balancer(eq.MGDA(), net.heads, tasks=NAMES)
    z = torch.tanh(net.trunk(x))
    losses = {name: head(z).square().mean() for name, head in net.heads.items()}
    with pytest.warns(UserWarning, match="nothing to balance"):
        balancer(losses, representation=z).backward()
    assert net.heads["a"].weight.grad is not None


def test_private_sparse_and_empty_parameters_go_through(net):
    model = nn.ModuleDict({"trunk": nn.Linear(3, 4), "words": nn.Embedding(5, 4, sparse=True)})
    model.none = nn.Parameter(torch.zeros(0, 4))
    z = model["trunk"](torch.ones(2, 3))
    losses = {"a": z.square().mean() + model.none.sum(), "b": (z * model["words"](torch.tensor([1, 2]))).sum()}
    eq.Balancer(eq.MGDA(), model, tasks=NAMES)(losses).backward()
    assert model["words"].weight.grad.is_sparse
    assert model.none.grad.shape == (0, 4)


class OneNumber(eq.Aggregator):
    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.ones(1, dtype=torch.float64)


class Vector(eq.Weighting):
    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return losses


def test_answers_of_a_wrong_shape_are_refused(net, x):
    with pytest.raises(ValueError, match=r"OneNumber\(\) must return weights of shape \(2,\), got \(1,\)"):
        backward(net, x, eq.Balancer(OneNumber(), net, tasks=NAMES))
    with pytest.raises(ValueError, match=r"Vector\(\) must return an objective of shape \(\), got \(2,\)"):
        backward(net, x, eq.Balancer(Vector(), net, tasks=NAMES))


@pytest.mark.parametrize("method", [eq.Sum, eq.MGDA])
def test_an_infinite_loss_shows_as_it_is(net, x, method):
    losses = losses_of(net, x)
    losses["a"] = losses["a"] + torch.inf
    assert eq.Balancer(method(), net, tasks=NAMES)(losses).item() == torch.inf


def test_a_hook_on_the_representation_works_once(net, x):
    """Autograd runs it where the tasks' passes end, and would again where the trunk's begins."""
    gradients = []
    for named in (False, True):
        z = net.trunk(x)
        z.register_hook(lambda gradient: 3 * gradient)
        losses = {name: head(z).square().mean() for name, head in net.heads.items()}
        balancer = eq.Balancer(Seen(), net, tasks=NAMES)
        net.zero_grad()
        balancer(losses, representation=z if named else None).backward()
        gradients.append(net.trunk.weight.grad)
    assert_close(*gradients)


def test_a_copy_talks_to_the_same_process_group_and_trains_a_model_of_its_own(net, x):
    group = torch.distributed.ProcessGroup(torch.distributed.HashStore(), 0, 1)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES, ranks=group)
    expected = backward(net, x, balancer)
    net.zero_grad()
    twin, its = copy.deepcopy((net, balancer))
    assert its.ranks is group
    assert_close(backward(twin, x, its), expected)
    assert its.record.step == 2
    assert balancer.record.step == 1
    assert grads(net) == [None] * len(expected)


def test_what_a_balancer_was_built_with_is_seen_by_help_and_completion(net):
    made = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    for option in ("names", "heads", "scale", "route", "probe_every", "ranks", "monitor"):
        assert option in dir(made)
        assert isinstance(getattr(eq.Balancer, option), property)
        with pytest.raises(AttributeError, match=rf"balancer\.{option} cannot be set: make a new Balancer"):
            setattr(made, option, getattr(made, option))


def test_a_copy_of_one_of_two_ranks_is_alone(net, monkeypatch):
    made = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    monkeypatch.setattr("equipoise.balancer.state.ranks_of", lambda *_: Ranks(size=2))
    made._state.find_ranks()
    with pytest.raises(RuntimeError, match="no forward pass of DDP"):
        made.finish()
    assert copy.deepcopy(made).finish().item() == 0
