"""What all wrappers have in common."""

import copy
import pickle

import pytest
import torch
from torch import Tensor

import equipoise as eq
from equipoise import wrapping
from equipoise.chain import split
from equipoise.testing import check_method
from equipoise.testing.run import run
from equipoise.wrapping import Bounded, Every, FreezeAfter, Smooth, Warmup

F64 = torch.float64
ROWS = torch.randn(3, 8, generator=torch.Generator().manual_seed(0), dtype=F64)
GRAMIAN, LOSSES = ROWS @ ROWS.T, torch.tensor([1.0, 2.0, 3.0], dtype=F64)

WRAPPERS = {
    "every": lambda method: Every(3, method),
    "smooth": lambda method: Smooth(0.9, method),
    "bounded": lambda method: Bounded(0.1, 2.0, method),
    "warmup": lambda method: Warmup(2, method, ramp=1),
    "freeze-after": lambda method: FreezeAfter(2, method),
}
THROUGH = {  # wrappers that change nothing
    "every": lambda method: Every(1, method),
    "smooth": lambda method: Smooth(0.0, method),
    "bounded": lambda method: Bounded(None, None, method),
    "warmup": lambda method: Warmup(0, method),
    "freeze-after": lambda method: FreezeAfter(10**6, method),
}
WRAPPED = {
    "mgda": eq.MGDA,
    "nash-mtl": eq.NashMTL,
    "pcgrad": eq.PCGrad,
    "running-norm, mgda": lambda: eq.Chain(eq.RunningNorm(0.9), eq.MGDA()),
    "dwa, mgda": lambda: eq.Chain(eq.DWA(), eq.MGDA()),
    "sum": eq.Sum,
    "dwa": eq.DWA,
    "uw": eq.UW,
    "dwa, uw": lambda: eq.Chain(eq.DWA(), eq.UW()),
}
LENGTHS = "its weights are lengths in the units of the gradient, and the wrapper's ones or bounds are not"
SCALED = {(wrapper, name): LENGTHS for wrapper in ("bounded", "warmup") for name in ("nash-mtl", "running-norm, mgda")}


class FirstRow(eq.CoordinateAggregator):
    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return jacobian[0]


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

    def forward(self, gramian, losses, tasks):
        self.heard.append(("forward",))
        return losses


@pytest.mark.paired
@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_method_keeps_the_laws(wrapper, name):
    except_for = {"is_homogeneous": SCALED[wrapper, name]} if (wrapper, name) in SCALED else {}
    check_method(lambda: WRAPPERS[wrapper](WRAPPED[name]()), except_for=except_for)


