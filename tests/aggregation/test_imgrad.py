import pytest
import torch

from equipoise.aggregation.cagrad import CAGrad
from equipoise.aggregation.imgrad import IMGrad
from equipoise.aggregation.mgda import MGDA
from equipoise.testing import check_method

F64 = torch.float64


def weights_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64))


def objective(rows, c, shares):
    """(1 - cos) g_w . g_0 + cos c |g_0| |g_w| for shares [N, K], cos between g_0 and MGDA's direction."""
    mean, least = rows.mean(dim=0), weights_of(MGDA(), rows) @ rows
    cosine = torch.cosine_similarity(mean, least, dim=0)
    points = shares @ rows
    return (1 - cosine) * points @ mean + cosine * c * mean.norm() * points.norm(dim=1)


def test_it_keeps_every_law():
    check_method(IMGrad)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("c", [0.3, 1.0])
def test_no_other_weights_have_a_lesser_objective(k, c):
    generator = torch.Generator().manual_seed(k)
    for _ in range(20):
        rows = torch.randn(k, 6, generator=generator, dtype=F64) * torch.rand(k, 1, generator=generator, dtype=F64)
        extra = weights_of(IMGrad(c), rows) - 1 / k
        share = extra / extra.sum()
        assert (share >= -1e-12).all()
        near = share + 0.01 * torch.randn(500, k, generator=generator, dtype=F64)
        spread = torch.distributions.Exponential(torch.ones((), dtype=F64)).sample((500, k))
        others = torch.cat([near.clamp(min=0), spread, torch.eye(k, dtype=F64)])
        others = others / others.sum(dim=1, keepdim=True)
        assert objective(rows, c, share[None])[0] <= objective(rows, c, others).min() + 1e-10
        push = extra @ rows
        torch.testing.assert_close(push.norm(), c * rows.mean(dim=0).norm())


def test_where_mean_and_mgda_agree_the_shortest_combination_is_added():
    # orthogonal rows of one length: cos = 1, g_w the shortest: along g_0
    rows = torch.eye(3, dtype=F64) * 2
    torch.testing.assert_close(weights_of(IMGrad(0.5), rows), torch.full((3,), 0.5, dtype=F64))


def test_where_the_hull_holds_zero_the_worst_served_task_is_added():
    # g_0 = (0, 1/2), MGDA's direction is zero, (-1, -1) is served worst with -1/2
    rows = torch.tensor([[1.0, 2.5], [-1.0, -1.0], [0.0, 0.0]], dtype=F64)
    expected = torch.tensor([1.0, 1.0, 1.0], dtype=F64) / 3
    expected[1] += 0.5 * 0.5 / 2**0.5
    torch.testing.assert_close(weights_of(IMGrad(0.5), rows), expected)
    # and where none is served badly, nothing is
    rows = torch.tensor([[1.0, 2.5], [0.0, 0.0]], dtype=F64)
    torch.testing.assert_close(weights_of(IMGrad(0.5), rows), torch.full((2,), 0.5, dtype=F64))


def test_it_listens_less_to_the_worst_served_task_than_cagrad_does_where_the_mean_is_far_from_mgda():
    # the long row dominates the mean; the mean's own part of the objective, which prefers the worst served, prevails
    rows = torch.tensor([[10.0, 0.0], [-0.5, 1.0], [0.0, 1.0]], dtype=F64)
    share = [weights_of(method, rows)[1] - 1 / 3 for method in (IMGrad(0.5), CAGrad(0.5))]
    assert share[0] >= share[1] > 0


def test_without_a_radius_it_is_the_mean():
    rows = torch.randn(4, 9, generator=torch.Generator().manual_seed(0), dtype=F64)
    torch.testing.assert_close(weights_of(IMGrad(0.0), rows), torch.full((4,), 0.25, dtype=F64))


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_no_weight(scale):
    rows = torch.randn(6, 10, generator=torch.Generator().manual_seed(2), dtype=F64)
    torch.testing.assert_close(weights_of(IMGrad(), scale * rows), weights_of(IMGrad(), rows), rtol=1e-9, atol=1e-12)


def test_a_bad_radius_is_refused():
    with pytest.raises(ValueError, match=r"c must be in \[0, inf\), got -1"):
        IMGrad(-1)
