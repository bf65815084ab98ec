import math

import pytest
import torch

import equipoise as eq


def weights_of(method, losses, tasks=(0, 1)):
    leaf = torch.tensor(losses, requires_grad=True)
    (weights,) = torch.autograd.grad(method(leaf, torch.tensor(tasks)), leaf)
    return weights.tolist()


def softmax_weights(ratios, temperature=2.0):
    """Liu et al., eq. (7): K exp(r_k / T) / sum_i exp(r_i / T)."""
    exps = [math.exp(ratio / temperature) for ratio in ratios]
    return pytest.approx([len(ratios) * e / sum(exps) for e in exps], rel=1e-6)


@pytest.mark.parametrize("temperature", [2.0, 0.5])
def test_weights_follow_the_ratio_of_the_last_two_epochs(temperature):
    method = eq.DWA(temperature)
    method.bind(2)
    # epoch 1: means 2 and 2; no ratio before two epochs have ended
    assert weights_of(method, [1.0, 2.0]) == [1.0, 1.0]
    assert weights_of(method, [3.0, 2.0]) == [1.0, 1.0]
    method.end_epoch()
    # epoch 2: means 1 and 4
    assert weights_of(method, [1.0, 4.0]) == [1.0, 1.0]
    method.end_epoch()
    # epoch 3: ratios 1/2 and 4/2. Task 1 is absent from one step, where K is 1, so its mean is 2, not 1
    assert weights_of(method, [0.5, 2.0]) == softmax_weights([0.5, 2.0], temperature)
    assert weights_of(method, [0.25], tasks=(0,)) == [1.0]
    method.end_epoch()
    # epoch 4: ratios 0.375/1 and 2/4. Task 1 is absent throughout
    assert weights_of(method, [0.75], tasks=(0,)) == [1.0]
    method.end_epoch()
    # epoch 5: ratio 0.75/0.375; task 1 keeps its own, and the mean of epoch 3 as its last
    assert weights_of(method, [1.0, 3.0]) == softmax_weights([2.0, 0.5], temperature)
    method.end_epoch()
    # epoch 6: 1/0.75 and 3/2
    assert weights_of(method, [1.0, 1.0]) == softmax_weights([4 / 3, 1.5], temperature)


def test_the_task_that_falls_slower_counts_more():
    method = eq.DWA()
    method.bind(2)
    for losses in ([1.0, 1.0], [0.9, 0.3]):
        method(torch.tensor(losses))
        method.end_epoch()
    slow, fast = weights_of(method, [1.0, 1.0])
    assert slow > 1 > fast
    assert slow + fast == pytest.approx(2)


def test_a_loss_that_overflowed_is_not_counted():
    method = eq.DWA()
    method.bind(2)
    for losses in ([2.0, 2.0], [float("inf"), 2.0], [2.0, float("nan")]):
        method(torch.tensor(losses))
    method.end_epoch()
    assert method.previous.tolist() == [2.0, 2.0]


def test_a_loss_of_zero_gives_no_ratio():
    method = eq.DWA()
    method.bind(2)
    for _ in range(2):  # 0/0, then 1/0
        method(torch.tensor([0.0, 1.0]))
        method.end_epoch()
    assert method.ratio.tolist() == [1.0, 1.0]
    method(torch.tensor([1.0, 1.0]))
    method.end_epoch()
    assert method.ratio.tolist() == [1.0, 1.0]


def test_the_value_that_the_balancer_reports_is_the_plain_total():
    model = torch.nn.Linear(2, 2)
    balancer = eq.Balancer(eq.DWA(), model, tasks=["a", "b"])
    for scale in (1.0, 0.5, 0.25):
        a, b = model(torch.ones(2)).square() + torch.tensor([1.0, 2.0])
        loss = balancer({"a": a * scale, "b": b})
        assert loss.item() == pytest.approx((a * scale + b).item())
        loss.backward()
        balancer.end_epoch()
    assert balancer.record.weights["b"] > 1 > balancer.record.weights["a"]


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_errors(temperature):
    with pytest.raises(ValueError, match=rf"temperature must be in \(0, inf\], got {temperature}"):
        eq.DWA(temperature)
