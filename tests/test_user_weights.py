"""The users' weights: read-only where they are stated, live by ``set_weights``, and one meaning wherever given."""

import copy
import io
import pickle
import warnings

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.method import Aggregator, Weighting

NAMES = ("a", "b")


class Net(nn.Module):
    """One shared layer, one head per task."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Linear(3, 4)
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in NAMES})
        self.double()

    def losses(self, seed=0):
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        z = self.trunk(x).tanh()
        return {name: (self.heads[name](z) - k).square().mean() for k, name in enumerate(NAMES)}


def step(balancer, net, seed=0):
    """One backward: the scalar, and all gradients."""
    net.zero_grad()
    loss = balancer(net.losses(seed))
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in net.parameters()])


def plain(net, weights, seed=0):
    """The same of the weighted sum by plain autograd."""
    net.zero_grad()
    loss = sum(weights[name] * value for name, value in net.losses(seed).items())
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in net.parameters()])


def require_step(balancer, net, weights, seed=0):
    """Raise unless a step is that of the weighted sum."""
    expected = plain(net, weights, seed)
    found = step(balancer, net, seed)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    torch.testing.assert_close(found[1], expected[1], rtol=1e-12, atol=1e-14)


# Frozen


def test_a_task_is_read_only_and_its_error_says_what_to_do():
    task = eq.Task("x", nn.L1Loss(), weight=2.0)
    with pytest.raises(AttributeError, match=r"weight of task 'x'.*balancer\.set_weights\(\{'x': 100\.0\}\)"):
        task.weight = 100.0
    with pytest.raises(AttributeError, match=r"loss of task 'x' cannot be set: make a new Task"):
        task.loss = nn.MSELoss()
    assert task.weight == 2.0


def test_a_task_is_copied_and_pickled():
    task = eq.Task("x", nn.L1Loss(), weight=2.0, output=("p", "q"))
    for twin in (copy.copy(task), copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
        assert (twin.name, twin.weight, twin.output, twin.target) == ("x", 2.0, ("p", "q"), "x")
        with pytest.raises(AttributeError, match="set_weights"):
            twin.weight = 1.0


def test_a_methods_arguments_are_free_until_a_balancer_has_it_and_read_only_from_then_on():
    method = eq.CAGrad(c=0.4)
    method.c = 0.5
    assert repr(method) == repr(eq.CAGrad(c=0.5))
    balancer = eq.Balancer(method, Net(), tasks=NAMES)
    with pytest.raises(AttributeError, match=r"c of CAGrad\(.*\) cannot be set.*make a new method.*c=0\.1"):
        balancer.method.c = 0.1
    assert method.c == 0.5


@pytest.mark.parametrize("make", [lambda: eq.Fixed([0.8, 0.2]), lambda: eq.Tchebycheff([0.8, 0.2])])
def test_weights_of_a_bound_method_point_to_set_weights(make):
    balancer = eq.Balancer(make(), Net(), tasks=NAMES)
    with pytest.raises(AttributeError, match=r"weights of .* cannot be set.*balancer\.set_weights"):
        balancer.method.weights = [1.0, 1.0]


def test_arguments_within_composites_are_read_only_too():
    inner = eq.CAGrad()
    balancer = eq.Balancer(eq.Chain(eq.UnitNorm(), eq.Every(3, inner)), Net(), tasks=NAMES)
    every = balancer.method.steps[1]
    for owner, name in ((inner, "c"), (every, "n"), (every, "method")):
        with pytest.raises(AttributeError, match="cannot be set"):
            setattr(owner, name, getattr(owner, name))


def test_arguments_that_are_lists_do_not_change_in_place():
    """What is read when a method is bound, and only then, cannot be changed later in silence."""
    for method, name in (
        (eq.Fixed([1.0, 2.0]), "weights"),
        (eq.Fixed({"a": 1.0, "b": 2.0}), "weights"),
        (eq.Scheduled([[1.0, 2.0]]), "weights"),
        (eq.STCH(weights=[1.0, 2.0]), "weights"),
        (eq.PNorm(reference=[1.0, 2.0]), "reference"),
    ):
        held = getattr(method, name)
        with pytest.raises((TypeError, AttributeError)):
            held["a" if isinstance(held, dict) else 0] = 5.0


def test_state_stays_assignable_and_copies_of_a_bound_method_work():
    class Counting(Aggregator):
        def __init__(self, scale=1.0):
            super().__init__()
            self.scale = scale

        def bind(self, num_tasks):
            self.register_buffer("count", torch.zeros(()))

        def forward(self, gramian, losses, tasks):
            self.count = self.count + 1
            self.last = float(losses.sum())
            return self.scale * torch.ones_like(losses)

    net = Net()
    balancer = eq.Balancer(Counting(), net, tasks=NAMES)
    step(balancer, net)
    assert balancer.method.count == 1
    copied = copy.deepcopy(balancer)
    pickled = pickle.loads(pickle.dumps(eq.Balancer(eq.CAGrad(), Net(), tasks=NAMES)))
    fresh = eq.Balancer(Counting(), net, tasks=NAMES)
    fresh.load_state_dict(balancer.state_dict())
    assert fresh.method.count == copied.method.count == 1
    copied.to("cpu")
    for twin, name in ((copied, "scale"), (pickled, "c"), (fresh, "scale")):
        with pytest.raises(AttributeError, match="cannot be set"):
            setattr(twin.method, name, 2.0)


@pytest.mark.parametrize("name", ["method", "heads", "route", "probe_every", "ranks", "user_weights"])
def test_what_a_balancer_was_built_with_is_read_only(name):
    balancer = eq.Balancer(eq.MGDA(), Net(), tasks=NAMES)
    before = getattr(balancer, name)
    with pytest.raises(AttributeError, match=f"balancer.{name} cannot be set: .*(new Balancer|set_weights)"):
        setattr(balancer, name, eq.Sum() if name == "method" else before)
    assert getattr(balancer, name) is before or getattr(balancer, name) == before


def test_the_users_weights_cannot_be_changed_in_place():
    balancer = eq.Balancer(eq.Sum(), Net(), tasks=NAMES)
    with pytest.raises(AttributeError, match=r"balancer\.set_weights\(\{'a': 3\.0\}\)"):
        balancer.user_weights["a"] = 3.0
    for change in (lambda w: w.update(a=3.0), lambda w: w.pop("a"), lambda w: w.clear(), lambda w: w.__ior__({"a": 3})):
        with pytest.raises(AttributeError, match="set_weights"):
            change(balancer.user_weights)
    assert balancer.user_weights == {"a": 1.0, "b": 1.0}
    assert pickle.loads(pickle.dumps(balancer.user_weights)) == copy.deepcopy(balancer.user_weights)


@pytest.mark.parametrize("name", ["weights", "weight", "tasks"])
def test_a_name_that_a_balancer_does_not_have_for_its_weights_points_to_set_weights(name):
    balancer = eq.Balancer(eq.Sum(), Net(), tasks=NAMES)
    with pytest.raises(AttributeError, match=rf"balancer\.{name} cannot be set: .*balancer\.set_weights"):
        setattr(balancer, name, {"a": 0.8, "b": 0.2})
    assert not hasattr(balancer, name)


@pytest.mark.parametrize("make", [eq.Sum, eq.MGDA, lambda: eq.Every(2, eq.MGDA()), lambda: eq.Chain(eq.MGDA())])
@pytest.mark.parametrize("name", ["weights", "weight", "user_weights", "user_weight"])
def test_weights_of_a_method_that_has_none_point_to_set_weights(make, name):
    method = eq.Balancer(make(), Net(), tasks=NAMES).method
    for value in ({"a": 0.8, "b": 0.2}, [0.8, 0.2], 0.8):
        with pytest.raises(AttributeError, match=rf"{name} of .* cannot be set .*balancer\.set_weights"):
            setattr(method, name, value)


def test_a_method_of_ones_own_may_keep_state_by_the_name_of_weights():
    class Remembering(Aggregator):
        def __init__(self):
            super().__init__()
            self.weight = None

        def bind(self, num_tasks):
            self.register_buffer("weights", torch.ones(num_tasks))

        def forward(self, gramian, losses, tasks):
            self.weights, self.weight = self.weights + 1, 2.0
            return torch.ones_like(losses)

    net = Net()
    balancer = eq.Balancer(Remembering(), net, tasks=NAMES)
    step(balancer, net)
    assert balancer.method.weights.tolist() == [2.0, 2.0]


# By name


def test_fixed_by_name_is_fixed_by_place():
    net = Net()
    by_name = eq.Balancer(eq.Fixed({"b": 0.2, "a": 0.8}), net, tasks=NAMES)
    require_step(by_name, net, {"a": 0.8, "b": 0.2})
    assert repr(by_name.method) == "Fixed(weights={'b': 0.2, 'a': 0.8})"
    inside = eq.Balancer(eq.Chain(eq.Warmup(0, eq.Fixed({"b": 0.2, "a": 0.8})), eq.Sum()), net, tasks=NAMES)
    require_step(inside, net, {"a": 0.8, "b": 0.2})


def test_scheduled_by_name():
    net = Net()
    rows = [{"b": 0.2, "a": 0.8}, {"a": 0.0, "b": 1.0}]
    for schedule in (rows, lambda t: rows[min(t, 1)]):
        balancer = eq.Balancer(eq.Scheduled(schedule), net, tasks=NAMES)
        for row in (*rows, rows[-1]):
            require_step(balancer, net, row)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1.0}, r"weights must name every task.*'b' is missing"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, r"weights must name every task.*there is no task 'c'"),
    ],
)
def test_names_must_be_those_of_the_tasks(weights, message):
    for method in (eq.Fixed(weights), eq.Scheduled([weights])):
        with pytest.raises(ValueError, match=message):
            eq.Balancer(method, Net(), tasks=NAMES)


def test_names_without_a_balancer():
    with pytest.raises(ValueError, match="weights are given by name, and no names of tasks are known"):
        eq.Fixed({"a": 1.0, "b": 2.0}).bind(2)


# Live


def test_set_weights_holds_from_the_next_call_on():
    net = Net()
    balancer = eq.Balancer(eq.Sum(), net, tasks={"a": 3.0, "b": 1.0})
    require_step(balancer, net, {"a": 3.0, "b": 1.0})
    balancer.set_weights({"a": 0.5})
    assert balancer.user_weights == {"a": 0.5, "b": 1.0}
    assert "tasks={'a': 0.5, 'b': 1.0}" in repr(balancer)
    require_step(balancer, net, {"a": 0.5, "b": 1.0})
    with torch.no_grad():
        balancer.set_weights({"b": 4.0})
        losses = net.losses()
        assert balancer(losses).item() == pytest.approx(0.5 * losses["a"].item() + 4 * losses["b"].item())


def test_a_call_that_was_made_keeps_its_weights():
    net = Net()
    for make in (eq.Sum, eq.UnitNorm, eq.NashMTL):
        balancer = eq.Balancer(make(), net, tasks=NAMES)
        expected = step(balancer, net)
        late = eq.Balancer(make(), net, tasks=NAMES)
        net.zero_grad()
        loss = late(net.losses())
        late.set_weights({"a": 5.0})
        loss.backward()
        assert torch.equal(torch.cat([p.grad.flatten() for p in net.parameters()]), expected[1])


def test_a_users_rule_may_set_weights_at_every_step():
    net = Net()
    balancer = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    for t in range(4):
        balancer.set_weights({"b": 0.5**t})
        require_step(balancer, net, {"a": 1.0, "b": 0.5**t}, seed=t)


def test_preference_methods_follow():
    net = Net()
    live = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    built = eq.Balancer(eq.NashMTL(), net, tasks={"a": 4.0, "b": 1.0})
    live.set_weights({"a": 4.0})
    assert torch.equal(step(live, net)[1], step(built, net)[1])
    live.set_weights({"a": 1.0})  # and back
    assert torch.equal(step(live, net)[1], step(eq.Balancer(eq.NashMTL(), net, tasks=NAMES), net)[1])


def test_methods_that_ignore_or_invert_weights_warn_once():
    for make in (eq.MGDA, eq.IMTLG):
        assert make().user_weight in ("ignored", "inverts")
        balancer = eq.Balancer(make(), Net(), tasks=NAMES)
        with pytest.warns(UserWarning, match=r"the weights \{'a': 2.0, 'b': 1.0\}"):
            balancer.set_weights({"a": 2.0})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            balancer.set_weights({"a": 3.0})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"c": 1.0}, "no task 'c'"),
        ({"a": 0}, "weight of task 'a' must be positive and finite, got 0.*leave its loss out"),
        ({"a": -1.0}, "must be positive and finite"),
        ({"a": float("nan")}, "must be positive and finite"),
        ({"a": "2"}, "weight of task 'a' must be a number, got '2'"),
        ([1.0, 2.0], r"weights must map task names to numbers, got \[1.0, 2.0\]"),
    ],
)
def test_set_weights_checks_as_the_constructor_does_and_changes_nothing_on_an_error(weights, message):
    balancer = eq.Balancer(eq.Sum(), Net(), tasks=NAMES)
    with pytest.raises(ValueError, match=message):
        balancer.set_weights(weights if not isinstance(weights, dict) else {"b": 7.0, **weights})
    assert balancer.user_weights == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(
    "make",
    [
        lambda: eq.Fixed({"a": 0.8, "b": 0.2}),
        lambda: eq.Scheduled([[0.8, 0.2]]),
        lambda: eq.Chain(eq.Fixed([0.8, 0.2]), eq.MGDA()),
        lambda: eq.Warmup(3, eq.Fixed([0.8, 0.2])),
        lambda: eq.PerGroup({}, rest=eq.Fixed([0.8, 0.2])),
        lambda: eq.Preconditioned(eq.Fixed([0.8, 0.2])),
    ],
)
def test_set_weights_beside_weights_of_the_method_is_an_error_because_both_would_multiply(make):
    balancer = eq.Balancer(make(), Net(), tasks=NAMES)
    with pytest.raises(ValueError, match=r"has weights of its own.*Sum\(\).*tasks=\{name: weight\}"):
        balancer.set_weights({"a": 0.5})
    assert balancer.user_weights == {"a": 1.0, "b": 1.0}


def test_while_micro_batches_wait_the_step_keeps_its_weights_and_the_next_has_the_new_ones():
    net = Net()
    balancer = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    balancer.accumulate(2)
    net.zero_grad()
    for t in range(2):
        balancer.set_weights({"a": 1.0 + t})
        (balancer(net.losses(t)) / 2).backward()
    assert balancer.user_weights["a"] == 2.0
    found = torch.cat([p.grad.flatten() for p in net.parameters()])
    expected = sum(plain(net, {"a": 1.0, "b": 1.0}, t)[1] for t in range(2)) / 2
    torch.testing.assert_close(found, expected)
    net.zero_grad()
    for t in range(2):
        (balancer(net.losses(t)) / 2).backward()
    found = torch.cat([p.grad.flatten() for p in net.parameters()])
    expected = sum(plain(net, {"a": 2.0, "b": 1.0}, t)[1] for t in range(2)) / 2
    torch.testing.assert_close(found, expected)


def test_after_step_compares_losses_under_the_weights_of_the_step():
    """A change of weights is no change of losses for a method that compares them before and after a step."""

    class Compares(Weighting):
        def forward(self, losses, tasks):
            self.before = losses.detach()
            return losses.sum()

        def after_step(self, losses, tasks):
            self.ratio = (losses / self.before).tolist()

    net = Net()
    balancer = eq.Balancer(Compares(), net, tasks=NAMES)
    losses = net.losses()
    balancer(losses).backward()
    balancer.set_weights({"a": 10.0})
    balancer.after_step(losses)
    assert balancer.method.ratio == [1.0, 1.0]


def test_inside_frozen_weights_are_held_and_before_it_new_ones_are_decided_with():
    net = Net()
    balancer = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    step(balancer, net)
    balancer.set_weights({"a": 3.0})
    with balancer.frozen():
        require_step(balancer, net, {"a": 3.0, "b": 1.0})
        with pytest.raises(RuntimeError, match=r"frozen\(\) holds the weights: call set_weights before it"):
            balancer.set_weights({"a": 4.0})
    require_step(balancer, net, {"a": 3.0, "b": 1.0})


def test_live_weights_are_saved_and_resumed():
    net = Net()
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    balancer.set_weights({"a": 4.0})
    file = io.BytesIO()
    torch.save(balancer.state_dict(), file)
    file.seek(0)
    resumed = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.user_weights == {"a": 4.0, "b": 1.0}
    assert torch.equal(step(resumed, net)[1], step(balancer, net)[1])


def test_a_state_without_live_weights_leaves_those_that_the_balancer_was_built_with():
    saved = eq.Balancer(eq.Sum(), Net(), tasks=NAMES).state_dict()
    old = copy.deepcopy(saved)
    del old["_extra_state"]["weights"]
    for state in (saved, old):
        balancer = eq.Balancer(eq.Sum(), Net(), tasks={"a": 2.0, "b": 1.0})
        balancer.set_weights({"a": 9.0})
        balancer.load_state_dict(state)
        assert balancer.user_weights == {"a": 2.0, "b": 1.0}


def test_live_weights_through_a_distributed_checkpoint(tmp_path):
    checkpoint = pytest.importorskip("torch.distributed.checkpoint")
    balancer = eq.Balancer(eq.Sum(), Net(), tasks=NAMES)
    balancer.set_weights({"a": 4.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checkpoint.save({"balancer": balancer.state_dict()}, checkpoint_id=tmp_path)
        fresh = eq.Balancer(eq.Sum(), Net(), tasks=NAMES)
        state = {"balancer": fresh.state_dict()}
        checkpoint.load(state, checkpoint_id=tmp_path)
    fresh.load_state_dict(state["balancer"])
    assert fresh.user_weights == {"a": 4.0, "b": 1.0}


# One meaning wherever they are given

WEIGHTS = {"a": 0.75, "b": 0.25}  # exact in float32, in which wrappers keep weights


def by_task(net):
    tasks = eq.Tasks([eq.Task(name, nn.MSELoss(), weight=weight) for name, weight in WEIGHTS.items()])
    return eq.Balancer(eq.Sum(), net, tasks=tasks)


def by_set_weights(net):
    balancer = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    balancer.set_weights(WEIGHTS)
    return balancer


def by_product(net):
    return eq.Balancer(eq.Chain(eq.Fixed([1.5, 0.125]), eq.Scheduled([[0.5, 0.5]])), net, tasks={"a": 1.0, "b": 4.0})


WAYS = {
    "Task.weight": by_task,
    "tasks": lambda net: eq.Balancer(eq.Sum(), net, tasks=WEIGHTS),
    "set_weights": by_set_weights,
    "Fixed": lambda net: eq.Balancer(eq.Fixed([0.75, 0.25]), net, tasks=NAMES),
    "Fixed by name": lambda net: eq.Balancer(eq.Fixed(WEIGHTS), net, tasks=NAMES),
    "Scheduled": lambda net: eq.Balancer(eq.Scheduled(lambda t: WEIGHTS), net, tasks=NAMES),
    "Chain": lambda net: eq.Balancer(eq.Chain(eq.Fixed(WEIGHTS), eq.Sum()), net, tasks=NAMES),
    "a product": by_product,
    "Warmup": lambda net: eq.Balancer(eq.Warmup(0, eq.Fixed(WEIGHTS)), net, tasks=NAMES),
    "Every": lambda net: eq.Balancer(eq.Every(5, eq.Fixed(WEIGHTS)), net, tasks=NAMES),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_scalar_gradient_and_record_however_weights_are_given(way):
    net = Net()
    balancer = WAYS[way](net)
    for seed in (0, 1):
        require_step(balancer, net, WEIGHTS, seed)
        expected, record = plain(net, WEIGHTS, seed)[0], balancer.record
        assert record.total == pytest.approx(expected, rel=1e-12)
        assert record.objective == pytest.approx(expected, rel=1e-12)
        assert record.weights == pytest.approx(WEIGHTS, rel=1e-12)
        assert record.to_dict()["objective"] == record.objective
    with torch.no_grad():
        assert balancer(net.losses(1)).item() == pytest.approx(expected, rel=1e-12)
    assert balancer.record is record


def test_the_total_while_a_warmup_rises():
    """The weights of 1 + r (w - 1), r of the step."""
    net = Net()
    balancer = eq.Balancer(eq.Warmup(1, eq.Fixed(WEIGHTS), ramp=1), net, tasks=NAMES)
    for share in (0.0, 0.5, 1.0, 1.0):
        weights = {name: 1 + share * (weight - 1) for name, weight in WEIGHTS.items()}
        value, _ = step(balancer, net)
        assert value == balancer.record.total == pytest.approx(plain(net, weights)[0], rel=1e-12)
        assert balancer.record.weights == pytest.approx(weights, rel=1e-6)


def test_a_schedule_is_asked_once_per_step_and_validation_does_not_move_it():
    asked = []

    def rule(t):
        asked.append(t)
        return [1.0 + len(asked), 1.0]

    net = Net()
    balancer = eq.Balancer(eq.Scheduled(rule), net, tasks=NAMES)
    for t in range(3):
        value, _ = step(balancer, net)
        weights = {"a": 1.0 + len(asked), "b": 1.0}
        assert balancer.record.weights == weights
        assert value == pytest.approx(plain(net, weights)[0], rel=1e-12)
        assert asked == list(range(t + 1))
    with torch.no_grad():
        balancer(net.losses())
    step(balancer, net)
    assert asked == [0, 1, 2, 3, 3]


class Jumping(eq.Aggregator):
    def forward(self, gramian, losses, tasks):
        return 1.0 + 3.0 * tasks.double()


METHODS = {
    "sum": eq.Sum,
    "uw": eq.UW,
    "dwa": eq.DWA,
    "unit-norm": eq.UnitNorm,
    "nash-mtl": eq.NashMTL,
    "cagrad": eq.CAGrad,
    "own": Jumping,
    "fixed, own": lambda: eq.Chain(eq.Fixed([0.5, 3.0]), Jumping()),
    "uw, own": lambda: eq.Chain(eq.UW(), Jumping()),
    "every": lambda: eq.Every(2, Jumping()),
    "warmup": lambda: eq.Warmup(1, Jumping()),
}


@pytest.mark.filterwarnings("ignore:.*does not depend on the scale")
@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("name", METHODS)
def test_the_record_has_effective_weights(name, heads):
    """Shared parameters receive sum_k weights_k (gradient of raw loss k), which descends on record.objective."""
    net, user = Net(), {"a": 2.0, "b": 0.25}
    balancer = eq.Balancer(METHODS[name](), net, tasks=user, heads=heads)
    for seed in range(3):
        net.zero_grad()
        (0.5 * balancer(net.losses(seed))).backward()
        found = torch.cat([p.grad.flatten() for p in net.trunk.parameters()])
        private = torch.cat([p.grad.flatten() for p in net.heads["a"].parameters()])
        record = balancer.record
        losses = net.losses(seed)
        _, expected = plain(net, record.weights, seed)
        torch.testing.assert_close(2 * found, expected[: len(found)], rtol=1e-6, atol=1e-9)
        stated = {"a": 0.5, "b": 3.0} if name == "fixed, own" else {"a": 1.0, "b": 1.0}
        total = sum(user[n] * stated[n] * losses[n].item() for n in NAMES)
        assert record.total == pytest.approx(total, rel=1e-12)
        if isinstance(balancer.method, eq.Weighting):
            assert record.objective == pytest.approx(float(balancer.method(weighted(losses, user)).detach()), rel=1e-6)
        else:
            assert record.objective == pytest.approx(sum(record.weights[n] * losses[n].item() for n in NAMES), rel=1e-9)
            own = record.weights if heads == "weighted" else user  # raw heads have the weight that the balancer holds
            expected = plain(net, own, seed)[1][len(found) : len(found) + len(private)]
            torch.testing.assert_close(2 * private, expected, rtol=1e-6, atol=1e-9)


def weighted(losses, user):
    return torch.stack([user[name] * losses[name] for name in NAMES])


def test_effective_weights_of_accumulated_skipped_and_held_steps():
    net, user = Net(), {"a": 2.0, "b": 0.25}
    balancer = eq.Balancer(Jumping(), net, tasks=user)
    balancer.accumulate(2)
    for _ in range(2):
        (balancer(net.losses()) / 2).backward()
    decided = {"a": 2.0, "b": 1.0}
    losses = {name: loss.item() for name, loss in net.losses().items()}
    assert balancer.record.weights == decided
    assert balancer.record.total == pytest.approx(2 * losses["a"] + 0.25 * losses["b"])
    balancer.accumulate(1)
    with balancer.frozen():
        held = balancer(net.losses())
        held.backward()
        assert balancer.record.route == "frozen"
        assert balancer.record.weights == decided
        assert held.item() == pytest.approx(balancer.record.objective, rel=1e-12)
        assert held.item() == pytest.approx(sum(decided[n] * losses[n] for n in NAMES), rel=1e-12)
        assert balancer.record.total == pytest.approx(2 * losses["a"] + 0.25 * losses["b"])
    (0.0 * balancer(net.losses())).backward()
    assert balancer.record.skipped
    assert balancer.record.weights == user  # gradients go through as they are
    assert balancer.record.objective == pytest.approx(balancer.record.total)


def test_without_one_weight_per_task_there_is_no_objective():
    net = Net()
    balancer = eq.Balancer(eq.GradDrop(), net, tasks={"a": 2.0, "b": 0.25})
    value, _ = step(balancer, net)
    assert balancer.record.weights == {}
    assert balancer.record.objective is None
    assert "objective" not in balancer.record.to_dict()
    assert balancer.record.total == value


def test_a_weight_of_zero_leaves_a_loss_that_is_not_finite_out_of_the_objective():
    record = eq.Record(1, NAMES, torch.tensor([2.0, torch.inf]), torch.tensor(0.0), torch.tensor([3.0, 0.0]), None, "")
    assert record.objective == 6.0


def test_the_doctor_shows_effective_weights():
    net, user = Net(), {"a": 2.0, "b": 0.25}
    balancer = eq.Balancer(Jumping(), net, tasks=user)
    balancer.set_weights({"b": 0.5})
    report = eq.doctor(net, balancer, net.losses())
    step(balancer, net)
    assert report.weights == balancer.record.weights == {"a": 2.0, "b": 2.0}
    assert "effective weight" in str(report)


# Of tasks whose losses come, and which the balancer was not given


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(3, 2)

    def forward(self, x):
        return dict(zip(NAMES, self.trunk(x).unbind(dim=1), strict=True))


def task_losses(net, tasks):
    return tasks.losses(net(torch.ones(4, 3)), {name: torch.zeros(4) for name in NAMES})


@pytest.mark.parametrize("given", [list(NAMES), {"a": 2.0, "b": 1.0}])
@pytest.mark.parametrize("make", [eq.Sum, eq.MGDA])
def test_weights_of_tasks_that_the_balancer_was_not_given_are_warned_of_once(given, make):
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss(), weight=0.8), eq.Task("b", nn.MSELoss())])
    assert tasks.losses({"a": None, "b": torch.ones(1)}, {"a": None, "b": torch.ones(1)}).weights == {
        "a": 0.8,
        "b": 1.0,
    }
    net = Heads()
    balancer = eq.Balancer(make(), net, tasks=given)
    held = 2.0 if isinstance(given, dict) else 1.0
    with pytest.warns(UserWarning, match=rf"\{{'a': 0\.8\}}.*\{{'a': {held}\}}.*tasks=tasks") as told:
        balancer(task_losses(net, tasks)).backward()
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        balancer(task_losses(net, tasks)).backward()


def test_weights_of_tasks_that_count_or_were_changed_on_purpose_are_not_warned_of():
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss(), weight=0.8), eq.Task("b", nn.MSELoss())])
    net = Heads()
    changed = eq.Balancer(eq.Sum(), net, tasks=NAMES)
    changed.set_weights({"a": 0.5})
    later = eq.Balancer(eq.Sum(), net, tasks=tasks)
    unweighted = eq.Tasks([eq.Task(name, nn.MSELoss()) for name in NAMES])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        later(task_losses(net, tasks)).backward()
        later.set_weights({"a": 0.5})
        for balancer, of in (
            (changed, tasks),
            (later, tasks),
            (eq.Balancer(eq.Fixed({"a": 0.8, "b": 1.0}), net, tasks=NAMES), tasks),
            (eq.Balancer(eq.Sum(), net, tasks={"a": 0.8, "b": 3.0}), tasks),
            (eq.Balancer(eq.Sum(), net, tasks={"a": 0.8, "b": 3.0}), unweighted),
        ):
            balancer(task_losses(net, of)).backward()
    assert [str(warning.message) for warning in caught] == []


def test_weights_given_as_tasks_and_in_the_method_multiply():
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss(), weight=0.8), eq.Task("b", nn.MSELoss())])
    net = Heads()
    balancer = eq.Balancer(eq.Fixed({"a": 0.5, "b": 3.0}), net, tasks=tasks)
    balancer(task_losses(net, tasks)).backward()
    assert balancer.record.weights == pytest.approx({"a": 0.4, "b": 3.0})
