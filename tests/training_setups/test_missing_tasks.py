"""Any subset of the tasks in any batch, one with none too."""

from itertools import combinations

import pytest
import torch
from plain_autograd import METHODS, NAMES, bound, data_of, error, gradients_of, losses_of, net_of, reference

import equipoise as eq

SUBSETS = [list(names) for size in (1, 2, 3) for names in combinations(NAMES, size)]


@pytest.mark.parametrize("names", SUBSETS, ids="".join)
@pytest.mark.parametrize("name", METHODS)
def test_any_subset(name, names):
    net = net_of()
    x, targets = data_of()
    method = bound(METHODS[name])
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    balancer(losses_of(net(x), targets)).backward()  # so that the trunk is known to be shared
    reference(method, losses_of(net(x), targets), net)
    net.zero_grad()
    balancer(losses_of(net(x), targets, names)).backward()
    assert error(gradients_of(net), reference(method, losses_of(net(x), targets, names), net)) < 1e-6
    absent = [p.grad for name in NAMES if name not in names for p in net.heads[name].parameters()]
    assert absent == [None] * len(absent)


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_without_labels_moves_nothing(name):
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    for names in (NAMES, [], ["b"]):
        before = [p.detach().clone() for p in net.parameters()]
        optimizer.zero_grad()
        loss = balancer(losses_of(net(x), targets, names))
        scaler.scale(loss).backward()
        if names:  # PyTorch's scaler has nothing to look at where no parameter has a gradient
            scaler.step(optimizer)
            scaler.update()
        else:
            assert loss.item() == 0.0
            optimizer.step()
        assert torch.equal(before[0], net.trunk[0].weight) == (not names)
