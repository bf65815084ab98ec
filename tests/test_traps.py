"""The traps that other libraries of gradient methods are known to fall into, and the test that covers each here.

Only those that concern the engine; what concerns one method is tested with it. A name after ``::`` is a test, or a
network of the zoo that the tests of delivery run on every route.
"""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq

TESTS = Path(__file__).parent
ZOO, BALANCER, PRECISION = "gradients/architectures.py", "test_balancer.py", "training_setups/test_precision.py"
COMPILE, CLIPPING = "training_setups/test_compile.py", "training_setups/test_clipping_and_hooks.py"
ADAPTERS, CHECKPOINTS = "training_setups/test_adapters.py", "training_setups/test_checkpointing.py"
HERE = "test_traps.py"

TRAPS = {
    # TorchJD
    "an absolute epsilon turns small gradients into the mean, or freezes": [
        f"{BALANCER}::test_the_balance_does_not_depend_on_the_scale_of_all_gradients",
        "gradients/test_jacobian.py::test_the_gramian_neither_vanishes_nor_overflows",
    ],
    "under a GradScaler the answer depends on the loss scale": [
        f"{PRECISION}::test_the_loss_scale_changes_neither_weights_nor_the_gramian_nor_the_steps"
    ],
    "an overflow raises, so that GradScaler cannot skip the step": [
        f"{PRECISION}::test_an_overflow_skips_the_step_and_leaves_the_state",
        f"{BALANCER}::test_grad_scaler_skips_an_overflow_and_trains_on",
    ],
    "NaN stays in a method's state for ever": [
        f"{BALANCER}::test_a_gradient_that_is_not_finite_goes_through_and_moves_no_state"
    ],
    "weights tied across modules": [f"{ZOO}::tied_weights"],
    "a parent that uses its child's parameters directly": [f"{ZOO}::weight_in_out", f"{ZOO}::product_of_parameters"],
    "a common block after the representation": [f"{HERE}::test_a_common_block_after_the_representation"],
    "a skip connection past the representation": [f"{ZOO}::skip_around"],
    "the same loss for two tasks": [f"{HERE}::test_one_loss_may_be_that_of_two_tasks"],
    "parameters that some tasks share": [f"{ZOO}::shared_by_some"],
    "rows of an earlier step that zero_grad does not clear": [
        f"{BALANCER}::test_a_step_leaves_nothing_behind",
        f"{CLIPPING}::test_gradients_of_the_step_before",
    ],
    "a compiled trunk": [f"{COMPILE}::test_after_compile_safe_equal_to_eager"],
    "a compiled trunk from another program's cache": [
        f"{COMPILE}::test_a_cache_on_disk_that_another_programme_has_warmed"
    ],
    "an intermediate with retain_grad() gets a batched tensor": [f"{HERE}::test_a_retained_gradient_is_a_plain_tensor"],
    "LSTM and GRU": ["training_setups/test_checkpointing.py::test_recurrence", f"{ZOO}::recurrent"],
    "dropout": [f"{CHECKPOINTS}::test_a_dropout_mask_is_the_same_for_all_tasks"],
    "checkpointing": [f"{CHECKPOINTS}::test_non_reentrant_checkpointing_is_exact"],
    "sparse embeddings": [f"{ADAPTERS}::test_a_sparse_embedding_has_the_gradient_of_a_dense_one_and_keeps_it_sparse"],
    "DDP that is not told of the gradients": [
        "distributed/test_replicas.py::test_two_ranks_train_as_one_process_on_the_joint_batch"
    ],
    # LibMTL and its siblings
    "A1: K backward passes through every head, so K² in all": [f"{HERE}::test_a_head_is_passed_once"],
    "A2: an infinite derivative in one head makes other tasks NaN": [
        f"{HERE}::test_an_infinite_derivative_of_one_head_spares_the_others"
    ],
    "A3: what one task has of its own inside the encoder is never trained": [
        f"{HERE}::test_a_task_s_own_layer_inside_the_encoder_is_trained"
    ],
    "A3: one task's gradient contains another's": ["gradients/test_delivery.py::test_rows_deliver_their_definition"],
    "A4: a representation with a loss weighting leaves the encoder untrained": [
        f"{HERE}::test_a_loss_weighting_trains_the_trunk_below_a_representation"
    ],
    "A5: heads are weighted by some methods and not by others": [
        "gradients/test_delivery.py::test_rows_deliver_their_definition",
        f"{HERE}::test_heads_are_weighted_where_it_is_said_and_nowhere_else",
    ],
    "B7, B13, B14: reported weights that are not those applied": [
        f"{HERE}::test_the_recorded_weights_are_those_applied"
    ],
    "B11: the second forward of a method is counted as a step": [f"{HERE}::test_what_comes_after_a_step_is_no_step"],
    "B12: frozen heads crash": [f"{ADAPTERS}::test_a_layer_frozen_and_later_unfrozen"],
    "B14: graphs are kept after the step": [f"{BALANCER}::test_the_graph_is_freed_by_the_backward"],
    "B15: an encoder has to be called encoder": [f"{ZOO}::own_encoders"],
    "B17: a loss that goes backward on its own is erased": [f"{BALANCER}::test_another_loss_may_share_the_graph"],
    "B21: parameters without a gradient": [f"{ZOO}::frozen_and_unused"],
    "D: clipping before the backward does nothing": [f"{CLIPPING}::test_clipping_meets_the_balanced_gradient"],
    "D: the graph is retained on the last pass too": [
        f"{BALANCER}::test_the_shared_part_of_the_graph_is_freed_while_the_losses_are_held"
    ],
}


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_its_tests(trap):
    for reference in TRAPS[trap]:
        path, name = reference.split("::")
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{trap}: {path} has no {name}"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.after = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 8)
        self.heads = nn.ModuleDict({"a": nn.Linear(8, 1), "b": nn.Linear(8, 1)})

    def forward(self, x):
        z = self.trunk(x)
        return z, {name: (head(self.after(z)) - 1).square().mean() for name, head in self.heads.items()}


