import pytest
import torch

import equipoise as eq
from equipoise.testing import check_method
from equipoise.weighting.stop_and_go import StopAndGo


def bound(method, num_tasks=2):
    method.bind(num_tasks)
    return method


def tell(method, *results, tasks=None):
    tasks = range(len(results)) if tasks is None else tasks
    method.observe(torch.tensor(results, dtype=torch.float64), torch.tensor(list(tasks)))


def weights_of(method, tasks=(0, 1)):
    losses = torch.full((len(tasks),), 3.0, requires_grad=True)
    return torch.autograd.grad(method(losses, torch.tensor(tasks)), losses)[0].tolist()


class Rule:
    """The rule in words, for one task: state, best result, evaluations without a gain."""

    def __init__(self, gain, patience, drop):
        self.gain, self.patience, self.drop = gain, patience, drop
        self.stopped, self.best, self.waited = False, None, 0

    def hear(self, result):
        if self.best is None or result - self.best > self.gain * abs(self.best):
            self.best, self.waited = result, 0
        elif self.stopped:
            if self.best - result > self.drop * abs(self.best):
                self.stopped, self.waited = False, 0
        else:
            self.waited += 1
            self.stopped = self.waited >= self.patience
        return self.stopped


def test_it_keeps_the_laws():
    check_method(StopAndGo)
    check_method(lambda: StopAndGo(patience=1, gap=2))


def test_the_scores_of_the_official_test():
    # tools/test_controller.py of vilbert-multi-task. By the paper's rule: stopped by the second 50 that is no gain,
    # going at 49, which is below 0.99 · 50, and stopped by 48 and 50, after which no score is low enough. The
    # official controller, which spares a task the evaluation after each change, goes on there until the 52s.
    method, scores = bound(StopAndGo(drop=0.01), 1), [10, 20, 30, 40, 50, 50, 50, 50, 49, 48, 50, 51, 52, 52, 52, 52]
    stopped = []
    for score in scores:
        tell(method, score)
        stopped.append(int(method.stopped))
    assert stopped == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("gain", "patience", "drop"), [(1e-3, 2, 5e-3), (0.02, 1, 0.05), (0.0, 3, 0.02)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_tasks_follow_the_rule_each_on_its_own(gain, patience, drop, sign):
    method, rules = bound(StopAndGo(gain, patience, drop)), [Rule(gain, patience, drop) for _ in range(2)]
    generator = torch.Generator().manual_seed(patience)
    states = set()
    for step in range(80):
        noise = 0.04 * torch.randn(2, generator=generator, dtype=torch.float64)
        results = (sign * (1 - sign * 0.3 * 0.9**step) + noise).tolist()
        present = [[0, 1], [0], [1]][step % 3]
        tell(method, *(results[k] for k in present), tasks=present)
        for k in present:
            assert rules[k].hear(torch.tensor(results[k]).item()) == method.stopped[k]
        states.add(tuple(method.stopped.tolist()))
    assert len(states) > 2


def test_a_stopped_task_trains_in_every_gap_th_step():
    method = bound(StopAndGo(gap=3))
    for _ in range(3):
        tell(method, 0.5, tasks=[1])
    assert method.stopped.tolist() == [False, True]
    assert [weights_of(method) for _ in range(7)] == [[1.0, float(step % 3 == 0)] for step in range(7)]
    tell(method, 0.4, tasks=[1])
    assert [weights_of(method) for _ in range(3)] == [[1.0, 1.0]] * 3


def test_a_resting_task_delivers_no_gradient_to_its_head_either():
    model = torch.nn.Linear(1, 2, bias=False)
    balancer = eq.Balancer(StopAndGo(patience=1), model, tasks={"a": 2.0, "b": 5.0})
    for _ in range(2):
        balancer.observe({"b": 0.5})
    gradients = []
    for _ in range(5):
        model.zero_grad()
        a, b = model(torch.ones(1))
        balancer({"a": a, "b": b}).backward()
        gradients.append(model.weight.grad.flatten().tolist())
    assert gradients == [[2.0, 5.0], [2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [2.0, 5.0]]


def test_what_is_not_told_changes_nothing():
    method = bound(StopAndGo(patience=1))
    for _ in range(3):
        tell(method, float("nan"), float("-inf"))
    assert method.best.isnan().all()
    assert not method.stopped.any()


def test_errors():
    for arguments, message in [
        ({"gain": -1.0}, r"gain must be in \[0, inf\], got -1.0"),
        ({"drop": float("nan")}, r"drop must be in \[0, inf\], got nan"),
        ({"patience": 0}, "patience must be a whole number, 1 or more, got 0"),
        ({"gap": 1.5}, "gap must be a whole number, 1 or more, got 1.5"),
    ]:
        with pytest.raises(ValueError, match=message):
            StopAndGo(**arguments)
