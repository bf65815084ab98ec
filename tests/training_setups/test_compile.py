"""A compiled graph is passed several times where it allows that, and refused where it does not."""

import copy
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from plain_autograd import METHODS, NAMES, bound, data_of, error, gradients_of, losses_of, net_of, reference
from torch import nn

import equipoise as eq
from equipoise.torch_private import compiling


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """PyTorch's own settings before and after, and nothing compiled."""
    from torch._functorch import config
    from torch.compiler import config as cache

    entries = [config._config["donated_buffer"], cache._config["cache_key_tag"]]
    before = [entry.env_value_default for entry in entries]
    torch.compiler.reset()
    monkeypatch.setattr(compiling, "_first_safe", [sys.maxsize])
    with config.patch(donated_buffer=True), cache.patch(cache_key_tag=""):
        yield
    for entry, value in zip(entries, before, strict=True):
        entry.env_value_default = value
    torch.compiler.reset()


def compiled_net(eager, what):
    """A copy, with the trunk or all of it compiled; without the code generator, which the warm cache is tested with."""
    net = copy.deepcopy(eager)
    if what == "all":
        net.compile(backend="aot_eager")
    else:
        net.trunk = torch.compile(net.trunk, backend="aot_eager")
    return net


def balanced(net, method, names=NAMES, **arguments):
    x, targets = data_of()
    balancer = eq.Balancer(method, net, tasks=NAMES, **arguments)
    net.zero_grad()
    balancer(losses_of(net(x), targets, names)).backward()
    return balancer


def expected_of(eager, name, names=NAMES):
    x, targets = data_of()
    return reference(bound(METHODS[name]), losses_of(eager(x), targets, names), eager)


@pytest.mark.parametrize("what", ["trunk", "all"])
def test_after_compile_safe_equal_to_eager(what):
    eager = net_of()
    eq.compile_safe()
    net = compiled_net(eager, what)
    for name, make in METHODS.items():
        balancer = balanced(net, make())
        assert error(gradients_of(net), expected_of(eager, name)) < 1e-6, name
        if name not in ("sum", "uw"):
            assert balancer.record.route.startswith("rows")  # a compiled graph shows no layers


def test_a_loss_weighting_needs_no_setting():
    eager = net_of()
    net = compiled_net(eager, "all")
    balanced(net, eq.UW())
    assert error(gradients_of(net), expected_of(eager, "uw")) < 1e-6


@pytest.mark.parametrize("what", ["trunk", "all"])
def test_without_it_refused_with_the_fix(what):
    with pytest.raises(RuntimeError, match=r"call eq\.compile_safe\(\) before the model is compiled"):
        balanced(compiled_net(net_of(), what), eq.MGDA())


def test_what_was_compiled_before_is_refused_and_then_compiled_anew():
    eager = net_of()
    net = compiled_net(eager, "trunk")
    x, targets = data_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    before = losses_of(net(x), targets)
    eq.compile_safe()
    with pytest.raises(RuntimeError, match=r"eq\.compile_safe\(\)"):
        balancer(before)
    balancer(losses_of(net(x), targets)).backward()
    assert error(gradients_of(net), expected_of(eager, "mgda")) < 1e-6


def test_the_settings_alone_do_not_make_an_old_artefact_safe():
    from torch._functorch import config

    config.donated_buffer = False  # without the tag: the cache on disk may hold anything
    with pytest.raises(RuntimeError, match=r"eq\.compile_safe\(\)"):
        balanced(compiled_net(net_of(), "trunk"), eq.MGDA())


def test_donation_turned_on_again_is_noticed():
    from torch._functorch import config

    eq.compile_safe()
    config.donated_buffer = True
    with pytest.raises(RuntimeError, match=r"eq\.compile_safe\(\)"):
        balanced(compiled_net(net_of(), "trunk"), eq.MGDA())
    eq.compile_safe()
    balanced(compiled_net(net_of(), "trunk"), eq.MGDA())


def test_the_settings_hold_in_every_thread_and_keep_a_user_s_tag():
    """On a GPU, autograd compiles backward passes in threads of its own."""
    from torch._functorch import config
    from torch.compiler import config as cache

    cache.cache_key_tag = "mine"
    eq.compile_safe()
    eq.compile_safe()
    seen = []
    thread = threading.Thread(target=lambda: seen.extend([config.donated_buffer, cache.cache_key_tag]))
    thread.start()
    thread.join()
    assert seen == [False, "mine-several-backward-passes"]
    assert cache.cache_key_tag == seen[1]


# A representation


@pytest.mark.parametrize("names", [NAMES, ["a", "b"], ["c"]], ids=str)
def test_a_compiled_trunk_below_a_representation_needs_no_setting(names):
    eager = net_of()
    x, targets = data_of()
    gradients = []
    for net in (eager, compiled_net(eager, "trunk")):
        balancer = eq.Balancer(eq.NashMTL(), net, tasks=NAMES)
        for step_names in (NAMES, names):
            net.zero_grad()
            z = net.trunk(x)
            balancer(losses_of(net.apply_heads(z), targets, step_names), representation=z).backward()
        gradients.append(gradients_of(net))
    assert error(gradients[1], gradients[0]) < 1e-6


def test_a_compiled_head_above_a_representation_is_refused():
    net = net_of()
    net.heads["a"] = torch.compile(net.heads["a"], backend="aot_eager")
    x, targets = data_of()
    z = net.trunk(x)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with pytest.raises(RuntimeError, match=r"eq\.compile_safe\(\)"):
        balancer(losses_of(net.apply_heads(z), targets), representation=z)


