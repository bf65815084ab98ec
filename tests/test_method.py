import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import equipoise as eq
from equipoise.chain import AggregatorChain, CoordinateChain, WeightingChain, linearise, split
from equipoise.method import all_tasks


class FirstRow(eq.CoordinateAggregator):
    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return jacobian[0]


class LossTimes(eq.Aggregator):
    """weights = losses: shows what losses an aggregator sees."""

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return losses


LOSSES = torch.tensor([3.0, 0.5, 2.0], dtype=torch.float64)
ROWS = torch.tensor([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]], dtype=torch.float64)  # norms 5, 2, 1
GRAMIAN = ROWS @ ROWS.T


def bound(method):
    method.bind(3)
    return method


# The type of a chain


@pytest.mark.parametrize(
    ("steps", "kind", "public"),
    [
        ([], WeightingChain, eq.Weighting),
        ([eq.Sum()], WeightingChain, eq.Weighting),
        ([eq.UW(), eq.DWA()], WeightingChain, eq.Weighting),
        ([eq.UW(), eq.MGDA()], AggregatorChain, eq.Aggregator),
        ([eq.Sum(), eq.MGDA(), eq.Sum()], AggregatorChain, eq.Aggregator),
        ([eq.UW(), eq.UnitNorm(), FirstRow()], CoordinateChain, eq.CoordinateAggregator),
        ([FirstRow()], CoordinateChain, eq.CoordinateAggregator),
    ],
)
def test_a_chain_is_of_the_type_that_sees_most(steps, kind, public):
    chain = eq.Chain(*steps)
    assert type(chain) is kind
    assert isinstance(chain, public)
    assert isinstance(chain, eq.Chain)


@pytest.mark.parametrize(
    "steps",
    [
        [eq.MGDA(), eq.UW()],
        [FirstRow(), eq.MGDA()],
        [FirstRow(), eq.UW()],
        [FirstRow(), FirstRow()],
        [eq.Chain(eq.UW(), eq.MGDA()), eq.UW()],
    ],
)
def test_steps_out_of_order_are_an_error_that_shows_them(steps):
    with pytest.raises(ValueError, match=r"loss weightings, then aggregators, .* got Chain\(\w+"):
        eq.Chain(*steps)


def test_a_step_must_be_a_method():
    with pytest.raises(
        TypeError, match=r"a method is a Weighting, an Aggregator, a GroupAggregator or a Coord.*, got Linear"
    ):
        eq.Chain(eq.UW(), torch.nn.Linear(1, 1))
    with pytest.raises(TypeError, match="got 'mgda'"):
        eq.Chain("mgda")


def test_chains_are_flat_and_drop_the_unit():
    chain = eq.Chain(eq.Sum(), eq.Chain(eq.UW(), eq.Chain(eq.Clip(1.0), eq.Sum())), eq.MGDA())
    assert [type(step) for step in chain.steps] == [eq.UW, eq.Clip, eq.MGDA]
    assert repr(chain) == "Chain(UW(), Clip(max_norm=1.0), MGDA())"


@pytest.mark.parametrize(
    ("steps", "wish"),
    [
        ([eq.Sum()], "scales"),
        ([eq.Clip(1.0), eq.PCGrad()], "scales"),
        ([eq.Clip(1.0), eq.MGDA()], "inverts"),
        ([eq.Fixed([1.0]), eq.NashMTL()], "preference"),
        ([eq.UW(), eq.PCGrad()], "ignored"),
        ([eq.UW(), eq.UnitNorm(), eq.Clip(1.0)], "preference"),
    ],
)
def test_what_becomes_of_a_users_weight_in_a_chain(steps, wish):
    assert eq.Chain(*steps).user_weight == wish


# The values of a chain


def test_each_aggregator_sees_the_rows_that_the_one_before_scaled():
    # unit rows have the gramian of cosines; Clip(1/2) then halves every one
    chain = bound(eq.Chain(eq.UnitNorm(), eq.Clip(0.5)))
    assert_close(chain(GRAMIAN, LOSSES), 0.5 / torch.tensor([5.0, 2.0, 1.0], dtype=torch.float64))
    # and in the other order the norms that UnitNorm sees are 1/2: the clip is cancelled
    chain = bound(eq.Chain(eq.Clip(0.5), eq.UnitNorm()))
    assert_close(chain(GRAMIAN, LOSSES), 1 / torch.tensor([5.0, 2.0, 1.0], dtype=torch.float64))


def test_min_norm_of_scaled_rows_by_hand():
    # opposite rows 2 and -1, scaled to 6 and -1 by weights 3 and 1: the point of least norm is 0 at (1/7, 6/7)
    gramian = torch.tensor([[4.0, -2.0], [-2.0, 1.0]], dtype=torch.float64)
    chain = eq.Chain(eq.Fixed([3.0, 1.0]), eq.MGDA())
    chain.bind(2)
    assert_close(chain(gramian, LOSSES[:2]), torch.tensor([3 / 7, 6 / 7], dtype=torch.float64))


