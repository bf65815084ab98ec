import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import equipoise as eq
from equipoise.balancer import balanced
from equipoise.chain import AggregatorChain
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.surrogate import surrogate
from equipoise.testing import EXCEPTIONS, LAWS, NUM_TASKS, check_method, exceptions_of, laws_of
from equipoise.testing.network import NAMES, Network
from equipoise.testing.run import BATCHES, batch, bound, gradient, run

WEIGHTS = [1.0, 2.0, 0.5, 3.0, 0.0]
ARGUMENTS = {
    "amtl": {"potential": [0.9] * NUM_TASKS},
    "clip": {"max_norm": 1.0},
    "fixed": {"weights": WEIGHTS},
    "lagrangian": {"limits": [None, 1.0, 2.0, 1.0, 1.0]},
    "pivrg": {"baseline": [0.5] * NUM_TASKS},
    "scheduled": {"weights": [WEIGHTS, [1.0] * NUM_TASKS]},
}


class MedianRow(eq.CoordinateAggregator):
    """A user's own: K times the median of every coordinate."""

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return len(losses) * jacobian.median(dim=0).values


MAKERS = {row.name: lambda row=row: eq.method(row.name, **ARGUMENTS.get(row.name, {})) for row in eq.methods()}
MAKERS |= {
    "uw, a form per task": lambda: eq.UW(form=["classification", "regression"] * 2 + ["regression"], initial=-0.5),
    "pcgrad, another seed": lambda: eq.PCGrad(seed=7),
    "nash-mtl, equal preference": lambda: eq.NashMTL(preference=[2.0] * NUM_TASKS),
    "nash-mtl, a preference per task": lambda: eq.NashMTL(preference=[1.0, 2.0, 0.5, 3.0, 1.0]),
    "uw, mgda": lambda: eq.Chain(eq.UW(), eq.MGDA()),
    "running-norm, clip, mgda": lambda: eq.Chain(eq.RunningNorm(0.9), eq.Clip(1.0), eq.MGDA()),
    "fixed, nash-mtl": lambda: eq.Chain(eq.Fixed([*WEIGHTS[:4], 1.0]), eq.NashMTL()),
    "dwa, uw": lambda: eq.Chain(eq.DWA(temperature=1.0), eq.UW("classification")),
    "dwa, unit-norm, pcgrad": lambda: eq.Chain(eq.DWA(), eq.UnitNorm(), eq.PCGrad()),
    "every third, mgda": lambda: eq.Every(3, eq.MGDA()),
    "smooth, nash-mtl": lambda: eq.Smooth(0.9, eq.NashMTL()),
    "bounded, uw-so": lambda: eq.Bounded(0.1, 2.0, eq.UWSO()),
    "warmup, pcgrad": lambda: eq.Warmup(1, eq.PCGrad()),
    "freeze after, dwa": lambda: eq.FreezeAfter(1, eq.DWA()),
    "median row": MedianRow,
    "uw, unit-norm, median": lambda: eq.Chain(eq.UW(), eq.UnitNorm(), MedianRow()),
}
# broken through arguments that name the tasks one by one, which the table of exceptions does not see
BY_ARGUMENT = {
    ("uw, a form per task", "ignores_task_order"),
    ("nash-mtl, a preference per task", "ignores_task_order"),
}
# excepted by their class, and kept by these arguments
KEPT = {
    ("grad-cosine", "delivers_sum"),  # the first task, which the law keeps, is its main one
    ("vqgan", "delivers_sum"),
    ("scheduled", "delivers_sum"),  # its last row is of ones
    ("running-norm, clip, mgda", "delivers_sum"),  # running-norm sets a length, so that nothing is promised
    ("fixed, nash-mtl", "delivers_sum"),
    ("bounded, uw-so", "delivers_sum"),  # weights of 1 lie within its bounds
    ("fixed, nash-mtl", "ignores_task_order"),
    ("running-norm, clip, mgda", "is_homogeneous"),
    ("warmup, pcgrad", "is_homogeneous"),
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", MAKERS)
def test_every_method_keeps_every_law_but_those_it_breaks_by_definition(name, law):
    excepted = law not in laws_of(MAKERS[name]) and (name, law.__name__) not in KEPT
    if excepted or (name, law.__name__) in BY_ARGUMENT:
        with pytest.raises(AssertionError, match=law.__name__):
            law(MAKERS[name])
    else:
        law(MAKERS[name])


# What is true of the exceptions


NORMALISING = ("nash-mtl", "unit-norm", "running-norm")
SCALED = ("sum", "fixed", "uw", "dwa", "mgda", "pcgrad", "uw, mgda", "dwa, uw", *NORMALISING, "fixed, nash-mtl")
DEGREES = {name: 0 if any(step in name for step in NORMALISING) else 1 for name in SCALED}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("scale", [1e-20, 1e15])
def test_scaling_all_losses_scales_the_gradient_or_leaves_it(name, scale):
    plain = run(bound(MAKERS[name]()))
    for after, before in zip(run(bound(MAKERS[name]()), [b.scaled(scale) for b in BATCHES]), plain, strict=True):
        torch.testing.assert_close(after, before * scale ** DEGREES[name], rtol=1e-5, atol=0)


def test_clip_scales_below_its_length_and_is_constant_above():
    def clipped(scale):
        return run(bound(eq.Clip(1.0)), [b.scaled(scale) for b in BATCHES])

    below = 0.4 / max(float(b.rows.norm(dim=1).max()) for b in BATCHES)
    above = 1.1 / min(float(b.rows.norm(dim=1).min()) for b in BATCHES)
    torch.testing.assert_close(clipped(2 * below), [2 * g for g in clipped(below)])
    torch.testing.assert_close(clipped(2 * above), clipped(above))


BY_TASK = [(eq.Fixed, WEIGHTS), (eq.NashMTL, [*WEIGHTS[:4], 9.0]), (eq.UW, ["classification", *["regression"] * 4])]


@pytest.mark.parametrize(("make", "by_task"), BY_TASK)
def test_arguments_that_name_the_tasks_follow_their_order(make, by_task):
    order = [3, 0, 4, 1, 2]
    exchanged = run(bound(make([by_task[k] for k in order])), [b.in_order(order) for b in BATCHES])
    torch.testing.assert_close(exchanged, run(bound(make(by_task))))


@pytest.mark.parametrize(("make", "by_task"), BY_TASK)
def test_arguments_that_name_the_tasks_follow_the_present_ones(make, by_task):
    present = [1, 3]
    alone = make([by_task[k] for k in present])
    alone.bind(2)
    first = [replace(b.only(present), tasks=torch.arange(2)) for b in BATCHES]
    torch.testing.assert_close(run(bound(make(by_task)), [b.only(present) for b in BATCHES]), run(alone, first))


def test_pcgrad_ignores_the_order_of_two_tasks():
    shown = batch(1).only([0, 1])
    rows = torch.stack([shown.rows[0], shown.rows[1] - 2 * shown.rows[0]])
    both = [gradient(bound(eq.PCGrad()), shown.with_rows(r)) for r in (rows, rows.flip(0))]
    torch.testing.assert_close(*both)
    assert not torch.allclose(both[0], rows.sum(dim=0))  # they were in conflict


def test_the_distribution_of_pcgrad_ignores_the_order_of_the_tasks():
    order, steps = [3, 0, 4, 1, 2], 2000
    drawn = []
    for shown in (batch(1), batch(1).in_order(order)):
        method = bound(eq.PCGrad(seed=len(drawn)))
        drawn.append(torch.stack([gradient(method, shown) for _ in range(steps)]))
    error = (drawn[0].var(dim=0) / steps + drawn[1].var(dim=0) / steps).sqrt()
    difference = (drawn[0].mean(dim=0) - drawn[1].mean(dim=0)).abs()
    assert (error > 0).all()  # the gradient does depend on the draw
    assert (difference < 4 * error).all()


@pytest.mark.parametrize("make", [eq.DWA, eq.UW])
def test_a_loss_weighting_has_decided_before_a_gradient_is_found_not_finite(make):
    method = make()
    network = Network(method)
    losses = network.losses(0)
    losses[NAMES[1]] = losses[NAMES[1]] * torch.tensor(1.0).requires_grad_()
    losses[NAMES[1]].register_hook(lambda gradient: gradient * torch.inf)
    loss = network.balancer(losses)
    if make is eq.DWA:  # its means count the losses, which are finite
        assert method.total.tolist() == pytest.approx([value.item() for value in losses.values()])
    loss.backward()
    assert not network.trunk.grad.isfinite().all()
    if make is eq.UW:  # an ordinary parameter: what the overflow did to its gradient is the optimiser's to see
        assert method.log_variance.tolist() == [0.0] * NUM_TASKS


# Every law sees its broken method


class Scale(eq.Aggregator):
    """What broken aggregators start from: UnitNorm."""

    def sum_factor(self, num_tasks: int) -> None:
        """The length is its own: one for every task's gradient."""

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        norms = gramian.diagonal().sqrt()
        return 1 / norms.where(norms > 0, 1.0)


class DividesByZero(eq.Aggregator):
    def forward(self, gramian, losses, tasks):
        return 1 / gramian.diagonal().sqrt()


class HasAbsoluteEpsilon(eq.Aggregator):
    def forward(self, gramian, losses, tasks):
        return 1 / (gramian.diagonal().sqrt() + 1e-8)


class PrefersTheFirst(Scale):
    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks) / (1 + torch.arange(len(losses)))


