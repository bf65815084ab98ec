import pytest
import torch

from equipoise.aggregation.vqgan import VQGAN
from equipoise.testing import check_method

F64 = torch.float64
BY_PLACE = {"ignores_task_order": "its two tasks are named by their places"}
ROWS = torch.tensor([[3.0, 4.0], [0.5, 0.0], [0.0, 7.0]], dtype=F64)  # norms 5, 0.5, 7


def weights_of(method, rows=ROWS, tasks=None):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64), tasks).tolist()


@pytest.mark.parametrize("places", [(0, 1), (3, 0)])
def test_the_laws_hold(places):
    check_method(lambda: VQGAN(*places), except_for=BY_PLACE)


def test_the_adversarial_gradient_becomes_as_long_as_the_reconstructions():
    assert weights_of(VQGAN()) == pytest.approx([1.0, 10.0, 1.0])
    assert weights_of(VQGAN(2, 0)) == pytest.approx([1.4, 1.0, 1.0])
    assert weights_of(VQGAN(reconstruction=4, adversarial=2), ROWS[:2], torch.tensor([2, 4])) == pytest.approx([0.1, 1])


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1e15])
def test_no_scale_matters(scale):
    # the official code adds 1e-4 to the norm: at 1e-6 that is 200 times the norm
    assert weights_of(VQGAN(), scale * ROWS) == pytest.approx([1.0, 10.0, 1.0])


def test_the_weight_is_bounded():
    rows = ROWS * torch.tensor([[1.0], [1e-9], [1.0]], dtype=F64)
    assert weights_of(VQGAN(), rows) == [1.0, 1e4, 1.0]
    assert weights_of(VQGAN(largest=7.0)) == [1.0, 7.0, 1.0]


def test_zero_gradients():
    for k, expected in ((0, [1.0, 0.0, 1.0]), (1, [1.0, 1.0, 1.0])):
        rows = ROWS.clone()
        rows[k] = 0
        assert weights_of(VQGAN(), rows) == expected
    assert weights_of(VQGAN(), ROWS[1:], torch.tensor([1, 2])) == [0.0, 1.0]  # no reconstruction


def test_a_users_weight_is_the_share_of_the_reconstructions_gradient():
    method = VQGAN()
    method.prefer(torch.tensor([2.0, 0.8, 1.0], dtype=F64))
    shown = ROWS * torch.tensor([[2.0], [0.8], [1.0]], dtype=F64)
    weights = torch.tensor(weights_of(method, shown), dtype=F64)
    # the official code: nll + d_weight · disc_weight · g, with d_weight of the raw losses
    torch.testing.assert_close(weights @ shown, 2.0 * ROWS[0] + 10.0 * 0.8 * ROWS[1] + ROWS[2])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="reconstruction and adversarial must differ, got 0 and 0"):
        VQGAN(0, 0)
    with pytest.raises(ValueError, match=r"reconstruction must be a whole number, 0 or more, got -1"):
        VQGAN(-1, 1)
    with pytest.raises(ValueError, match=r"largest must be in \(0, inf\], got 0.0"):
        VQGAN(largest=0.0)
    with pytest.raises(ValueError, match=r"adversarial must be the index of one of 3 tasks, from 0 to 2, got 3"):
        VQGAN(0, 3).bind(3)
