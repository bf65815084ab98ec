"""n micro-batches balanced once are the big batch balanced once."""

import copy
import pickle

import pytest
import torch
from plain_autograd import (
    GRADIENT_METHODS,
    METHODS,
    NAMES,
    bound,
    data_of,
    error,
    gradients_of,
    losses_of,
    net_of,
    reference,
)
from torch.testing import assert_close

import equipoise as eq


def part_of(targets, rows):
    return {name: target[rows] for name, target in targets.items()}


def run(net, balancer, pieces, names=None, counts=None, factor=None):
    """Backwards of micro-batches of the data."""
    x, targets = data_of()
    for i, rows in enumerate(pieces):
        losses = losses_of(net(x[rows]), part_of(targets, rows), NAMES if names is None else names[i])
        loss = balancer(losses, counts=None if counts is None else counts[i])
        (loss * (1 / len(pieces) if factor is None else factor[i])).backward()


def halves(n=3):
    return [slice(i * 12 // n, (i + 1) * 12 // n) for i in range(n)]


@pytest.mark.parametrize("name", METHODS)
def test_equal_to_the_big_batch(name):
    net = net_of()
    x, targets = data_of()
    expected = reference(bound(METHODS[name]), losses_of(net(x), targets), net)
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, halves())
    assert error(gradients_of(net), expected) < 1e-6
    assert balancer.record.step == 1
    assert_close(balancer.record.losses, {n: v.item() for n, v in losses_of(net(x), targets).items()})


@pytest.mark.parametrize("name", METHODS)
def test_state_and_trajectory_are_those_of_the_big_batch(name):
    nets, states = [], []
    for n in (1, 4):
        net = net_of()
        balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
        balancer.accumulate(n)
        parameters = [*net.parameters(), *balancer.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
        for _ in range(4):
            optimizer.zero_grad()
            run(net, balancer, halves(n))
            optimizer.step()
        nets.append([p.detach() for p in parameters])
        states.append(balancer.method.state_dict())
        assert balancer.get_extra_state()["steps"] == 4
    assert_close(nets[0], nets[1], rtol=1e-5, atol=1e-6)
    assert_close(states[0], states[1], rtol=1e-4, atol=1e-6, equal_nan=True)


def test_an_objective_weighs_heads_once_whatever_is_said_of_heads():
    delivered = []
    for n in (1, 3):
        net = net_of()
        balancer = eq.Balancer(eq.Fixed([1.0, 2.0, 3.0]), net, tasks=NAMES, heads="weighted")
        balancer.accumulate(n)
        run(net, balancer, halves(n))
        delivered.append(gradients_of(net))
    assert error(*delivered) < 1e-6


def test_each_micro_batch_balanced_is_the_default_and_something_else():
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    run(net, balancer, halves())
    assert balancer.record.step == 3
    parts = [reference(bound(eq.MGDA), losses_of(net(x[r]), part_of(targets, r)), net) for r in halves()]
    assert error(gradients_of(net), [sum(gs) / 3 for gs in zip(*parts, strict=True)]) < 1e-6
    assert error(gradients_of(net), reference(bound(eq.MGDA), losses_of(net(x), targets), net)) > 1e-2


def test_zeros_until_the_last_micro_batch():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, halves()[:2], factor=[1 / 3, 1 / 3])
    assert balancer.waiting == 2
    with pytest.raises(RuntimeError, match="2 of 3 micro-batches wait"):
        balancer.record  # noqa: B018
    assert all(p.grad is not None and not p.grad.any() for p in net.parameters())


def test_what_is_in_grad_already_stays():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, halves())
    once = gradients_of(net)
    run(net, balancer, halves())
    assert_close(gradients_of(net), [2 * g for g in once])


@pytest.mark.parametrize("name", METHODS)
def test_micro_batches_of_unequal_size_are_weighed_by_counts(name):
    net = net_of()
    x, targets = data_of()
    pieces = [slice(0, 2), slice(2, 9), slice(9, 12)]
    expected = reference(bound(METHODS[name]), losses_of(net(x), targets), net)
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, pieces, counts=[dict.fromkeys(NAMES, p.stop - p.start) for p in pieces])
    assert error(gradients_of(net), expected) < 2e-6


