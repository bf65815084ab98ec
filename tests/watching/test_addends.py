"""The addends of a scalar: their gradients sum to the whole's, and each is the one of the loss that it stands for."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from equipoise.watching.split import addends_of


@pytest.fixture
def weight():
    torch.manual_seed(0)
    return torch.randn(40, 3, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def parts(weight):
    outputs = torch.randn(5, 40, dtype=torch.float64) @ weight
    return [outputs.pow(2).mean(), outputs.abs().sum(), functional.cross_entropy(outputs, torch.arange(5) % 3)]


def c(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


SUMS = {
    "plus": (lambda a, b, k: a + b + k, [1, 1, 1]),
    "sum of a list": (lambda a, b, k: sum([a, b, k]), [1, 1, 1]),
    "factors": (lambda a, b, k: 0.5 * a + b * 3 - k, [0.5, 3, -1]),
    "accumulation": (lambda a, b, k: (a + 2 * b) / 4 + k / 4, [0.25, 0.5, 0.25]),
    "a scaler": (lambda a, b, k: (a + b + k) * torch.tensor(65536.0), [65536] * 3),
    "alpha": (lambda a, b, k: torch.add(a, b, alpha=3) + k, [1, 3, 1]),
    "stacked and summed": (lambda a, b, k: torch.stack([a, b, k]).sum(), [1, 1, 1]),
    "stacked and averaged": (lambda a, b, k: torch.stack([a, b, k]).mean(), [1 / 3] * 3),
    "stacked and weighted": (lambda a, b, k: (c(1, 2, 3) * torch.stack([a, b, k])).sum(), [1, 2, 3]),
    "dot": (lambda a, b, k: torch.dot(c(1, 2, 3), torch.stack([a, b, k])), [1, 2, 3]),
    "matmul": (lambda a, b, k: torch.stack([a, b, k]) @ c(1, 2, 3), [1, 2, 3]),
    "cat of views": (lambda a, b, k: torch.cat([a[None], b.view(1), k.reshape(1)]).sum(), [1, 1, 1]),
    "one twice": (lambda a, b, k: a + b + 0.5 * a + k, [1.5, 1, 1]),
    "other types": (lambda a, b, k: a.float() + b.float() + k.float(), [1, 1, 1]),
    "in place": (lambda a, b, k: a.clone().add_(b).mul_(0.5) + k, [0.5, 0.5, 1]),
    "one minus": (lambda a, b, k: (1 - a) + b + k, [-1, 1, 1]),
    "a constant": (lambda a, b, k: a + b + k + c(7)[0], [1, 1, 1]),
    "chosen": (lambda a, b, k: torch.stack([a, b, k])[1] + torch.stack([a, k]).unbind()[1] + a, [1, 1, 1]),
}


@pytest.mark.parametrize("name", SUMS)
def test_each_addend_is_a_loss_with_its_factor(name, weight, parts):
    """Against gradients of losses that were never summed."""
    make, factors = SUMS[name]
    total = make(*parts)
    whole = torch.autograd.grad(total, weight, retain_graph=True)[0]
    alone = [torch.autograd.grad(part, weight, retain_graph=True)[0] for part in parts]
    by_hand = [factor * gradient for factor, gradient in zip(factors, alone, strict=True)]
    by_node = {addend.edge.node: addend for addend in addends_of(total)}
    found = [by_node.pop(part.grad_fn) for part in parts]
    assert not by_node
    assert [addend.factor for addend in found] == pytest.approx(factors, rel=1e-6)
    for addend, expected in zip(found, by_hand, strict=True):
        torch.testing.assert_close(_gradient(addend, weight), expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(sum(_gradient(addend, weight) for addend in found), whole, rtol=1e-6, atol=1e-9)


def test_a_loss_of_its_own_is_not_opened(parts):
    """A mean of squares, a maximum of two losses, and a product of two are one addend each."""
    a, b, k = parts
    assert len(addends_of(a)) == 1
    assert len(addends_of(torch.maximum(a, b) + k)) == 2
    assert len(addends_of(a / b + k)) == 2
    assert len(addends_of(c(2)[0] / (a + b))) == 1


def test_thousands_of_operations_deep(weight):
    """By sample, and summed in a loop."""
    outputs = torch.randn(5, 40, dtype=torch.float64) @ weight
    total = outputs.sin()
    for _ in range(1500):
        total = total + total.detach()
    assert len(addends_of((total + outputs.cos()).mean())) == 2


def test_losses_by_sample_are_told_apart_when_only_they_are_there(weight):
    outputs = torch.randn(5, 40, dtype=torch.float64) @ weight
    first, second = outputs.pow(2).mean(1), functional.cross_entropy(outputs, torch.arange(5) % 3, reduction="none")
    found = addends_of((first + 2 * second).mean())
    expected = [torch.autograd.grad(loss.mean(), weight, retain_graph=True)[0] for loss in (first, 2 * second)]
    for addend, gradient in zip(found, expected, strict=True):
        torch.testing.assert_close(_gradient(addend, weight), gradient)


def test_a_difference_by_sample_is_one_loss(weight):
    """As a contrastive loss writes it."""
    scores = torch.randn(5, 40, dtype=torch.float64) @ weight
    assert len(addends_of((scores.logsumexp(1) - scores[:, 0]).mean())) == 1


def test_learned_weights_are_read_by_the_product_rule(weight, parts):
    """Uncertainty weighting: the losses stand with exp(-s), and their regulariser apart."""
    s = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    total = (torch.exp(-s) * torch.stack(parts) + s).sum()
    found = addends_of(total)
    of_losses = [addend for addend in found if _gradient(addend, weight).count_nonzero()]
    assert [addend.factor for addend in of_losses] == pytest.approx([1, 0.36787944, 0.13533528])
    for leaf in (weight, s):
        whole = torch.autograd.grad(total, leaf, retain_graph=True)[0]
        torch.testing.assert_close(sum(_gradient(addend, leaf) for addend in found), whole)


def test_the_graph_lives_on(weight, parts):
    """Nothing is freed, and nothing is left in ``.grad``."""
    total = sum(parts)
    addends_of(total)
    assert weight.grad is None
    total.backward()
    assert weight.grad is not None


def _gradient(addend, leaf):
    found = torch.autograd.grad([addend.edge], [leaf], [addend.seed], retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(leaf) if found is None else found