@pytest.mark.paired
@pytest.mark.parametrize("outer", WRAPPERS)
@pytest.mark.parametrize("inner", list(reversed(WRAPPERS)))
def test_wrappers_and_chains_in_each_other_keep_the_laws(outer, inner):
    check_method(lambda: WRAPPERS[outer](WRAPPERS[inner](eq.MGDA())))

    def make():
        return eq.Chain(WRAPPERS[outer](eq.DWA()), WRAPPERS[inner](eq.Chain(eq.DWA(), eq.MGDA())))

    same = outer == inner
    check_method(make, except_for={"prints_itself": "the law tells classes apart by their names"} if same else {})
    again = eval(repr(make()), {**vars(eq), **vars(wrapping)})
    assert repr(again) == repr(make())
    assert [type(part) for part in again.modules()] == [type(part) for part in make().modules()]


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("wrapper", THROUGH)
def test_a_wrapper_that_changes_nothing_changes_nothing(wrapper, name):
    wrapped, plain = THROUGH[wrapper](WRAPPED[name]()), WRAPPED[name]()
    wrapped.bind(5)
    plain.bind(5)
    for actual, expected in zip(run(wrapped), run(plain), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_is_of_the_wrapped_ones_type(wrapper):
    weighting, aggregator = WRAPPERS[wrapper](eq.DWA()), WRAPPERS[wrapper](eq.Chain(eq.DWA(), eq.MGDA()))
    assert isinstance(weighting, eq.Weighting)
    assert not isinstance(weighting, eq.Aggregator)
    assert isinstance(aggregator, eq.Aggregator)
    assert not isinstance(aggregator, eq.Weighting)
    parts = split(eq.Chain(weighting, aggregator))
    assert parts.weighting is weighting
    assert parts.aggregator is aggregator
    assert type(WRAPPERS[wrapper](eq.UW())) is type(weighting)
    assert repr(aggregator).startswith(type(aggregator).__name__ + "(")
    assert "method=Chain(DWA(), MGDA())" in repr(aggregator)
    assert type(aggregator).__doc__


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("wrapped", [eq.MGDA, eq.DWA])
def test_copies_go_on_alike(wrapper, wrapped):
    method = WRAPPERS[wrapper](wrapped())
    method.bind(5)
    run(method)
    for again in (copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
        assert type(again) is type(method)
        for actual, expected in zip(run(again), run(copy.deepcopy(method)), strict=True):
            assert torch.equal(actual, expected)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_gives_a_gradient_cannot_be_wrapped(wrapper):
    for method in (FirstRow(), eq.Chain(eq.UW(), FirstRow()), eq.MGDA, "mgda", None):
        with pytest.raises(ValueError, match=r"\w+ wraps what gives weights, a Weighting, an Aggregator or a RowAg"):
            WRAPPERS[wrapper](method)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_parameters_inside_a_wrapped_aggregator_would_never_learn(wrapper):
    method = WRAPPERS[wrapper](eq.Chain(eq.UW(), eq.MGDA()))
    with pytest.raises(ValueError, match=r"would cut off the parameters .*log_variance, .* put what learns before it"):
        method.bind(3)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_parameters_of_a_wrapped_weighting_learn_from_its_own_objective(wrapper):
    uw = eq.UW(initial=0.3)
    method = WRAPPERS[wrapper](uw)
    method.bind(3)
    asked = 0
    for _ in range(6):
        uw.log_variance.grad = None
        method(LOSSES.clone().requires_grad_()).backward()
        if uw.log_variance.grad is not None:
            asked += 1
            expected = 0.5 - 0.5 * torch.exp(torch.tensor(-0.3)) * LOSSES.float()
            torch.testing.assert_close(uw.log_variance.grad, expected)
        assert (uw.log_variance.grad is not None) == bool(method.asked)
    assert asked == {"every": 2, "warmup": 4, "freeze-after": 2}.get(wrapper, 6)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_events_reach_the_wrapped_method_and_the_step_after_only_where_it_was_asked(wrapper):
    listener = Listener()
    method = WRAPPERS[wrapper](listener)
    method.bind(3)
    method.prefer(torch.tensor([1.0, 2.0, 1.0]))
    method.end_epoch()
    method.observe(torch.tensor([0.5]), torch.tensor([1]))
    assert listener.heard == [("bind", 3), ("prefer", [1.0, 2.0, 1.0]), ("end_epoch",), ("observe", [0.5], [1])]
    listener.heard.clear()
    asked = 0
    for _ in range(7):
        method(GRAMIAN, LOSSES)
        method.after_step(torch.tensor([0.25]), torch.tensor([2]))
        asked += method.asked
    assert listener.heard == [("forward",), ("after_step", [0.25], [2])] * asked
    assert asked == {"every": 3, "warmup": 5, "freeze-after": 2}.get(wrapper, 7)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(("wrapped", "word"), [(eq.MGDA, "inverts"), (eq.NashMTL, "preference"), (eq.DWA, "scales")])
def test_a_users_weight_becomes_what_the_wrapped_method_makes_of_it(wrapper, wrapped, word):
    assert WRAPPERS[wrapper](wrapped()).user_weight == word


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_devices(wrapper):
    aggregator, weighting = WRAPPERS[wrapper](eq.RunningNorm()), WRAPPERS[wrapper](eq.DWA())
    for method in (aggregator, weighting):
        method.bind(3)
        method.to("meta").half()
    assert {buffer.device.type for buffer in aggregator.buffers()} == {"cpu"}
    assert weighting.method.ratio.device.type == "meta"
    for buffer in weighting.buffers():
        assert buffer.device.type == ("meta" if buffer.is_floating_point() else "cpu")
        assert buffer.dtype is not torch.float16


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_loss_that_overflowed_leaves_no_trace(wrapper):
    class OneOver(eq.Weighting):
        """weights = losses, so a loss that is not finite gives such a weight."""

        def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
            return losses.square().sum() / 2

    method = WRAPPERS[wrapper](OneOver())
    method.bind(3)
    for losses in ([1.0, 1.0, 1.0], [1.0, float("inf"), 1.0], [float("nan"), 1.0, 1.0], *[[1.0, 1.0, 1.0]] * 4):
        leaf = torch.tensor(losses, requires_grad=True)
        (weights,) = torch.autograd.grad(method(leaf), leaf)
    assert weights.tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_a_balancer_reports_the_weights_and_counts_what_was_unsolved():
    model = torch.nn.Linear(1, 2, bias=False)
    balancer = eq.Balancer(Every(2, eq.Chain(eq.UnitNorm(), eq.NashMTL())), model, tasks=["a", "b"])
    for scale in (1.0, 10.0, 10.0):
        a, b = model(torch.ones(1))
        x = a + b
        balancer({"a": scale * x, "b": -x}).backward()
    assert balancer.record.unsolved == 2
    assert "method.weights" in balancer.state_dict()