@pytest.mark.parametrize("name", METHODS)
def test_weighing_by_hand_needs_no_counts(name):
    net = net_of()
    x, targets = data_of()
    pieces = [slice(0, 2), slice(2, 9), slice(9, 12)]
    expected = reference(bound(METHODS[name]), losses_of(net(x), targets), net)
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, pieces, factor=[2 / 12, 7 / 12, 3 / 12])
    assert error(gradients_of(net), expected) < 2e-6
    assert balancer.record.losses["a"] == pytest.approx(losses_of(net(x), targets)["a"].item())


def losses_by_labels(net, present):
    """Each task's loss on the whole of its own labels."""
    x, targets = data_of()
    rows = {t: [r for names, r in zip(present, halves(), strict=True) if t in names] for t in NAMES}
    labelled = {t: torch.cat([torch.arange(r.start, r.stop) for r in rs]) for t, rs in rows.items() if rs}
    return {t: losses_of(net(x[i]), part_of(targets, i), [t])[t] for t, i in labelled.items()}


PRESENT = [
    [["a"], ["a", "b"], ["c"]],  # the trunk is one task's own at first
    [["a", "b", "c"], [], ["b"]],
    [[], ["c"], ["a"]],
    [["b"], ["b"], ["b"]],
]


@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("present", PRESENT, ids=str)
@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_any_subset_of_tasks_in_any_micro_batch(name, present, heads):
    """A task's gradient is that of its own labels, wherever they are."""
    if name == "graddrop" and heads == "weighted":
        pytest.skip("a coordinate method has no weights")
    net = net_of()
    losses = losses_by_labels(net, present)
    method = bound(METHODS[name])
    expected = reference(method, losses, net)
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES, heads=heads)
    balancer._state.parameters.reached = {f"trunk.{n}": 0b111 for n, _ in net.trunk.named_parameters()}
    balancer.accumulate(3)
    run(net, balancer, halves(), names=present)
    if heads == "weighted":
        for i, (parameter, _) in enumerate(net.named_parameters()):
            if parameter.startswith("heads") and (task := parameter.split(".")[1]) in losses:
                expected[i] = expected[i] * balancer.record.weights[task]
    assert error(gradients_of(net), expected) < 2e-6
    assert list(balancer.record.losses) == list(losses)


@pytest.mark.parametrize("present", [PRESENT[0], [["a"], ["b"], ["c"]], [["b"], [], ["a"]]], ids=str)
def test_a_trunk_that_one_task_reached_first_becomes_shared_within_the_step(present):
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, halves(), names=present)
    assert error(gradients_of(net), reference(bound(eq.MGDA), losses_by_labels(net, present), net)) < 2e-6


def test_a_step_without_any_label_delivers_nothing():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    run(net, balancer, halves(2), names=[[], []])
    assert balancer.waiting == 0
    assert gradients_of(net) == [None] * len(list(net.parameters()))


def test_tasks_count_labels_by_themselves():
    tasks = eq.Tasks([eq.Task("a", torch.nn.MSELoss()), eq.Task("b", torch.nn.MSELoss())])
    net = net_of()
    x, targets = data_of()
    a = targets["a"].clone()
    a[:5] = torch.nan
    whole = eq.Balancer(eq.MGDA(), net, tasks=tasks)
    whole(tasks.losses(net(x), {"a": a, "b": targets["b"]})).backward()
    expected = gradients_of(net)
    net.zero_grad()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=tasks)
    balancer.accumulate(4)
    for r in halves(4):
        (balancer(tasks.losses(net(x[r]), {"a": a[r], "b": targets["b"][r]})) / 4).backward()
    assert error(gradients_of(net), expected) < 2e-6


def test_a_leaf_that_was_not_given_gets_the_gradient_of_the_total():
    net = net_of()
    x, targets = data_of()
    temperature = torch.tensor(2.0, requires_grad=True)

    def scaled(rows):
        losses = losses_of(net(x[rows]), part_of(targets, rows))
        return {name: loss * temperature for name, loss in losses.items()}

    balancer = eq.Balancer(eq.PCGrad(), net, tasks=NAMES)
    balancer.accumulate(3)
    for r in halves():
        (balancer(scaled(r)) / 3).backward()
    assert_close(temperature.grad, sum(losses_of(net(x), targets).values()).detach())


# Ends


def test_a_short_last_step_is_said_in_time():
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    balancer.accumulate(4)
    run(net, balancer, [slice(0, 6)], factor=[0.5])
    balancer.accumulate(balancer.waiting + 1)
    run(net, balancer, [slice(6, 12)], factor=[0.5])
    assert balancer.waiting == 0
    assert error(gradients_of(net), reference(bound(eq.NashMTL), losses_of(net(x), targets), net)) < 1e-6


