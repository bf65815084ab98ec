"""Cox's losses equal the partial likelihood, summed sample by sample."""

import itertools
import math
import warnings

import pytest
import torch
from laws import Case, laws_for
from torch.testing import assert_close

from equipoise.losses.survival import CoxEfronLoss, CoxLoss, cox, cox_efron


def untied(n, generator):
    hazards = torch.randn(n, generator=generator, dtype=torch.float64)
    events = (torch.rand(n, generator=generator) < 0.7).double()
    return hazards, torch.rand(n, generator=generator, dtype=torch.float64), events


def tied(n, generator):
    hazards, times, events = untied(n, generator)
    return hazards, (4 * times).floor(), events


CASES = [
    Case("Cox", cox, untied, elementwise=False),
    Case("Cox, tied", cox, tied, elementwise=False),
    Case("Cox by Efron", cox_efron, untied, elementwise=False),
    Case("Cox by Efron, tied", cox_efron, tied, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


def breslow(hazards, times, events):
    """Minus the log partial likelihood, over the risk set of each event."""
    return sum(hazards[times >= times[i]].exp().sum().log() - hazards[i] for i in range(len(times)) if events[i])


def efron(hazards, times, events):
    """As lifelines and survival::coxph have it: per time, the l-th event leaves out l/d of the tied hazards."""
    total = 0.0
    for time in times.unique():
        died = hazards[(times == time) & (events == 1)]
        at_risk = hazards[times >= time].exp().sum()
        for place in range(len(died)):
            total = total + (at_risk - place / len(died) * died.exp().sum()).log() - died[place]
    return total


@pytest.mark.parametrize("data", [untied, tied])
@pytest.mark.parametrize(("loss", "naive"), [(cox, breslow), (cox_efron, efron)])
def test_it_is_minus_the_log_partial_likelihood(loss, naive, data):
    hazards, times, events = data(40, torch.Generator().manual_seed(1))
    expected = naive(hazards, times, events)
    assert_close(loss(hazards, times, events, reduction="sum"), expected)
    assert_close(loss(hazards, times, events), expected / events.sum())
    elements = loss(hazards, times, events, reduction="none")
    assert elements.shape == (40,)
    assert_close(elements.sum(), expected)
    assert not elements[events == 0].any()


def test_cox_of_each_event_by_hand():
    # in the order of the batch: the last at risk alone, log(2 + 1) - log 2, censored, log(2 + 1 + 5 + 4) - log 4
    hazards = torch.tensor([1.0, 2.0, 5.0, 4.0], dtype=torch.float64).log()
    times, events = torch.tensor([9.0, 3.0, 2.0, 1.0]), torch.tensor([True, True, False, True])
    expected = torch.tensor([1.0, 3 / 2, 1.0, 12 / 4], dtype=torch.float64).log()
    assert_close(cox(hazards, times, events, reduction="none"), expected)
    # a sample censored at the time of an event is still at risk then
    tied = torch.tensor([9.0, 3.0, 3.0, 1.0])
    expected = torch.tensor([1.0, 8 / 2, 1.0, 12 / 4], dtype=torch.float64).log()
    assert_close(cox(hazards, tied, events, reduction="none"), expected)
    assert_close(cox_efron(hazards, tied, events, reduction="none"), expected)


def test_ties_by_hand():
    """All three die at once: Breslow 3 log(1 + 2 + 3) - log 6; Efron takes 0, 2 and 4 of the 6 out, in turn."""
    hazards = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).log()
    times, events = torch.ones(3), torch.ones(3)
    assert_close(cox(hazards, times, events, reduction="sum").item(), 3 * math.log(6) - math.log(6))
    expected = math.log(6) + math.log(4) + math.log(2) - math.log(6)
    assert_close(cox_efron(hazards, times, events, reduction="sum").item(), expected)


def test_efron_is_nearer_to_the_mean_over_the_orders_of_tied_events():
    """The exact likelihood of ties whose order is unknown is the mean over all orders (Kalbfleisch and Prentice)."""
    hazards = 0.5 * torch.randn(8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    times, events = torch.tensor([1.0] * 4 + [2.0] * 4), torch.tensor([1.0] * 4 + [0.0] * 4)
    likelihoods = []
    for order in itertools.permutations(range(4)):
        broken = times + torch.tensor([*order, 0, 0, 0, 0]) / 10
        likelihoods.append((-breslow(hazards, broken, events)).exp())
    exact = -torch.stack(likelihoods).mean().log()
    by_efron = cox_efron(hazards, times, events, reduction="sum")
    by_breslow = cox(hazards, times, events, reduction="sum")
    assert abs(by_efron - exact) < 0.1 * abs(by_breslow - exact)


@pytest.mark.parametrize("loss", [cox, cox_efron])
def test_it_depends_on_the_order_of_times_only_and_on_differences_of_hazards(loss):
    hazards, times, events = tied(30, torch.Generator().manual_seed(3))
    expected = loss(hazards, times, events)
    assert_close(loss(hazards + 7, times, events), expected)
    assert_close(loss(hazards, 1000 * times**3 + 5, events), expected)
    assert_close(loss(hazards, times.long(), events.bool()), expected)
    assert_close(loss(hazards, times.to(torch.uint8), events.long()), expected)


def test_where_no_times_are_tied_both_are_one():
    data = untied(30, torch.Generator().manual_seed(4))
    assert_close(cox_efron(*data, reduction="none"), cox(*data, reduction="none"))


@pytest.mark.parametrize("loss", [cox, cox_efron])
def test_without_an_event_it_is_0_and_so_is_its_gradient(loss):
    hazards, times, events = tied(10, torch.Generator().manual_seed(5))
    value = loss(hazards.requires_grad_(), times, torch.zeros_like(events))
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, hazards)[0], torch.zeros_like(hazards))


