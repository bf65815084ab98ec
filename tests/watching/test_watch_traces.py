"""What a watch could leave behind in a script, or break in it, and does not."""

import gc
import io
import random
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from equipoise.watching import ScriptWatch


def a_hook(*_):
    return None


@pytest.fixture
def weight():
    torch.manual_seed(0)
    return torch.randn(40, requires_grad=True)


def test_a_gradient_that_is_retained_is_the_scripts_own(weight):
    """``retain_grad`` adds up over passes."""
    with ScriptWatch(at=[1]):
        kept = weight * 2
        kept.retain_grad()
        (kept.sum() + kept.square().sum()).backward()
    assert torch.equal(kept.grad, 1 + 2 * kept.detach())
    assert "retain_grad" not in vars(torch.Tensor)


def test_a_model_with_hooks_is_saved_as_without():
    with ScriptWatch():
        model = nn.Linear(2, 2)
        model.register_full_backward_hook(a_hook)
        file = io.BytesIO()
        torch.save(model, file)
    found = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    assert list(found._backward_hooks.values()) == [a_hook]


def test_what_a_function_of_the_script_keeps_is_given_back(weight):
    """It may count its passes, empty a list, or scale what it saved in place, as fused cross-entropies do."""

    class Fused(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.passes, ctx.gradient, ctx.waiting = 0, torch.ones_like(x), [3.0]
            return x.sum()

        @staticmethod
        def backward(ctx, gradient):
            ctx.passes += 1
            if ctx.passes > 1:
                raise RuntimeError("this node is gone")
            return ctx.gradient.mul_(gradient * ctx.waiting.pop())

    with ScriptWatch(at=[1]) as watch:
        (2 * Fused.apply(weight) + weight.square().sum()).backward()
    assert watch.seen.problems == []
    assert torch.equal(weight.grad, 6 + 2 * weight.detach())


def test_random_numbers_of_python_and_numpy_stay(weight):
    """A checkpoint that drops layers draws them again."""

    def drop(x):
        return (x * random.random() * numpy.random.rand()).exp()

    def run():
        random.seed(0)
        numpy.random.seed(0)
        out = checkpoint(drop, weight, use_reentrant=False)
        (out.sin().sum() + out.square().sum()).backward()
        return random.random(), numpy.random.rand()

    plain = run()
    with ScriptWatch(at=[1]) as watch:
        assert run() == plain
    assert watch.seen.looks


def test_graphs_go_when_the_script_lets_them_go(weight):
    """Losses of a validation without ``no_grad``, and variables that a function deletes."""

    def validate():
        saved = weight.exp()
        loss = saved.mean() + weight.square().mean()
        gone = weakref.ref(saved)
        del saved, loss
        gc.collect()
        return gone() is None

    with ScriptWatch():
        assert validate()


def test_no_object_of_the_script_is_asked_or_ends_it(weight):
    """A mapping that reads a disk; a sum in code that no file holds."""

    class OnDisk(Mapping):
        __len__ = __iter__ = __getitem__ = lambda *_: pytest.fail("read")

    disk = OnDisk()
    with ScriptWatch(at=[1]) as watch:
        (weight.sum() + weight.exp().sum()).backward()
    assert watch.seen.problems == []
    assert disk is not None


def test_scripts_of_torchscript_are_compiled():
    def stacked(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x, x]).sum()

    with ScriptWatch():
        assert torch.jit.script(stacked)(torch.ones(1)) == 2


def test_tensors_in_a_generator_reach_backward(weight):
    with ScriptWatch(at=[1]):
        torch.autograd.backward(loss for loss in [weight.sum()])
    assert weight.grad is not None


def test_the_window_closes_over_a_line_that_is_over(weight):
    """A warm-up of nine calls does not keep the watch at its tenth forever."""
    with ScriptWatch() as watch:
        for _ in range(9):
            weight.sum().backward()
        for _ in range(40):
            weight.mean().backward()
        assert "__add__" not in vars(torch.Tensor)
    assert list(watch.seen.calls.values()) == [9, 40]


def test_buffers_that_hold_no_numbers_stop_no_look(weight):
    held = nn.Module()
    held.register_buffer("absent", torch.empty(3, device="meta"))
    with ScriptWatch(at=[1]) as watch:
        functional.relu(weight).sum().backward()
    assert watch.seen.problems == []
    assert held.absent.is_meta


def test_threads_that_train_at_once_keep_their_hooks():
    """A look of one silences no hook in the other's pass, and both end."""
    hits, failed = [], []

    def work():
        try:
            for _ in range(15):
                leaf = torch.randn(40, requires_grad=True)
                out = leaf * 2
                out.register_hook(hits.append)
                (out.sum() + out.exp().sum()).backward()
        except Exception as error:
            failed.append(error)

    with ScriptWatch(at=range(1, 40, 4)):
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert len(hits) == 45


def test_a_static_graph_reduces_in_its_own_pass(tmp_path):
    """DistributedDataParallel would queue its first reduction in a pass of the watch's."""

    def run():
        torch.manual_seed(0)
        model = nn.parallel.DistributedDataParallel(nn.Linear(4, 3), static_graph=True)
        for _ in range(2):
            model.zero_grad()
            out = model(torch.randn(5, 4))
            (out.square().mean() + out.abs().mean()).backward()
        return model.module.weight.grad

    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    try:
        plain = run()
        with ScriptWatch(at=[1, 2]) as watch:
            assert torch.equal(run(), plain)
    finally:
        torch.distributed.destroy_process_group()
    assert [look.step for look in watch.seen.looks] == [2]
    assert "static_graph" in watch.seen.problems[0]


COMPILED = """
import torch
from equipoise.watching import ScriptWatch

def compilations():
    torch._dynamo.reset()
    compiled = []

    @torch.compile(backend=lambda graph, _: compiled.append(graph) or graph.forward)
    def step(x):
        (x.square().sum() + x.abs().sum()).backward()

    for _ in range(12):
        step(torch.ones(4, requires_grad=True))
    return len(compiled)

plain = compilations()
with ScriptWatch(at=[1, 10]) as watch:
    assert compilations() == plain, plain
assert watch.seen.problems == []
assert [(look.step, len(look.parts)) for look in watch.seen.looks] == [(1, 2), (10, 2)]
assert all(__file__ in site for site in watch.seen.calls)
"""


@pytest.mark.slow
def test_a_step_that_is_compiled_with_its_backward_is_compiled_no_oftener(tmp_path):
    """And its losses are seen by the line that called it; in a process where nothing was compiled before."""
    (tmp_path / "step.py").write_text(COMPILED)
    done = subprocess.run([sys.executable, "step.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