def test_finish_delivers_what_waits():
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    balancer.accumulate(4)
    run(net, balancer, halves(3), factor=[1 / 3] * 3)
    (balancer.finish() * 17).backward()  # its own incoming gradient is of no effect: a scaler's is in the rows
    assert balancer.waiting == 0
    assert error(gradients_of(net), reference(bound(eq.NashMTL), losses_of(net(x), targets), net)) < 1e-6
    before = gradients_of(net)
    balancer.finish().backward()
    assert_close(gradients_of(net), before, rtol=0, atol=0)


def test_drop_forgets():
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, [slice(0, 12)] * 2, factor=[5.0, 7.0])
    balancer.drop()
    run(net, balancer, halves())
    assert error(gradients_of(net), reference(bound(eq.NashMTL), losses_of(net(x), targets), net)) < 1e-6


def test_a_step_in_between_is_told():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    run(net, balancer, halves()[:1])
    optimizer.step()
    with pytest.raises(RuntimeError, match=r"'trunk\.0\.weight' has changed while 1 micro-batches waited"):
        run(net, balancer, halves()[1:2])
    assert balancer.waiting == 0


def test_a_replaced_parameter_is_told():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, halves()[:1])
    net.trunk[0] = torch.nn.Linear(5, 16)
    with pytest.raises(RuntimeError, match=r"'trunk\.0\.weight' has changed"):
        run(net, balancer, halves()[1:2])


def test_two_forwards_before_a_backward_are_told():
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    first = balancer(losses_of(net(x), targets, ["a"]))
    second = balancer(losses_of(net(x), targets, ["b", "c"]))
    second.backward()
    with pytest.raises(RuntimeError, match="on each micro-batch before the balancer sees the next"):
        first.backward()


def test_counts_for_some_micro_batches_only_are_told():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    run(net, balancer, halves(2)[:1], counts=[dict.fromkeys(NAMES, 6)])
    with pytest.raises(ValueError, match="in every micro-batch of a step, or in none"):
        run(net, balancer, halves(2)[1:])


def test_what_cannot_be_accumulated_is_told():
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with pytest.raises(ValueError, match="micro_batches must be a positive number, got 0"):
        balancer.accumulate(0)
    balancer.accumulate(2)
    z = net.trunk(x)
    with pytest.raises(ValueError, match="representation has no use with accumulate"):
        balancer(losses_of(net.apply_heads(z), targets), representation=z)
    with pytest.raises(ValueError, match="no use with gramian_from"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES, gramian_from=net.trunk[2]).accumulate(2)
    run(net, balancer, halves()[:1])
    with pytest.raises(ValueError, match="1 wait already"):
        balancer.accumulate(1)


def test_validation_in_between_counts_for_nothing():
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, halves()[:1])
    with torch.no_grad():
        balancer(losses_of(net(x), targets))
    balancer(losses_of(net(x), targets))  # never goes backward
    run(net, balancer, halves()[1:], factor=[1 / 3] * 2)
    assert balancer.waiting == 0


def test_a_copy_and_a_pickle_start_with_none_waiting():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    run(net, balancer, halves()[:1])
    assert copy.deepcopy(balancer).waiting == 0
    assert pickle.loads(pickle.dumps(balancer)).waiting == 0


# With other things


def test_an_overflow_in_one_micro_batch_skips_the_step():
    net = net_of()
    balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
    balancer.accumulate(3)
    before = copy.deepcopy(balancer.method.state_dict())
    run(net, balancer, halves(), factor=[1.0, torch.inf, 1.0])
    assert balancer.record.skipped
    assert not all(g.isfinite().all() for g in gradients_of(net))
    assert_close(balancer.method.state_dict(), before, rtol=0, atol=0)
    net.zero_grad()
    run(net, balancer, halves())
    assert not balancer.record.skipped
    assert all(g.isfinite().all() for g in gradients_of(net))


@pytest.mark.parametrize("name", METHODS)
def test_weights_do_not_depend_on_the_loss_scale(name):
    results = []
    for scale in (1.0, 2.0**12):
        net = net_of()
        balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
        balancer.accumulate(3)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        x, targets = data_of()
        for r in halves():
            scaler.scale(balancer(losses_of(net(x[r]), part_of(targets, r))) / 3).backward()
        scaler.step(optimizer)
        results.append((balancer.record.weights, balancer.record.gramian, [p.detach() for p in net.parameters()]))
    assert_close(results[0], results[1], rtol=1e-6, atol=1e-7)


