"""Inside ``frozen`` the balancer is one function of the parameters, so that a line search may trust it."""

import warnings
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq

NAMES = ["equation", "boundary", "data"]


class Field(nn.Module):
    """u'' = -sin x on [0, pi], u = 0 at both ends, two measurements; a head of its own scales the data's unit."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)).double()
        self.unit = nn.Parameter(torch.tensor(1.3, dtype=torch.float64))
        self.points = torch.linspace(0, torch.pi, 12, dtype=torch.float64)[:, None]

    def losses(self):
        x = self.points.clone().requires_grad_()
        u = self.net(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        ends = self.net(self.points[[0, -1]])
        seen = self.unit * self.net(self.points[[4, 7]])
        return {
            "equation": (bend + torch.sin(x)).square().mean(),
            "boundary": 10 * ends.square().mean(),
            "data": (seen - 2 * torch.sin(self.points[[4, 7]])).square().mean(),
        }


METHODS = [
    eq.MGDA,
    lambda: eq.Every(2, eq.UnitNorm()),
    lambda: eq.Chain(eq.UW(), eq.MGDA()),
    eq.UW,
    lambda: eq.Fixed([1.0, 0.0, 3.0]),
    eq.ReLoBRaLo,
]


def search(field, objective, steps=4):
    """Parameters after L-BFGS with a strong Wolfe line search, and every value that it saw."""
    optimizer = torch.optim.LBFGS(field.parameters(), max_iter=5, line_search_fn="strong_wolfe")
    values = []

    def closure():
        optimizer.zero_grad()
        loss = objective(field.losses())
        loss.backward()
        values.append(loss.item())
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return torch.cat([p.detach().flatten() for p in field.parameters()]), values


@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("make", METHODS)
def test_lbfgs_walks_as_on_the_fixed_objective(make, heads):
    field, plain = Field(), Field()
    balancer = eq.Balancer(make(), field, tasks=NAMES, heads=heads)
    balancer(field.losses()).backward()
    weights = balancer.record.weights
    with balancer.frozen():
        found, values = search(field, balancer)
    expected, seen = search(plain, lambda losses: sum(weights[n] * x for n, x in losses.items() if weights[n] != 0))
    assert len(values) > 10
    assert_close(values, seen, rtol=1e-12, atol=0.0)
    assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert values[-1] < values[0]


@pytest.mark.parametrize("make", METHODS)
def test_value_and_gradient_agree_also_in_the_first_call_that_decides(make):
    """The directional derivative is that of the value, by central differences."""
    field = Field()
    balancer = eq.Balancer(make(), field, tasks=NAMES)
    parameters = list(field.parameters())
    generator = torch.Generator().manual_seed(1)
    direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    with balancer.frozen():
        first = balancer(field.losses())
        first.backward()
        again = balancer(field.losses())
        assert torch.equal(again, first)
        slope = sum(float((p.grad * d).sum()) for p, d in zip(parameters, direction, strict=True) if p.grad is not None)
        values = []
        for side in (1e-6, -2e-6):
            for p, d in zip(parameters, direction, strict=True):
                p.data += side * d
            values.append(balancer(field.losses()).item())
    assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-6)


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("is_decided", [True, False])
def test_the_method_is_asked_once_at_most_and_no_pass_is_spent_on_it(make, is_decided, monkeypatch):
    field = Field()
    balancer = eq.Balancer(make(), field, tasks=NAMES)
    if is_decided:
        balancer(field.losses()).backward()
    with balancer.frozen():
        balancer(field.losses()).backward()
        state = {name: value.clone() for name, value in balancer.method.state_dict().items()}
        weights, steps = balancer.record.weights, balancer.record.step
        for _ in range(3):
            losses = field.losses()
            with monkeypatch.context() as patch:
                own = lambda *a, **n: pytest.fail("a pass of its own")  # noqa: E731
                patch.setattr(torch.autograd.graph, "_engine_run_backward", own)
                balancer(losses).backward()
        assert balancer.record.weights == weights
        assert balancer.record.step == steps + 3
        assert balancer.record.route == "frozen"
        assert balancer.record.gramian is None
    for name, value in balancer.method.state_dict().items():
        assert torch.equal(value, state[name])


def test_what_is_decided_inside_is_what_a_step_outside_decides():
    for make in METHODS:
        fields = Field(), Field()
        outside, inside = (eq.Balancer(make(), field, tasks=NAMES) for field in fields)
        outside(fields[0].losses()).backward()
        with inside.frozen():
            inside(fields[1].losses()).backward()
        assert inside.record.weights == pytest.approx(outside.record.weights, rel=1e-12)
        assert_close(inside.method.state_dict(), outside.method.state_dict())


def test_gradients_are_compared_where_the_balancer_is_told_to():
    for options in ("representation", "gramian_from"):
        torch.manual_seed(0)
        trunk, heads = nn.Linear(3, 4), nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 1)])
        weights = []
        for is_inside in (False, True):
            chosen = trunk.bias if options == "gramian_from" else None
            balancer = eq.Balancer(eq.UnitNorm(), nn.ModuleList([trunk, heads]), tasks=["a", "b"], gramian_from=chosen)
            z = trunk(torch.ones(5, 3))
            losses = {name: head(z).square().mean() for name, head in zip("ab", heads, strict=True)}
            at = z if options == "representation" else None
            if is_inside:
                with balancer.frozen():
                    balancer(losses, representation=at).backward()
            else:
                balancer(losses, representation=at).backward()
            weights.append(balancer.record.weights)
        assert weights[0] == pytest.approx(weights[1])


def test_without_gradients_the_value_is_the_held_objective():
    field = Field()
    balancer = eq.Balancer(eq.MGDA(), field, tasks=NAMES)
    with balancer.frozen(), torch.no_grad():
        x = {name: torch.ones(()) for name in NAMES}
        assert float(balancer(x)) == 3.0  # nothing is decided yet
    balancer(field.losses()).backward()
    with balancer.frozen(), torch.no_grad():
        assert float(balancer(x)) == pytest.approx(sum(balancer.record.weights.values()))
    with torch.no_grad():
        assert float(balancer(x)) == 3.0


def test_user_weights_missing_tasks_and_blocks_within_blocks():
    field = Field()
    balancer = eq.Balancer(eq.UnitNorm(), field, tasks={"equation": 2.0, "boundary": 1.0, "data": 0.5})
    losses = field.losses()
    with balancer.frozen():
        two = {name: losses[name] for name in NAMES[:2]}
        value = balancer(two).item()
        with balancer.frozen():
            assert balancer(two).item() == value
            three = balancer(losses).item()  # the third has no weight yet: all that are present are decided anew
        assert balancer(losses).item() == three
        balancer(losses).backward()
        held = balancer.record.weights
    assert three == pytest.approx(
        held["equation"] * losses["equation"].item()
        + held["boundary"] * losses["boundary"].item()
        + held["data"] * losses["data"].item()
    )


def test_nothing_is_held_from_a_step_that_was_skipped_or_of_numbers_that_are_not_finite():
    field = Field()
    balancer = eq.Balancer(eq.UnitNorm(), field, tasks=NAMES)
    (0.0 * balancer(field.losses())).backward()
    assert balancer.record.skipped
    with balancer.frozen():
        losses = field.losses()
        balancer({**losses, "data": losses["data"] * torch.inf}).backward()
        assert balancer.record.skipped
        balancer(field.losses()).backward()
        assert balancer.record.route == "frozen"
        assert set(balancer.record.weights.values()) != {1.0}


def test_after_the_block_the_method_decides_again():
    field = Field()
    balancer = eq.Balancer(eq.MGDA(), field, tasks=NAMES)
    with pytest.raises(KeyError), balancer.frozen():
        balancer(field.losses()).backward()
        raise KeyError
    balancer(field.losses()).backward()
    assert balancer.record.gramian is not None


def test_a_gradient_cannot_be_held():
    field = Field()
    with pytest.raises(ValueError, match=r"TrimmedMean\(.*\) gives no weights for .*; take another method, such as"):
        eq.Balancer(eq.TrimmedMean(), field, tasks=NAMES).frozen().__enter__()


def test_a_held_weight_of_zero_never_meets_an_infinite_gradient():
    x = nn.Parameter(torch.tensor([4.0]))
    balancer = eq.Balancer(eq.Fixed([0.0, 2.0]), [x], tasks=["a", "b"])
    with balancer.frozen():
        balancer({"a": (0.0 * x).sqrt().sum(), "b": (3 * x).sum()}).backward()
    assert x.grad.tolist() == [6.0]


# What is told where the balancer is not frozen


def lbfgs_steps(balancer, field, steps=1, frozen=False, decide=False, **options):
    """What was warned of in some steps of L-BFGS."""
    optimizer = torch.optim.LBFGS(field.parameters(), **{"max_iter": 4, "line_search_fn": "strong_wolfe", **options})

    def closure():
        optimizer.zero_grad()
        loss = balancer(field.losses())
        loss.backward()
        return loss

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(steps):
            if decide:
                closure()
            with balancer.frozen() if frozen else nullcontext():
                optimizer.step(closure)
    return [str(one.message) for one in caught if "LBFGS" in str(one.message)]


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
@pytest.mark.parametrize("make", [eq.MGDA, lambda: eq.Chain(eq.UW(), eq.MGDA()), eq.GradDrop])
def test_lbfgs_around_an_unfrozen_gradient_method_is_told_once(make, line_search_fn):
    field = Field()
    balancer = eq.Balancer(make(), field, tasks=NAMES)
    (said,) = lbfgs_steps(balancer, field, steps=3, line_search_fn=line_search_fn)
    assert "with balancer.frozen(): optimizer.step(closure)" in said
    assert "decides weights anew" in said
    assert "docs/trainers.md" in said


def test_it_is_told_in_the_very_first_step_also_after_another_optimiser():
    field = Field()
    balancer = eq.Balancer(eq.MGDA(), field, tasks=NAMES)
    adam = torch.optim.Adam(field.parameters())
    for _ in range(3):
        balancer(field.losses()).backward()
        adam.step()
    assert len(lbfgs_steps(balancer, field)) == 1


@pytest.mark.parametrize("make", [lambda: eq.LogSum(), eq.ReLoBRaLo])
def test_a_weighting_whose_value_is_not_its_objective_is_told_under_a_line_search(make):
    field = Field()
    (said,) = lbfgs_steps(eq.Balancer(make(), field, tasks=NAMES), field, steps=2)
    assert "the value of the balanced loss is the total, its gradient that of the objective" in said
    assert lbfgs_steps(eq.Balancer(make(), field, tasks=NAMES), field, line_search_fn=None) == []


@pytest.mark.parametrize("make", [eq.MGDA, eq.LogSum])
@pytest.mark.parametrize("decide", [True, False])
def test_frozen_it_is_not(make, decide):
    field = Field()
    assert lbfgs_steps(eq.Balancer(make(), field, tasks=NAMES), field, 3, frozen=True, decide=decide) == []


def test_a_negative_weight_under_a_line_search_is_told_once():
    class Against(eq.Aggregator):
        def forward(self, gramian, losses, tasks):
            return torch.tensor([1.0, 1.0, -0.1], dtype=torch.float64)

    field = Field()
    (said,) = lbfgs_steps(eq.Balancer(Against(), field, tasks=NAMES), field, 3, frozen=True)
    assert "Against() gave 'data' a negative weight, so it raises that loss without bound" in said


def test_the_plain_sum_is_one_function():
    field = Field()
    assert lbfgs_steps(eq.Balancer(eq.Sum(), field, tasks=NAMES), field, 3) == []
    assert lbfgs_steps(eq.Balancer(eq.Sum(), field, tasks={"equation": 3.0, "boundary": 1.0, "data": 0.5}), field) == []


def test_one_evaluation_for_each_step_is_ordinary_training():
    field = Field()
    balancer = eq.Balancer(eq.MGDA(), field, tasks=NAMES)
    assert lbfgs_steps(balancer, field, 5, max_iter=1, line_search_fn=None) == []


def test_optimisers_that_take_a_closure_and_call_it_once_are_left_in_peace():
    field = Field()
    balancer = eq.Balancer(eq.MGDA(), field, tasks=NAMES)
    optimizer = torch.optim.SGD(field.parameters(), lr=0.01)

    def closure():
        optimizer.zero_grad()
        loss = balancer(field.losses())
        loss.backward()
        return loss

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            optimizer.step(closure)
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize(
    "method",
    [lambda: eq.LRAnnealing(), lambda: eq.Every(3, eq.ExcessMTL()), lambda: eq.Chain(eq.DWA(), eq.LRAnnealing())],
)
def test_the_first_call_inside_asks_a_method_that_decides_by_rows(method):
    """Weights that are decided inside are those that a step outside would have had."""
    fields = Field(), Field()
    outside, inside = (
        eq.Balancer(method(), field, tasks={"equation": 2.0, "boundary": 1.0, "data": 0.5}) for field in fields
    )
    outside(fields[0].losses()).backward()
    with inside.frozen():
        inside(fields[1].losses()).backward()
    assert len(set(outside.record.weights.values())) > 1
    assert inside.record.weights == pytest.approx(outside.record.weights)