class AsksWhereItIsCalled(Scale):
    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks) * (1 if torch.is_grad_enabled() else 2)


class MeansWithoutSaying(eq.Aggregator):
    def forward(self, gramian, losses, tasks):
        return torch.full_like(losses, 1 / len(losses))


class DeclaresForAllTasks(MeansWithoutSaying):
    def sum_factor(self, num_tasks):
        return 5.0  # and of two tasks?


class LengthensWithTheLoss(eq.Weighting):
    def forward(self, losses, tasks):
        return losses.square().sum() / 2


class WritesTheGramian(Scale):
    def forward(self, gramian, losses, tasks):
        weights = super().forward(gramian, losses, tasks)
        gramian.mul_(2)
        return weights


class WritesTheLosses(eq.Weighting):
    def forward(self, losses, tasks):
        objective = losses.sum()
        losses.data.mul_(2)
        return objective


class WritesTheRows(eq.CoordinateAggregator):
    def forward(self, jacobian, losses, tasks):
        jacobian /= jacobian.norm(dim=1, keepdim=True).clamp_min(1e-300)
        return jacobian.sum(dim=0)


class CountsInPython(Scale):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, gramian, losses, tasks):
        self.calls += 1
        return super().forward(gramian, losses, tasks) / self.calls


class GrowsItsState(Scale):
    def bind(self, num_tasks):
        self.register_buffer("seen", torch.zeros(0))

    def forward(self, gramian, losses, tasks):
        self.seen = torch.cat([self.seen, torch.ones(1)])
        return super().forward(gramian, losses, tasks)