def test_the_room_of_the_rows_is_kept():
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    run(net, balancer, halves(2))
    room = balancer._state.accumulation._rows.row(0)[0].data_ptr()
    run(net, balancer, halves(2))
    assert balancer._state.accumulation._rows.row(0)[0].data_ptr() == room


def test_bfloat16_and_float32_parameters_side_by_side():
    net = net_of()
    net.trunk[2].to(torch.bfloat16)
    x, targets = data_of()

    def out(rows):
        z = torch.tanh(net.trunk[0](x[rows])).to(torch.bfloat16)
        return net.apply_heads(torch.tanh(net.trunk[2](z)).float())

    whole = eq.Balancer(eq.MGDA(), net, tasks=NAMES, route="rows")
    whole(losses_of(out(slice(0, 12)), targets)).backward()
    expected = gradients_of(net)
    net.zero_grad()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(3)
    for r in halves():
        (balancer(losses_of(out(r), part_of(targets, r))) / 3).backward()
    assert error(gradients_of(net), expected) < 3e-2


@pytest.mark.parametrize("name", ["sum", "uw", "mgda"])
def test_a_task_without_labels_in_a_micro_batch_is_absent_there(name):
    found = []
    for names, first in ((None, dict(zip(NAMES, (0, 3, 2), strict=False))), ([NAMES[1:], NAMES], None)):
        net = net_of()
        balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
        balancer.accumulate(2)
        later = dict.fromkeys(NAMES, 4)
        run(net, balancer, halves(2), names=names, counts=[first or {NAMES[1]: 3, NAMES[2]: 2}, later])
        found.append((gradients_of(net), balancer.record))
    assert error(found[0][0], found[1][0]) == 0
    assert found[0][1].losses == found[1][1].losses


@pytest.mark.parametrize("count", [-1.0, float("nan"), float("inf")])
def test_a_count_that_is_none_of_labels_is_told(count):
    net = net_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    with pytest.raises(ValueError, match=f"counts of task '{NAMES[0]}' must be 0 or more labels"):
        run(net, balancer, halves(2), counts=[dict.fromkeys(NAMES, count)] * 2)


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise ArithmeticError("broken")


@pytest.mark.parametrize("name", ["sum", "mgda"])
def test_a_backward_that_breaks_off_leaves_nothing_waiting(name):
    nets = [net_of(), net_of()]
    x, targets = data_of()
    for breaks, net in enumerate(nets):
        balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
        balancer.accumulate(2)
        if breaks:
            run(net, balancer, halves(2)[:1])
            losses = losses_of(net(x), targets)
            losses[NAMES[2]] = Broken.apply(losses[NAMES[2]])
            with pytest.raises(ArithmeticError, match="broken"):
                balancer(losses).backward()
            assert balancer.waiting == 0
            net.zero_grad()
        run(net, balancer, halves(2))
    assert error(gradients_of(nets[1]), gradients_of(nets[0])) == 0


@pytest.mark.parametrize("kind", [torch.nn.Embedding, torch.nn.EmbeddingBag])
def test_a_table_that_its_layer_leaves_alone_may_wait(kind):
    model = torch.nn.ModuleDict({"table": kind(9, 6), "heads": torch.nn.Linear(6, 2)})
    balancer = eq.Balancer(eq.MGDA(), model, tasks=["a", "b"])
    balancer.accumulate(2)
    for _ in range(2):
        a, b = model["heads"](model["table"](torch.tensor([[1, 4]]))).square().flatten()[:2]
        (balancer({"a": a, "b": b}) / 2).backward()
    assert model["table"].weight.grad.any()


@pytest.mark.parametrize("kind", [torch.nn.Embedding, torch.nn.EmbeddingBag])
def test_a_table_that_its_layer_changes_is_refused_by_name(kind):
    """At once, as no micro-batch may wait; a table of one task alone is nobody's business."""
    model = torch.nn.ModuleDict({"table": kind(9, 6, max_norm=1.0), "heads": torch.nn.Linear(6, 2)})
    balancer = eq.Balancer(eq.MGDA(), model, tasks=["a", "b"])
    a, b = model["heads"](model["table"](torch.tensor([[1, 4]]))).square().flatten()[:2]
    balancer.accumulate(2)
    with pytest.raises(ValueError, match=r"the layer 'table', which scales its weights in each forward pass .max_norm"):
        balancer({"a": a, "b": b})
    balancer.accumulate(1)
    balancer({"a": a, "b": b}).backward()
