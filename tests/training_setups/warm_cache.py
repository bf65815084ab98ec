"""Run by test_compile.py in processes of its own, that share a cache on disk: ``warm_cache.py warm|use``."""

import copy
import sys

import torch
from plain_autograd import NAMES, bound, data_of, error, gradients_of, losses_of, net_of, reference
from torch import nn

import equipoise as eq


def main(mode):
    eager = net_of()
    # its backward writes over what the forward pass saved, if it may: a second pass then reads garbage
    eager.trunk[3] = nn.GELU()
    net = copy.deepcopy(eager)
    net.trunk = torch.compile(net.trunk)
    x, targets = data_of()
    if mode == "warm":  # another programme of the same user: one ordinary backward, whose artefacts stay on disk
        sum(losses_of(net(x), targets).values()).backward()
        return
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    before = losses_of(net(x), targets)
    refuses(balancer, before)
    eq.compile_safe()
    refuses(balancer, before)  # this graph is still the old one
    balancer(losses_of(net(x), targets)).backward()
    expected = reference(bound(eq.MGDA), losses_of(eager(x), targets), eager)
    assert error(gradients_of(net), expected) < 1e-6


def refuses(balancer, losses):
    try:
        balancer(losses)
    except RuntimeError as told:
        assert "eq.compile_safe()" in str(told), told  # noqa: PT017
        return
    raise AssertionError("a graph that may write over its buffers was accepted")


if __name__ == "__main__":
    main(sys.argv[1])