def test_weights_of_loss_weightings_multiply():
    losses = LOSSES.clone().requires_grad_()
    chain = bound(eq.Chain(eq.Fixed([2.0, 3.0, 5.0]), eq.Fixed([7.0, 1.0, 0.5]), eq.Fixed([10.0, 1.0, 1.0])))
    (weights,) = torch.autograd.grad(chain(losses), losses)
    assert weights.tolist() == [140.0, 3.0, 2.5]


def test_the_objective_of_a_chain_is_that_of_its_last_step():
    # UW multiplies every loss by exp(-1) / 2 here; that its own objective also holds s / 2 does not count
    chain = bound(eq.Chain(eq.UW(initial=1.0), eq.Fixed([2.0, 3.0, 5.0])))
    assert chain(LOSSES).item() == pytest.approx(0.5 * math.exp(-1) * (2 * 3 + 3 * 0.5 + 5 * 2))


def test_a_loss_weighting_before_an_aggregator_sees_the_losses():
    dwa = eq.DWA()
    bound(eq.Chain(dwa, eq.UnitNorm()))(GRAMIAN, LOSSES)
    assert dwa.total.tolist() == LOSSES.tolist()


def test_each_parameter_follows_the_objective_of_its_own_step():
    # UW(s) after Fixed(f): terms f l, so dL/ds = 1/2 - 1/2 exp(-s) f l; and dL/dl = 1/2 exp(-s) f
    fixed, uw = eq.Fixed([2.0, 3.0, 5.0]), eq.UW(initial=0.3)
    losses = LOSSES.clone().requires_grad_()
    bound(eq.Chain(fixed, uw))(losses).backward()
    precision = 0.5 * torch.exp(torch.tensor(-0.3)) * torch.tensor([2.0, 3.0, 5.0])
    assert_close(uw.log_variance.grad, 0.5 - precision * LOSSES.float())
    assert_close(losses.grad, precision.double())


def test_a_parameter_does_not_follow_the_steps_after_it():
    # UW before Fixed: s follows UW's objective of the raw losses, as if Fixed were not there
    uw = eq.UW(initial=0.3)
    losses = LOSSES.clone().requires_grad_()
    bound(eq.Chain(uw, eq.Fixed([2.0, 3.0, 5.0])))(losses).backward()
    precision = 0.5 * torch.exp(torch.tensor(-0.3))
    assert_close(uw.log_variance.grad, 0.5 - precision * LOSSES.float())
    assert_close(losses.grad, (precision * torch.tensor([2.0, 3.0, 5.0])).double())


def test_log_variances_learn_before_an_aggregator():
    model = torch.nn.Linear(1, 2, bias=False)
    uw = eq.UW(initial=0.3)
    balancer = eq.Balancer(eq.Chain(uw, eq.MGDA()), model, tasks=["a", "b"])
    a, b = model(torch.ones(1)).square() + 1
    balancer({"a": a, "b": b}).backward()
    expected = 0.5 - 0.5 * torch.exp(torch.tensor(-0.3)) * torch.stack([a, b]).detach()
    assert_close(uw.log_variance.grad, expected)


def test_a_coordinate_aggregator_sees_scaled_rows():
    chain = bound(eq.Chain(eq.UnitNorm(), FirstRow()))
    assert_close(chain(ROWS, LOSSES), ROWS[0] / 5)


def test_the_empty_chain_is_the_sum():
    losses = LOSSES.clone().requires_grad_()
    chain = bound(eq.Chain())
    assert chain(losses).item() == eq.Sum()(losses).item() == 5.5
    assert torch.autograd.grad(chain(losses), losses)[0].tolist() == [1.0, 1.0, 1.0]


def test_an_aggregator_sees_the_losses_with_the_users_weights_only():
    assert_close(bound(eq.Chain(eq.Fixed([2.0, 2.0, 2.0]), LossTimes()))(GRAMIAN, LOSSES), 2 * LOSSES)


