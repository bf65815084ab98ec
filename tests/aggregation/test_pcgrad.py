import itertools
from collections import Counter

import pytest
import torch

from equipoise.aggregation import PCGrad

F64 = torch.float64


def direction_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64)) @ rows


def surgery(rows, i, order):
    """Algorithm 1 for one task, on the gradients themselves."""
    gradient = rows[i].clone()
    for j in order:
        if gradient @ rows[j] < 0:
            gradient -= gradient @ rows[j] / (rows[j] @ rows[j]) * rows[j]
    return gradient


def outcomes(rows):
    """The directions [N, P] of all orders in which every task may meet the others."""
    k = len(rows)
    each = [[surgery(rows, i, o) for o in itertools.permutations(set(range(k)) - {i})] for i in range(k)]
    return torch.stack([torch.stack(chosen).sum(dim=0) for chosen in itertools.product(*each)])


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_direction_is_that_of_algorithm_1_for_some_order(k):
    generator = torch.Generator().manual_seed(k)
    method = PCGrad()
    for _ in range(100 if k < 4 else 15):
        rows = torch.randn(k, 3, generator=generator, dtype=F64)
        distances = (outcomes(rows) - direction_of(method, rows)).norm(dim=1)
        assert distances.min() < 1e-12


def test_every_order_is_as_likely_as_any_other():
    rows = torch.tensor([[1.0, 0.1, 0.2], [-0.7, 1.0, 0.1], [-0.6, -0.9, 0.5]], dtype=F64)
    expected = outcomes(rows)
    assert torch.cdist(expected, expected).fill_diagonal_(1).min() > 1e-3  # all 8 differ
    method = PCGrad(seed=3)
    seen = Counter(int((expected - direction_of(method, rows)).norm(dim=1).argmin()) for _ in range(800))
    assert min(seen[i] for i in range(8)) > 60  # 100 +- 9.4 each
    assert max(seen.values()) < 140


def test_two_rows_by_hand():
    # g1 = (1, 0), g2 = (-2, 2): g1 + g2/4 = (1/2, 1/2) and g2 + 2 g1 = (0, 2)
    rows = torch.tensor([[1.0, 0.0], [-2.0, 2.0]], dtype=F64)
    gramian = rows @ rows.T
    weights = PCGrad()(gramian, torch.ones(2, dtype=F64))
    torch.testing.assert_close(weights, torch.tensor([3.0, 1.25], dtype=F64))
    torch.testing.assert_close(weights @ rows, torch.tensor([0.5, 2.5], dtype=F64))


def test_without_conflict_it_is_the_sum():
    rows = torch.rand(5, 8, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert PCGrad()(rows @ rows.T, torch.ones(5, dtype=F64)).tolist() == [1.0] * 5


def test_a_zero_row_changes_nothing():
    rows = torch.tensor([[1.0, 0.0], [0.0, 0.0], [-2.0, 2.0]], dtype=F64)
    weights = PCGrad()(rows @ rows.T, torch.ones(3, dtype=F64))
    torch.testing.assert_close(weights, torch.tensor([3.0, 1.0, 1.25], dtype=F64))
    assert PCGrad()(torch.zeros(3, 3, dtype=F64), torch.ones(3, dtype=F64)).tolist() == [1.0] * 3


def test_opposite_rows_cancel():
    rows = torch.tensor([[1.0, 2.0], [-3.0, -6.0]], dtype=F64)
    assert direction_of(PCGrad(), rows).norm() < 1e-12


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_nothing(scale):
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=F64)
    gramian, losses = rows @ rows.T, torch.ones(6, dtype=F64)
    torch.testing.assert_close(PCGrad()(scale**2 * gramian, losses), PCGrad()(gramian, losses), rtol=1e-9, atol=0)


class TestRandomness:
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=F64)

    def run(self, method, steps):
        return torch.stack([direction_of(method, self.rows) for _ in range(steps)])

    def test_it_follows_from_the_seed_alone(self):
        torch.manual_seed(1)
        first = self.run(PCGrad(seed=5), 4)
        state = torch.get_rng_state()
        torch.manual_seed(2)
        assert torch.equal(first, self.run(PCGrad(seed=5), 4))
        torch.manual_seed(1)
        self.run(PCGrad(), 4)
        assert torch.equal(state, torch.get_rng_state())

    def test_steps_and_seeds_differ(self):
        zero, one = self.run(PCGrad(seed=0), 5), self.run(PCGrad(seed=1), 5)
        assert len(torch.cat([zero, one]).unique(dim=0)) == 10  # also no seed is another one, later

    def test_the_state_continues(self):
        method, fresh = PCGrad(), PCGrad()
        self.run(method, 3)
        fresh.load_state_dict(method.state_dict())
        assert torch.equal(self.run(method, 3), self.run(fresh, 3))

    def test_a_negative_seed_is_refused(self):
        with pytest.raises(ValueError, match=r"seed must be a whole number, 0 or more, got -1"):
            PCGrad(seed=-1)
