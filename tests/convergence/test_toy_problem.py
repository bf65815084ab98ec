"""The toy problem of CAGrad and Nash-MTL: who reaches the Pareto set from where. With -s the table is printed."""

from math import inf

import pytest
import torch
from limits import LIMITS, made, target
from page import TOY_ARGUMENTS, TOY_RATE, TOY_STEPS
from quadratics import Quadratics
from toy import PAPERS, by_hand, descend_any, descend_by_gramian, losses, reached

from equipoise.aggregation import MGDA, NashMTL, PCGrad
from equipoise.chain import AggregatorChain
from equipoise.registry.limit import MEAN, NOTHING


def test_the_gradients_are_those_of_the_losses():
    points = torch.empty(300, 2, dtype=torch.float64).uniform_(-10, 10, generator=torch.Generator().manual_seed(0))
    for x1, x2 in [(0.0, 0.0), *points.tolist(), *PAPERS["nash"][2]]:
        x = torch.tensor([x1, x2], dtype=torch.float64, requires_grad=True)
        for loss, value, slope in zip(losses(*x, 0.1), *by_hand(x1, x2, 0.1), strict=True):
            (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
            assert float(loss.detach()) == pytest.approx(value, rel=1e-9)
            torch.testing.assert_close(gradient.tolist(), list(slope), rtol=1e-9, atol=1e-12)


SUM = AggregatorChain  # the unit of chains: weights 1

# The final x1 of each start that reaches the Pareto set, inf where it does not. Above x2 = 0 lies a valley whose
# floor is a logarithm's pole, and there rounding decides: ten starts within 1e-6 of (9, 9) end from 2.2 to 4.2 under
# PCGrad, whose tolerance says so.
OUTCOMES = [
    ("nash", SUM, [inf, -5.73, inf, -5.73, -5.73], 0.1),
    ("nash", PCGrad, [-4.4, -3.4, inf, -3.8, 5.0], 0.5),
    ("nash", MGDA, [-2.0, 6.1, 7.0, -4.3, 7.0], 0.1),
    ("nash", NashMTL, [-2.9, 0.0, 2.9, -3.3, 4.9], 0.1),
    ("cagrad", SUM, [inf, 0.0, inf], 0.1),
    ("cagrad", PCGrad, [-3.1, -6.4, 3.2], 1.4),
    ("cagrad", MGDA, [-3.3, -7.0, 3.3], 0.1),
    ("cagrad", NashMTL, [-2.9, -6.4, 2.8], 0.35),
]


@pytest.mark.slow
@pytest.mark.parametrize(("paper", "make", "expected", "tolerance"), OUTCOMES)
def test_outcomes(paper, make, expected, tolerance):
    scale, steps, starts = PAPERS[paper]
    ends = [descend_by_gramian(make(), start, scale, steps) for start in starts]
    print(f"\n{paper:6} {make.__name__:15}", *(f"({x1:6.2f}, {x2:6.2f})" for x1, x2 in ends))
    assert [reached(end) for end in ends] == [x1 < inf for x1 in expected]
    assert [x1 for x1, _ in filter(reached, ends)] == pytest.approx([x1 for x1 in expected if x1 < inf], abs=tolerance)


# all but the multiplier, which the excess of the first steps winds up
REACHING = [name for name, limit in LIMITS.items() if limit.holds != NOTHING and name != "lagrangian"]
BOWL = torch.diag(torch.tensor([0.2, 0.02], dtype=torch.float64))
FAR_BELOW = Quadratics(  # what the problem is where tanh has come to its end, with the first loss times 0.1
    torch.tensor([[7.0, -8.0], [-7.0, -8.0]], dtype=torch.float64),
    torch.stack([0.1 * BOWL, BOWL]),
    torch.tensor([0.1, 1.0], dtype=torch.float64),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", REACHING)
def test_from_where_there_is_no_valley_every_method_reaches_the_pareto_set(name):
    """A shorter run than the papers', see docs/convergence.md; weighted sums to the minimum of two parabolas."""
    scale, _, starts = PAPERS["nash"]
    method = made(name, 2, TOY_ARGUMENTS.get(name))
    steps = 4 * TOY_STEPS if name == "grad-cosine" else TOY_STEPS  # slow where the tasks disagree: one alone moves
    end = descend_any(method, starts[3], scale, steps, TOY_RATE)
    assert reached(end)
    if LIMITS[name].holds == MEAN:
        assert end[0] == pytest.approx(float(target(name, FAR_BELOW, method)[0]), abs=0.15)