@pytest.mark.parametrize("loss", [cox, cox_efron])
def test_a_sample_censored_before_the_first_event_is_as_if_removed(loss):
    hazards, times, events = tied(20, torch.Generator().manual_seed(6))
    hazards, times, events = (torch.cat([values, torch.zeros(1)]) for values in (hazards, times + 1, events))
    assert_close(loss(hazards, times, events), loss(hazards[:-1], times[:-1], events[:-1]))


@pytest.mark.parametrize("loss", [cox, cox_efron])
@pytest.mark.parametrize("scale", [1.0, 1e4, -1e4])
def test_extreme_hazards_have_a_finite_gradient(loss, scale):
    hazards, times, events = (values.float() for values in tied(30, torch.Generator().manual_seed(7)))
    hazards = (scale * hazards).requires_grad_()
    value = loss(hazards, times, events)
    (slope,) = torch.autograd.grad(value, hazards)
    assert value.isfinite()
    assert slope.isfinite().all()
    assert_close(value, loss(hazards.double(), times, events).float(), rtol=1e-4, atol=1e-5)
    assert_close(slope.sum(), torch.tensor(0.0), rtol=0, atol=2e-3)  # a shift of all changes nothing


def test_a_censored_sample_of_hardly_any_hazard_beside_an_event_is_finite():
    """The event holds all of the hazard in float32: leaving it out, as only further events would, leaves nothing."""
    hazards = torch.tensor([100.0, -100.0], requires_grad=True)
    value = cox_efron(hazards, torch.ones(2), torch.tensor([1, 0]))
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, hazards)[0], torch.zeros(2))


def test_modules_are_their_functions():
    hazards, times, events = tied(9, torch.Generator().manual_seed(8))
    targets = torch.stack([times, events], dim=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for module, loss in ((CoxLoss, cox), (CoxEfronLoss, cox_efron)):
            assert_close(module(reduction="sum")(hazards, targets), loss(hazards, times, events, reduction="sum"))
    assert repr(CoxLoss()) == "CoxLoss(reduction='mean')"


HAZARDS, TIMES, EVENTS = torch.randn(4), torch.arange(4.0), torch.tensor([1, 0, 1, 1])
MISUSES = [
    (lambda: cox(HAZARDS[:, None], TIMES, EVENTS), r"log_hazards must have shape \[N\] \(squeeze\(-1\).*got \(4, 1\)"),
    (lambda: cox(HAZARDS, TIMES[:, None], EVENTS), r"log_hazards and times must have the same shape.*squeeze"),
    (lambda: cox(HAZARDS, TIMES, EVENTS[:3]), r"log_hazards and events must have the same shape"),
    (lambda: cox(HAZARDS, EVENTS, TIMES), r"events must be 0 or 1, got 2: give 1 where the event was seen"),
    (lambda: cox_efron(HAZARDS, TIMES, EVENTS / 2), r"events must be 0 or 1, got 0.5"),
    (lambda: cox_efron(HAZARDS, TIMES * torch.nan, EVENTS), r"times must lie in .*got nan: leave out"),
    (lambda: cox(EVENTS, TIMES, EVENTS), r"log_hazards must be floating point.*\.float"),
    (lambda: cox(HAZARDS, [1, 2, 3, 4], EVENTS), r"times must be a tensor, got list"),
    (lambda: cox(HAZARDS, TIMES, EVENTS, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: CoxLoss()(HAZARDS, TIMES), r"targets must have shape \[N, 2\], time and event, got \(4,\): torch.stack"),
    (lambda: CoxEfronLoss()(HAZARDS, torch.ones(4, 3)), r"targets must have shape \[N, 2\].*got \(4, 3\)"),
    (lambda: CoxLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: CoxEfronLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