class ForgetsTheAbsent(eq.DWA):
    def end_epoch(self):
        super().end_epoch()
        self.previous.copy_(self.previous.where(self.ratio != 1, torch.nan))
        self.ratio.mul_(0.9)


class DecaysPairs(Scale):
    def bind(self, num_tasks):
        self.register_buffer("pairs", torch.ones(num_tasks, num_tasks))

    def forward(self, gramian, losses, tasks):
        self.pairs[tasks] *= 0.9  # the columns of absent tasks too
        return super().forward(gramian, losses, tasks)


class PullsTheAbsent(eq.UW):
    def forward(self, losses, tasks):
        return super().forward(losses, tasks) + self.log_variance.sum() / 2


class LearnsInTheBackward(eq.Weighting):
    def bind(self, num_tasks):
        self.register_buffer("largest", torch.zeros(()))

    def forward(self, losses, tasks):
        if losses.requires_grad:
            losses.register_hook(lambda gradient: self.largest.copy_(gradient.abs().max()))
        return losses.sum() * torch.where(self.largest > 0, 1.0, 2.0)


class RenamesAnArgument(Scale):
    def __init__(self, power=1.0):
        super().__init__()
        self.exponent = power

    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks) ** self.exponent


class HasNoReprOfItsArgument(Scale):
    def __init__(self, inner=None):
        super().__init__()
        self.inner = object() if inner is None else inner


