"""Random networks, methods and precisions, in one process and in two: what the naive balancer gives."""

import contextlib
import os
import warnings

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive import METHODS, ROWS, Naive, method_named
from networks import Network, losses_of, networks
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

import equipoise as eq

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 1e-2}


def searched(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=bool(os.environ.get("CI")),
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )


def cast_to(dtype):
    return contextlib.nullcontext() if dtype is None else torch.autocast("cpu", dtype=dtype)


def run(rank, size, drawn, name, heads, route, incoming=1.0, autocast=None, accumulate=False):
    """What every step left in ``.grad``, and in the record."""
    net = Network(drawn)
    model = net if size == 1 else DistributedDataParallel(net)
    weights = {f"t{k}": weight for k, weight in enumerate(drawn.weights)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balancer = eq.Balancer(method_named(name), model, tasks=weights, heads=heads, route=route)
        scaler = torch.amp.GradScaler("cpu", init_scale=incoming, enabled=autocast == torch.float16)
        optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.0)
        steps = []
        for step in range(len(drawn.steps)):
            with cast_to(autocast):
                losses = losses_of(model, drawn, step, rank)
            counts = {task: drawn.counts[rank][int(task[1:])] for task in losses}
            if not accumulate:
                optimizer.zero_grad()
                balancer.zero_grad()
            before = balancer.steps
            loss = balancer(losses, counts=counts)
            (scaler.scale(loss) if scaler.is_enabled() else loss * incoming).backward()
            record = balancer.record if balancer.steps > before else None
            steps.append(
                (
                    {p: g.grad.clone() for p, g in net.named_parameters() if g.grad is not None},
                    [p.grad for p in balancer.parameters()],
                    record and (record.names, record.losses, record.gramian, record.skipped),
                )
            )
    return steps


def joint_losses(net, drawn, step, autocast):
    """Of the joint batch: means over its labels."""
    sums, labels = {}, {}
    for rank in range(len(drawn.counts)):
        with cast_to(autocast):
            here = losses_of(net, drawn, step, rank)
        for task, loss in here.items():
            count = drawn.counts[rank][int(task[1:])]
            sums[task] = sums.get(task, 0.0) + loss * count
            labels[task] = labels.get(task, 0) + count
    return {task: sums[task] / labels[task] for task in sorted(sums)}


def require_the_definition(answers, drawn, name, heads, incoming=1.0, autocast=None, accumulate=False):
    net = Network(drawn)
    naive = Naive(name, net, {f"t{k}": weight for k, weight in enumerate(drawn.weights)}, heads)
    tolerance = TOLERANCE[autocast or drawn.dtype]
    total, sizes = {}, {}
    for step, found in enumerate(zip(*answers, strict=True)):
        losses = joint_losses(net, drawn, step, autocast)
        if not accumulate:
            total, sizes = {}, {}
        if losses:
            names, values, gramian, skipped = found[0][2]
            assert names == tuple(losses)
            for task, loss in losses.items():
                assert values[task] == pytest.approx(loss.item(), rel=tolerance)
            expected = naive.step(losses, incoming, gramian)
            if not expected.is_finite:  # in float16; how soon a sum overflows is a matter of its order
                its = [*found[0][0].values()]
                assert naive.second is None or skipped == any(not gradient.isfinite().all() for gradient in its)
                return
            assert not skipped
            if gramian is not None:
                sizes_of = torch.outer(expected.norms, expected.norms)
                assert ((gramian - expected.gramian).abs() <= 4 * tolerance * sizes_of).all()
            for p, gradient in expected.gradients.items():
                total[p] = total.get(p, 0.0) + gradient
                sizes[p] = sizes.get(p, 0.0) + expected.sizes[p]
        for gradients, own, _ in found:
            for p, gradient in gradients.items():
                if p not in total:
                    assert not gradient.any()  # DDP waits for a gradient, and nothing is one
                else:  # relative to all: one may be rounding alone, such as that of a bias below a batch norm
                    distance = float((gradient.double() - total[p]).norm())
                    assert distance <= tolerance * max(sizes.values()), (p, distance, sizes)
            assert total.keys() <= gradients.keys()
            if losses and not accumulate:
                assert_close([g.double() for g in own], [g.double() for g in expected.own], rtol=1e-4, atol=1e-6)
        for gradients, *_ in found[1:]:
            assert_close(gradients, found[0][0], rtol=0, atol=0)


def method_for(data, drawn):
    """A method that so many tasks can have; one that remembers coordinates has to see all of them in the first step."""
    num_tasks = len(drawn.counts[0])
    lacking = {"trimmed-mean"} if num_tasks < 3 else set()
    if len(frozenset().union(*drawn.steps[0])) < num_tasks:
        lacking |= {
            name
            for name in METHODS
            if any(getattr(p, "has_coordinate_state", False) for p in method_named(name).modules())
        }
    return data.draw(st.sampled_from([name for name in METHODS if name not in lacking]))


heads_of = st.sampled_from(["raw", "weighted"])
ROUTES = ["auto", "rows", "batched", "factored"]
UNBATCHED = ["auto", "rows", "factored"]  # PyTorch cannot batch a layer norm's backward under autocast


def route_for(data, name, routes):
    has_rows = name.split(", ")[-1] in ROWS
    return data.draw(st.sampled_from([route for route in routes if route != "factored" or not has_rows]))


def check_precisions(data):
    drawn = data.draw(networks(dtypes=(torch.float32, torch.float64, torch.bfloat16)))
    name, heads = method_for(data, drawn), data.draw(heads_of)
    answer = run(0, 1, drawn, name, heads, route_for(data, name, ROUTES))
    require_the_definition([answer], drawn, name, heads)


def check_accumulation(data):
    drawn = data.draw(networks())
    name, heads = method_for(data, drawn), data.draw(heads_of)
    answer = run(0, 1, drawn, name, heads, route_for(data, name, ROUTES), 0.5, None, True)
    require_the_definition([answer], drawn, name, heads, 0.5, None, True)


def check_autocast(data):
    drawn = data.draw(networks())
    name, heads = method_for(data, drawn), data.draw(heads_of)
    autocast = data.draw(st.sampled_from([torch.bfloat16, torch.float16]))
    incoming = 2.0 ** data.draw(st.integers(0, 12)) if autocast == torch.float16 else 1.0
    answer = run(0, 1, drawn, name, heads, route_for(data, name, UNBATCHED), incoming, autocast)
    require_the_definition([answer], drawn, name, heads, incoming, autocast)


def check_replicas(two, data):
    drawn = data.draw(networks(ranks=2, dtypes=(torch.float32, torch.float64)))
    name, heads = method_for(data, drawn), data.draw(heads_of)
    answers = two(run, drawn, name, heads, route_for(data, name, ["auto", "rows", "batched"]))
    require_the_definition(answers, drawn, name, heads)


CHECKS = [check_precisions, check_accumulation, check_autocast]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@searched(6)
@given(data=st.data())
def test_one_process_does_what_the_definition_says(check, data):
    check(data)


@searched(6)
@given(data=st.data())
def test_two_replicas_do_what_the_definition_says(two, data):
    check_replicas(two, data)


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@searched(75)
@given(data=st.data())
def test_one_process_does_what_the_definition_says_at_length(check, data):
    check(data)


@pytest.mark.slow
@searched(75)
@given(data=st.data())
def test_two_replicas_do_what_the_definition_says_at_length(two, data):
    check_replicas(two, data)
