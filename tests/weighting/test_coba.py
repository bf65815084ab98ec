import numpy as np
import pytest
import torch

from equipoise.testing import check_method
from equipoise.weighting.coba import CoBa


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def tell(method, *results, tasks=None):
    tasks = range(len(results)) if tasks is None else tasks
    method.observe(torch.tensor(results, dtype=torch.float64), torch.tensor(list(tasks)))


def weights_of(method, tasks=(0, 1, 2)):
    losses = torch.ones(len(tasks), requires_grad=True)
    return torch.autograd.grad(method(losses, torch.tensor(tasks)), losses)[0].numpy()


def softmax(values):
    exps = np.exp(values - np.max(values))
    return exps / exps.sum()


class Paper:
    """The paper's formulas, with lists and np.polyfit."""

    def __init__(self, warmup, history, tau):
        self.warmup, self.history, self.tau = warmup, history, tau
        self.ratios, self.slopes = [], []

    def weights(self, losses):
        self.ratios.append(np.array(losses) / (self.ratios[0] * 0 + self.first if self.ratios else losses))
        if len(self.ratios) == 1:
            self.first = np.array(losses)
        num_tasks = len(losses)
        if len(self.ratios) < self.warmup:
            return np.full(num_tasks, 1 / num_tasks)
        window = np.array(self.ratios[-self.history :])
        slopes = np.polyfit(np.arange(len(window)), window, 1)[0]
        self.slopes.append(slopes)
        past = np.array(self.slopes[-self.history :])
        relative = softmax(num_tasks * slopes / np.abs(slopes).sum())
        absolute = softmax(-len(past) * slopes / np.abs(past).sum(axis=0))
        steepest = np.array(self.slopes).max(axis=1)
        t = len(steepest)
        divergence = min(t * softmax(-self.tau * t * steepest / np.abs(steepest).sum())[-1], 1)
        return divergence * relative + (1 - divergence) * absolute


def curves(length, seed):
    """Validation losses of a fast, a slow and a finally diverging task, on unequal scales."""
    t, noise = np.arange(length), np.random.default_rng(seed).normal(size=(3, length))
    fast, slow = 3 * np.exp(-t / 5) + 1, 200 * np.exp(-t / 40)
    diverging = 0.01 * (np.exp(-t / 8) + 0.002 * t**1.5)
    return (np.stack([fast, slow, diverging]) * (1 + 0.01 * noise)).T


def test_it_keeps_the_laws():
    check_method(CoBa)
    check_method(lambda: CoBa(warmup=2, history=3))


@pytest.mark.parametrize(("warmup", "history", "tau"), [(2, 2, 5.0), (3, 7, 5.0), (4, 10, 1.0), (5, 60, 20.0)])
def test_weights_are_those_of_the_papers_formulas(warmup, history, tau):
    method, paper = bound(CoBa(warmup, history, tau)), Paper(warmup, history, tau)
    for losses in curves(40, seed=warmup):
        tell(method, *(-losses))
        np.testing.assert_allclose(weights_of(method), paper.weights(losses), rtol=2e-3)
        assert weights_of(method).sum() == pytest.approx(1)


def test_while_all_converge_the_slow_task_counts_more_and_one_that_diverges_counts_less():
    method = bound(CoBa(3, 6))
    for t in range(6):
        tell(method, -(1 - 0.15 * t), -(1 - 0.01 * t), -(1 - 0.1 * t))
    fast, slow, middle = weights_of(method)
    assert slow > middle > fast
    for t in range(6):
        tell(method, -(0.25 - 0.03 * t), -(0.95 + 0.2 * t), -(0.5 - 0.05 * t))
    assert weights_of(method).argmin() == 1


def test_results_of_any_kind_count_by_their_gain():
    # accuracies that rise by the same part of their start as losses fall
    losses, accuracies = bound(CoBa(2, 4)), bound(CoBa(2, 4))
    for t in range(6):
        parts = [0.1 * t, 0.02 * t, 0.01 * t**2]
        tell(losses, *(-scale * (1 - part) for scale, part in zip((5, 0.1, 2), parts, strict=True)))
        tell(accuracies, *(scale * (1 + part) for scale, part in zip((0.5, 0.1, 0.2), parts, strict=True)))
        np.testing.assert_allclose(weights_of(losses), weights_of(accuracies), rtol=1e-4)


def test_a_task_without_results_keeps_its_share_and_its_curve():
    method, alone = bound(CoBa(2, 4), 4), bound(CoBa(2, 4), 2)
    for t, (a, b) in enumerate([(1.0, 1.0), (0.8, 0.9), (0.5, 0.8), (0.45, 0.85)]):
        tell(method, -a, -b, tasks=[0, 3])
        tell(alone, -a, -b)
        if t == 1:
            before = {name: value.clone() for name, value in method.state_dict().items()}
    weights = weights_of(method, (0, 1, 2, 3))
    assert weights[1:3] == pytest.approx([0.25, 0.25])
    np.testing.assert_allclose(weights[[0, 3]], weights_of(alone, (0, 1)) / 2, rtol=1e-6)
    assert torch.equal(before["curves"][:, 1:3].isnan(), method.curves[:, 1:3].isnan())
    tell(method, float("nan"), 0.0, tasks=[0, 1])  # neither says anything
    np.testing.assert_array_equal(weights_of(method, (0, 1, 2, 3)), weights)


def test_flat_curves_give_equal_weights():
    method = bound(CoBa(2, 3))
    for _ in range(4):
        tell(method, -1.0, -2.0, -3.0)
    assert weights_of(method) == pytest.approx([1 / 3] * 3)


def test_errors():
    for arguments, message in [
        ((1, 5), "warmup must be a whole number, 2 or more, got 1"),
        ((5, 4), "history must not be below warmup=5, got 4"),
        ((5, 9, 0.0), r"tau must be in \(0, inf\), got 0.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            CoBa(*arguments)