class DrawsFromTorch(Scale):
    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks) * torch.rand(())


class DrawsFromNumpy(Scale):
    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks) * np.random.rand()


class DrawsFromPython(Scale):
    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks) * random.random()


class DrawsWhenMade(Scale):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)


class AdvancesWithoutUse(Scale):
    def forward(self, gramian, losses, tasks):
        torch.rand(())
        return super().forward(gramian, losses, tasks)


class DrawsFromTheSystem(Scale):
    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks) * random.SystemRandom().random()


class GivesTooFewWeights(Scale):
    def forward(self, gramian, losses, tasks):
        return super().forward(gramian, losses, tasks).sum()


CULPRITS = [
    ("stays_finite", DividesByZero),
    ("stays_finite", GivesTooFewWeights),
    ("is_homogeneous", HasAbsoluteEpsilon),
    ("ignores_task_order", PrefersTheFirst),
    ("agrees_with_engine", AsksWhereItIsCalled),
    ("delivers_sum", MeansWithoutSaying),
    ("delivers_sum", DeclaresForAllTasks),
    ("delivers_sum", LengthensWithTheLoss),
    ("leaves_input", WritesTheGramian),
    ("leaves_input", WritesTheLosses),
    ("leaves_input", WritesTheRows),
    ("resumes", CountsInPython),
    ("resumes", GrowsItsState),
    ("leaves_absent_task", ForgetsTheAbsent),
    ("leaves_absent_task", DecaysPairs),
    ("leaves_absent_task", PullsTheAbsent),
    ("passes_non_finite", LearnsInTheBackward),
    ("prints_itself", lambda: RenamesAnArgument(2.0)),
    ("prints_itself", HasNoReprOfItsArgument),
    ("draws_privately", DrawsFromTorch),
    ("draws_privately", DrawsFromNumpy),
    ("draws_privately", DrawsFromPython),
    ("draws_privately", DrawsWhenMade),
    ("draws_privately", AdvancesWithoutUse),
    ("repeats", CountsInPython),
    ("repeats", DrawsFromTheSystem),
]


@pytest.mark.parametrize(("name", "make"), CULPRITS)
def test_a_law_names_the_method_that_breaks_it(name, make):
    law = next(law for law in LAWS if law.__name__ == name)
    law(Scale)
    with pytest.raises(AssertionError, match=f"{type(make()).__name__}.*{name!r}"):
        law(make)
    with pytest.raises(AssertionError, match="breaks the law"):
        check_method(make)


def test_the_law_of_the_sum_tells_the_factor_that_it_measured():
    with pytest.raises(
        AssertionError, match=r"give 0\.2 of their sum at sum_factor\(5\) = 1: let it return 5 for them"
    ):
        check_method(MeansWithoutSaying)
    with pytest.raises(
        AssertionError,
        match=r"give 2\.5 of their sum at sum_factor\(2\) = 5: let it return 2 for them, or write own_norm =",
    ):
        check_method(DeclaresForAllTasks)


def test_a_factor_must_be_a_positive_number():
    class Negative(MeansWithoutSaying):
        def sum_factor(self, num_tasks):
            return -1.0

    method = bound(Negative())
    method.match_sum()
    with pytest.raises(
        ValueError, match=r"sum_factor\(5\) of Negative\(\) must be positive and finite, or None, got -1"
    ):
        gradient(method, BATCHES[0])


def lose_the_weights(self, gramian, losses, tasks):
    for step in self.steps:
        weights = step(gramian, losses, tasks)
    return weights * len(self.steps)


def see_cosines(self, num_rows, *extras, honest=Jacobian.gramian):
    gramian, *others = honest(self, num_rows, *extras)
    norms = gramian.diagonal().sqrt()
    return (gramian / norms / norms[:, None], *others)