def test_a_leaf_below_the_trunk_that_each_task_asks_for_is_refused():
    net = compiled_net(net_of(), "trunk")
    x, targets = data_of()
    z = net.trunk(x.requires_grad_())
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    with pytest.raises(RuntimeError, match=r"eq\.compile_safe\(\)"):
        balancer(losses_of(net.apply_heads(z), targets), representation=z)


# Heads inside a compiled graph: there every loss seems to reach every parameter


def test_heads_in_a_compiled_graph_are_told_from_the_trunk():
    eager = net_of()
    eq.compile_safe()
    net = compiled_net(eager, "all")
    for heads in ("raw", "weighted"):
        for name in ("mgda", "nash-mtl"):
            one, other = (balanced(n, METHODS[name](), heads=heads) for n in (eager, net))
            assert error(gradients_of(net), gradients_of(eager)) < 1e-6
            assert other.record.weights == pytest.approx(one.record.weights, rel=1e-5)


def test_reused_weights_leave_the_heads_of_a_compiled_graph_raw():
    eager = net_of()
    eq.compile_safe()
    net = compiled_net(eager, "all")
    x, targets = data_of()
    for n in (eager, net):
        balancer = eq.Balancer(eq.Every(2, eq.MGDA()), n, tasks=NAMES)
        for _ in range(2):
            n.zero_grad()
            balancer(losses_of(n(x), targets)).backward()
    assert error(gradients_of(net), gradients_of(eager)) < 1e-6


def test_a_state_fits_the_uncompiled_model():
    """Who reached what is known by name, and a compiled module puts a word into names."""
    eager = net_of()
    eq.compile_safe()
    whole = torch.compile(copy.deepcopy(eager), backend="aot_eager")
    part = compiled_net(eager, "trunk")
    for trained, resumed in [(whole, eager), (part, eager), (eager, whole)]:
        state = balanced(trained, eq.UnitNorm()).state_dict()
        balancer = eq.Balancer(eq.UnitNorm(), resumed, tasks=NAMES)
        balancer.load_state_dict(state)
        x, targets = data_of()
        resumed.zero_grad()
        balancer(losses_of(resumed(x), targets, ["a"])).backward()
        assert balancer.record.weights["a"] != 1.0  # the trunk is known to be shared, though one task alone is there


def test_missing_tasks_in_a_compiled_graph():
    eager = net_of()
    eq.compile_safe()
    net = compiled_net(eager, "all")
    x, targets = data_of()
    balancers = [eq.Balancer(eq.MGDA(), n, tasks=NAMES) for n in (eager, net)]
    for names in (["a"], ["b", "c"], ["c"], NAMES):
        for n, balancer in zip((eager, net), balancers, strict=True):
            n.zero_grad(set_to_none=False)
            balancer(losses_of(n(x), targets, names)).backward()
        got, expected = gradients_of(net), gradients_of(eager)
        zeros = [torch.zeros_like(g) if e is None else e for g, e in zip(got, expected, strict=True)]
        assert error(got, zeros) < 1e-6


def test_a_record_of_a_loss_weighting_leaves_the_heads_out():
    eager = net_of()
    eq.compile_safe()
    net = compiled_net(eager, "all")
    one, other = (balanced(n, eq.Sum(), probe_every=1) for n in (eager, net))
    assert torch.allclose(other.record.gramian, one.record.gramian, rtol=1e-5)


def test_accumulation_on_a_compiled_graph():
    eager = net_of()
    eq.compile_safe()
    net = compiled_net(eager, "all")
    x, targets = data_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    for rows in (slice(0, 6), slice(6, 12)):
        (balancer(losses_of(net(x[rows]), {k: t[rows] for k, t in targets.items()})) / 2).backward()
    assert error(gradients_of(net), expected_of(eager, "mgda")) < 1e-6


def test_gramian_from_cannot_tell_heads_and_says_so():
    eq.compile_safe()
    net = compiled_net(net_of(), "all")
    with pytest.raises(ValueError, match="does not tell which parameters are one task's own"):
        balanced(net, eq.MGDA(), gramian_from=net.trunk[2])


# The step


@pytest.mark.parametrize("name", ["mgda", *(pytest.param(n, marks=pytest.mark.slow) for n in ("uw", "graddrop"))])
def test_a_compiled_step_with_its_backward(name):
    eager = net_of()
    eq.compile_safe()
    net = copy.deepcopy(eager)
    x, targets = data_of()
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)

    @torch.compile(backend="aot_eager")
    def step(x):
        balancer(losses_of(net(x), targets)).backward()

    step(x)
    assert error(gradients_of(net), expected_of(eager, name)) < 1e-6


@pytest.mark.slow
def test_a_cache_on_disk_that_another_programme_has_warmed(tmp_path):
    """torch 2.13 finds there a backward that writes over its buffers, and gives wrong gradients without a word."""
    script = Path(__file__).with_name("warm_cache.py")
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    for mode in ("warm", "use"):
        done = subprocess.run(
            [sys.executable, str(script), mode], env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr[-2000:]


def test_graph_breaks_leave_several_compiled_graphs():
    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(16, 16)

        def forward(self, x):
            x = torch.tanh(x)
            torch._dynamo.graph_break()
            return self.inner(x)

    eager = net_of(middle=Broken())
    eq.compile_safe()
    net = compiled_net(eager, "all")
    balanced(net, eq.MGDA())
    assert error(gradients_of(net), expected_of(eager, "mgda")) < 1e-6