def test_a_chain_hands_every_event_to_every_step():
    class Listener(eq.Aggregator):
        def __init__(self):
            super().__init__()
            self.heard = []

        def bind(self, num_tasks):
            self.heard.append(("bind", num_tasks))

        def prefer(self, weights):
            self.heard.append(("prefer", weights.tolist()))

        def end_epoch(self):
            self.heard.append(("end_epoch",))

        def observe(self, results, tasks):
            self.heard.append(("observe", results.tolist(), tasks.tolist()))

        def after_step(self, losses, tasks):
            self.heard.append(("after_step", losses.tolist(), tasks.tolist()))

    first, second = Listener(), Listener()
    chain = eq.Chain(first, eq.Chain(second))
    chain.bind(3)
    chain.prefer(torch.tensor([1.0, 2.0]))
    chain.end_epoch()
    chain.observe(torch.tensor([0.5]), torch.tensor([1]))
    chain.after_step(torch.tensor([0.25]), torch.tensor([2]))
    assert first.heard == second.heard
    assert first.heard == [
        ("bind", 3),
        ("prefer", [1.0, 2.0]),
        ("end_epoch",),
        ("observe", [0.5], [1]),
        ("after_step", [0.25], [2]),
    ]


# Splitting


@pytest.mark.parametrize(
    ("method", "weighting", "aggregator", "coordinate"),
    [
        (eq.Sum(), "Sum()", None, None),
        (eq.UW(), "UW()", None, None),
        (eq.MGDA(), "Sum()", "MGDA()", None),
        (FirstRow(), "Sum()", None, "FirstRow()"),
        (
            eq.Chain(eq.UW(), eq.DWA(), eq.UnitNorm(), eq.Clip(1.0), FirstRow()),
            "Chain(UW(), DWA())",
            "Chain(UnitNorm(), Clip(max_norm=1.0))",
            "FirstRow()",
        ),
    ],
)
def test_split(method, weighting, aggregator, coordinate):
    parts = split(method)
    assert repr(parts.weighting) == weighting
    assert isinstance(parts.weighting, eq.Weighting)
    assert (None if parts.aggregator is None else repr(parts.aggregator)) == aggregator
    assert (None if parts.coordinate is None else repr(parts.coordinate)) == coordinate
    assert parts.takes_gradients == (aggregator is not None or coordinate is not None)


def test_the_parts_are_the_steps_themselves():
    uw, mgda = eq.UW(), eq.MGDA()
    parts = split(eq.Chain(uw, mgda))
    assert parts.weighting is uw
    assert parts.aggregator is mgda


# What every method has


def test_linearise_cuts_the_losses_off_and_keeps_the_parameters():
    uw = bound(eq.UW())
    losses = LOSSES.clone().requires_grad_()
    with torch.no_grad():
        objective, weights = linearise(uw, losses, all_tasks(losses))
    assert weights.tolist() == [0.5, 0.5, 0.5]
    objective.backward()
    assert losses.grad is None
    assert_close(uw.log_variance.grad, 0.5 - 0.5 * LOSSES.float())


def test_repr_shows_the_arguments_that_differ_from_their_defaults():
    assert repr(eq.DWA()) == "DWA()"
    assert repr(eq.DWA(1.0)) == "DWA(temperature=1.0)"
    assert repr(eq.UW(["regression", "classification"], initial=1.0)) == (
        "UW(form=['regression', 'classification'], initial=1.0)"
    )


def test_state_before_bind_is_an_error_that_says_so():
    with pytest.raises(AttributeError, match=r"'log_variance'.*call bind\(num_tasks\) first"):
        eq.UW()(LOSSES)


def test_an_aggregator_stays_on_the_cpu_in_float64():
    method = bound(eq.RunningNorm())
    chain = eq.Chain(eq.DWA(), method)
    chain.bind(3)
    chain.to("meta").half()
    assert (method.mean.device.type, method.mean.dtype) == ("cpu", torch.float64)


def test_what_compares_losses_after_a_step_comes_first():
    with pytest.raises(ValueError, match=r"FAMO\(\) compares losses before and after a step, and must come first"):
        eq.Chain(eq.Fixed([1.0, 2.0]), eq.FAMO())
    with pytest.raises(ValueError, match="must come first"):
        eq.Chain(eq.UW(), eq.Every(2, eq.FAMO()))
    eq.Chain(eq.FAMO(), eq.MGDA())


def test_a_weight_of_zero_before_a_logarithm_is_what_the_error_names():
    chain = eq.Chain(eq.Fixed([0.0, 1.0]), eq.LogSum())
    chain.bind(2)
    with pytest.raises(ValueError, match=r"a step of Chain\(Fixed.*\) gave weight 0 to tasks \[0\]"):
        chain(torch.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"^LogSum\(\) needs positive losses, got 0 for task 0"):
        chain(torch.tensor([0.0, 0.0]))


def test_a_method_of_one_s_own_may_name_its_attributes_as_it_likes():
    class Mine(eq.Aggregator):
        def __init__(self):
            super().__init__()
            self._scale, self._scaled, self._checked = 0.5, 0.5, True

        def forward(self, gramian, losses, tasks):
            return torch.full_like(losses, self._scale * self._scaled)

    assert_close(Mine()(torch.eye(2), torch.ones(2)), torch.full((2,), 0.25))