def made(method=None, tasks=("a", "b"), **arguments):
    torch.manual_seed(0)
    net = Net()
    return net, torch.randn(6, 4), eq.Balancer(method or eq.MGDA(), net, tasks=tasks, **arguments)


def test_a_common_block_after_the_representation():
    """It is weighted as the trunk is: sum_k w_k g_k."""
    net, x, balancer = made()
    z, losses = net(x)
    balancer(losses, representation=z).backward()
    weights = balancer.record.weights
    expected, _ = made()[:2]
    _, theirs = expected(x)
    (weights["a"] * theirs["a"] + weights["b"] * theirs["b"]).backward()
    for name, p in expected.named_parameters():
        if not name.startswith("heads"):
            assert_close(net.get_parameter(name).grad, p.grad, msg=name)


def test_one_loss_may_be_that_of_two_tasks():
    net, x, balancer = made(eq.Sum())
    _, losses = net(x)
    balancer({"a": losses["a"], "b": losses["a"]}).backward()
    twice = net.trunk[0].weight.grad.clone()
    net, x, balancer = made(eq.MGDA())
    _, losses = net(x)
    balancer({"a": losses["a"], "b": losses["a"]}).backward()
    assert_close(net.trunk[0].weight.grad, twice)  # two of one gradient, as long as their sum


@pytest.mark.parametrize("route", ["auto", "rows", "factored"])
def test_a_retained_gradient_is_a_plain_tensor(route):
    net, x, balancer = made(route=route)
    z, losses = net(x)
    z.retain_grad()
    balancer(losses).backward()
    if z.grad is not None:
        assert z.grad.shape == z.shape
        assert float(z.grad.sum()) == float(z.grad.sum())


@pytest.mark.parametrize("route", ["auto", "rows", "factored"])
def test_a_head_is_passed_once(route):
    """By every method that takes gradients; the trunk once for each task, or once for all."""
    net, x, balancer = made(route=route)
    _, losses = net(x)
    passed = []
    for name, loss in losses.items():
        loss.grad_fn.next_functions[0][0].register_hook(lambda *_, name=name: passed.append(name))
    balancer(losses).backward()
    assert sorted(passed) == ["a", "b"]


def test_an_infinite_derivative_of_one_head_spares_the_others():
    """The step is skipped as a whole; what reaches the other head is its own finite gradient."""
    net, x, balancer = made()
    z, losses = net(x)
    losses["b"] = losses["b"] + (net.heads["b"](z) * 0).abs().sqrt().sum()  # 0 · inf
    balancer(losses).backward()
    assert balancer.record.skipped
    assert net.heads["a"].weight.grad.isfinite().all()
    assert not net.heads["b"].weight.grad.isfinite().all()


def test_a_task_s_own_layer_inside_the_encoder_is_trained():
    net, x, balancer = made()
    net.trunk.own = nn.Linear(8, 8)  # the trunk's module, one task's parameter

    def losses():
        z = net.trunk[1](net.trunk[0](x))
        return {"a": net.heads["a"](net.trunk.own(z)).square().mean(), "b": net.heads["b"](z).square().mean()}

    (expected,) = torch.autograd.grad(losses()["a"], [net.trunk.own.weight])
    balancer(losses()).backward()
    assert float(expected.norm()) > 0
    assert_close(net.trunk.own.weight.grad, expected)


@pytest.mark.parametrize("method", [eq.Sum, eq.UW, eq.DWA, lambda: eq.method("gls"), lambda: eq.method("famo")])
def test_a_loss_weighting_trains_the_trunk_below_a_representation(method):
    found = []
    for at_representation in (False, True):
        net, x, balancer = made(method())
        z, losses = net(x)
        balancer(losses, representation=z if at_representation else None).backward()
        found.append(net.trunk[0].weight.grad)
    assert float(found[0].norm()) > 0
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("method", ["mgda", "nash-mtl", "fairgrad", "upgrad", "pcgrad"])
def test_heads_are_weighted_where_it_is_said_and_nowhere_else(method, heads):
    net, x, balancer = made(eq.method(method), heads=heads)
    _, losses = net(x)
    balancer(losses).backward()
    weights = balancer.record.weights
    other, _ = made()[:2]
    sum(other(x)[1].values()).backward()
    for name in ("a", "b"):
        factor = weights[name] if heads == "weighted" else 1.0
        assert_close(net.heads[name].weight.grad, factor * other.heads[name].weight.grad)


@pytest.mark.parametrize("method", ["gls", "stch", "famo", "dwa", "mgda", "gradnorm"])
def test_the_recorded_weights_are_those_applied(method):
    net, x, balancer = made(eq.method(method))
    for _ in range(2):
        net.zero_grad()
        _, losses = net(x)
        balancer(losses).backward()
    weights = balancer.record.weights
    other, _ = made()[:2]
    _, theirs = other(x)
    sum(weights[name] * loss for name, loss in theirs.items()).backward()
    assert_close(net.trunk[0].weight.grad, other.trunk[0].weight.grad, rtol=1e-4, atol=1e-6)


def test_what_comes_after_a_step_is_no_step():
    net, x, balancer = made(eq.method("famo"))
    balancer(net(x)[1]).backward()
    before = balancer.record
    with torch.no_grad():
        balancer.after_step(net(x)[1])
    assert balancer.record is before
    assert balancer.record.step == 1
