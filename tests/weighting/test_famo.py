import math

import pytest
import torch
from driving import bound, weights_of

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.famo import FAMO

LOSSES = [3.0, 0.2, 40.0]
MINIMUM = [-1.0, 0.0, -0.5, 0.0, -2.0]


def test_laws():
    check_method(FAMO)
    check_method(
        lambda: FAMO(lr=0.1, decay=0.0, minimum=MINIMUM),
        except_for={
            "is_homogeneous": "a minimum is in the units of a loss",
            "ignores_task_order": "its minima belong to the tasks by their places",
        },
    )


def test_weights_are_z_over_d_of_sum_one():
    method = bound(FAMO(minimum=[1.0, -1.0, 0.0]))
    with torch.no_grad():
        method.logits.copy_(torch.tensor([0.3, -1.0, 0.5]))
    ratios = [math.exp(w) / d for w, d in zip((0.3, -1.0, 0.5), (2.0, 1.2, 40.0), strict=True)]
    assert weights_of(method, LOSSES) == pytest.approx([r / sum(ratios) for r in ratios])


def naive(history, lr, decay):
    """Adam on the logits, with d(softmax)/d(logits) as a matrix."""
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=lr, weight_decay=decay)
    for before, after in history:
        jacobian = torch.autograd.functional.jacobian(lambda w: torch.softmax(w, 0), logits)
        change = torch.tensor(before, dtype=torch.float64).log() - torch.tensor(after, dtype=torch.float64).log()
        logits.grad = jacobian.T @ change
        optimizer.step()
    return logits.detach()


@pytest.mark.parametrize(("lr", "decay"), [(0.025, 1e-3), (0.5, 0.0), (0.1, 0.1)])
def test_logits_follow_adam_on_the_change_of_the_log_losses(lr, decay):
    generator = torch.Generator().manual_seed(0)
    history = (torch.rand(20, 2, 3, generator=generator, dtype=torch.float64) + 0.1).tolist()
    method = bound(FAMO(lr, decay))
    for before, after in history:
        weights_of(method, before)
        method.after_step(torch.tensor(after, dtype=torch.float64), torch.arange(3))
    torch.testing.assert_close(method.logits, naive(history, lr, decay))


def test_the_task_whose_log_loss_falls_slower_gains_weight():
    method = bound(FAMO(), 2)
    for _ in range(10):
        weights_of(method, [1.0, 1.0])
        method.after_step(torch.tensor([0.5, 0.9]), torch.arange(2))
    fast, slow = weights_of(method, [1.0, 1.0])
    assert slow > fast


def test_without_after_step_the_weights_stay_those_of_equal_z():
    method = bound(FAMO())
    for _ in range(3):
        weights = weights_of(method, LOSSES)
    assert weights == pytest.approx([1 / loss / sum(1 / one for one in LOSSES) for loss in LOSSES])


def test_an_absent_task_keeps_its_logit_and_its_moments():
    method = bound(FAMO())
    weights_of(method, LOSSES)
    method.after_step(torch.tensor(LOSSES) * torch.tensor([0.5, 0.9, 0.7]), torch.arange(3))
    before = {name: value[1].clone() for name, value in method.state_dict().items()}
    weights_of(method, [3.0, 40.0], [0, 2])
    method.after_step(torch.tensor([2.0, 10.0]), torch.tensor([0, 2]))
    assert {name: value[1] for name, value in method.state_dict().items()} == before


def test_after_step_without_its_forward_pass_moves_nothing():
    method = bound(FAMO(decay=0.0))
    method.after_step(torch.tensor(LOSSES), torch.arange(3))
    assert method.logits.tolist() == [0, 0, 0]


def test_through_a_balancer_all_log_losses_fall_at_one_rate():
    # two quadratics of very different curvature and scale
    def fallen(hears_after_step):
        x = torch.nn.Parameter(torch.tensor([2.0, 2.0], dtype=torch.float64))
        balancer = eq.Balancer(FAMO(lr=0.05, decay=0.0), [x], tasks=["a", "b"])

        def losses():
            return {"a": 1e3 * x[0] ** 2 + 1e2 * x[1] ** 2, "b": 1e-3 * x[1] ** 2}

        optimizer, start = torch.optim.SGD([x], lr=1e-1), losses()
        for _ in range(400):
            optimizer.zero_grad()
            balancer(losses()).backward()
            optimizer.step()
            if hears_after_step:
                balancer.after_step(losses())
        return [(losses()[name] / start[name]).item() for name in "ab"]

    a, b = fallen(hears_after_step=True)
    assert max(a, b) < 0.85
    assert a == pytest.approx(b, rel=1e-4)
    a, b = fallen(hears_after_step=False)
    assert abs(a - b) > 0.02


def test_a_minimum_is_in_the_units_of_the_loss_without_the_users_weight():
    for weights in ({"a": 1.0, "b": 1.0}, {"a": 4.0, "b": 1.0}):
        losses = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        with pytest.warns(UserWarning, match="do not change") if weights["a"] > 1 else torch.no_grad():
            balancer = eq.Balancer(FAMO(minimum=[1.0, 0.0]), [losses], tasks=weights)
        a, b = losses
        balancer({"a": a, "b": b}).backward()
        ratio = losses.grad[0] / losses.grad[1]
        assert ratio.item() == pytest.approx(2.0)  # (1 / 2) / (1 / 4), whatever the user's weight


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": -1.0}, r"lr must be in \[0, inf\), got -1.0"),
        ({"decay": math.nan}, r"decay must be in \[0, inf\), got nan"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        FAMO(**arguments)


def test_losses_must_be_above_their_minimum():
    with pytest.raises(ValueError, match=r"needs positive losses, got -0\.5 for task 1"):
        bound(FAMO(minimum=[0.0, 1.0]), 2)(torch.tensor([1.0, 0.5]))
    with pytest.raises(ValueError, match="minimum must hold one value for each of 3 tasks"):
        bound(FAMO(minimum=[0.0, 1.0]))
