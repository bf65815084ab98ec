import pytest
import torch

from equipoise.weighting.log_sum import LogSum
from equipoise.weighting.signs import non_negative, positive

TASKS = torch.arange(3)


class Elsewhere(torch.Tensor):
    """A tensor that says that it is on no CPU."""

    is_cpu = False


def test_what_is_right_passes_unchanged():
    losses = torch.tensor([1.0, 2.0, torch.inf])
    assert positive(losses, TASKS, LogSum()) is losses
    zero = torch.zeros(3)
    assert non_negative(zero, TASKS, LogSum()) is zero


@pytest.mark.parametrize(("check", "wrong"), [(positive, 0.0), (positive, -1.0), (non_negative, -1.0)])
def test_what_is_wrong_raises_and_names_the_task_by_its_place_among_all(check, wrong):
    with pytest.raises(ValueError, match=f"got {wrong:g} for task 5"):
        check(torch.tensor([1.0, 2.0, wrong]), torch.tensor([0, 3, 5]), LogSum())


@pytest.mark.parametrize(("check", "wrong"), [(positive, 0.0), (positive, -1.0), (non_negative, -1.0)])
def test_on_another_device_it_becomes_nan_and_so_does_every_gradient_that_depends_on_it(check, wrong):
    leaf = torch.tensor([1.0, 2.0, wrong], requires_grad=True)
    seen = check(leaf.as_subclass(Elsewhere), TASKS, LogSum())
    assert torch.isnan(seen).tolist() == [False, False, True]
    torch.sum(seen.log()).backward()
    assert leaf.grad.isnan().tolist() == [False, False, True]