def hide_non_finite(self, num_rows, *extras, honest=Jacobian.gramian):
    return tuple(tensor.nan_to_num(1.0) for tensor in honest(self, num_rows, *extras))


def deliver_their_sum(self, weights, honest=Jacobian.combine):
    return honest(self, torch.ones_like(weights))


def cut_large(value, leaves, backward):
    return surrogate(value, leaves, lambda incoming: backward(incoming.clamp(max=2.0**16)))


def drop_small(value, leaves, backward):
    return surrogate(value, leaves, lambda incoming: backward(incoming * (incoming > 2.0**-24)))


@pytest.mark.parametrize(
    ("name", "owner", "attribute", "broken", "make"),
    [
        ("chains", AggregatorChain, "forward", lose_the_weights, eq.MGDA),
        ("agrees_with_engine", Jacobian, "gramian", see_cosines, eq.MGDA),
        ("agrees_with_engine", Jacobian, "combine", deliver_their_sum, eq.MGDA),
        ("agrees_with_engine", balanced, "surrogate", cut_large, eq.MGDA),  # a loss scale may be of any size
        ("agrees_with_engine", balanced, "surrogate", drop_small, eq.MGDA),
        ("passes_non_finite", Jacobian, "gramian", hide_non_finite, eq.PCGrad),
        ("passes_non_finite", Jacobian, "gramian", hide_non_finite, eq.RunningNorm),
    ],
)
def test_a_law_sees_a_broken_core(name, owner, attribute, broken, make, monkeypatch):
    law = next(law for law in LAWS if law.__name__ == name)
    law(make)
    monkeypatch.setattr(owner, attribute, broken)
    with pytest.raises(AssertionError, match=name):
        law(make)


def test_every_law_has_been_seen_to_fail():
    assert {name for name, _ in CULPRITS} | {"chains"} == {law.__name__ for law in LAWS}


# Users' exceptions


def test_a_user_may_except_a_law_with_a_reason():
    with pytest.raises(AssertionError, match="ignores_task_order"):
        check_method(PrefersTheFirst)
    check_method(PrefersTheFirst, except_for={"ignores_task_order": "the first task is the main one"})
    left = laws_of(PrefersTheFirst, except_for={"ignores_task_order": "the first task is the main one"})
    assert [law.__name__ for law in LAWS if law not in left] == ["ignores_task_order"]


def test_a_chain_inherits_the_exceptions_of_its_steps():
    assert set(exceptions_of(lambda: eq.Chain(eq.Fixed(WEIGHTS), eq.Clip(1.0)))) == {
        "delivers_sum",
        "ignores_task_order",
        "is_homogeneous",
    }
    assert exceptions_of(eq.MGDA) == {}


def test_exceptions_name_methods_and_laws_that_there_are():
    assert all(issubclass(getattr(eq, name), eq.Method) for name in EXCEPTIONS)
    names = {law.__name__ for law in LAWS}
    assert all(set(laws) <= names and all(laws.values()) for laws in EXCEPTIONS.values())


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"no law by 'is_homogenous'; did you mean 'is_homogeneous'\?"):
        check_method(eq.Sum, except_for={"is_homogenous": "why not"})
    with pytest.raises(ValueError, match="must say why the method breaks 'repeats'"):
        check_method(eq.Sum, except_for={"repeats": ""})
    one = eq.MGDA()
    with pytest.raises(ValueError, match=r"new method at each call, got MGDA\(\)"):
        check_method(lambda: one)
    with pytest.raises(ValueError, match="new method at each call"):
        check_method(lambda: "mgda")


def test_checking_leaves_the_global_generators_alone():
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    check_method(eq.UW)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def test_the_batches_hold_conflicts_and_independent_rows():
    for shown in BATCHES:
        gramian = shown.rows @ shown.rows.T
        assert (gramian < 0).any()
        assert torch.linalg.matrix_rank(shown.rows) == NUM_TASKS
        assert all(not torch.equal(a, b) for a, b in itertools.combinations(shown.rows, 2))
