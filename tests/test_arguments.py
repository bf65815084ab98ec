import math

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.arguments import each_within, one_per_task, task_index, whole_number, within


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1)", [0, 0.5, torch.tensor(0.25)], [-1e-9, 1, math.nan, math.inf]),
        ("(0, 1]", [1e-9, 1], [0, 1.001]),
        ("(0, inf)", [1e300], [0, math.inf, -math.inf]),
        ("(0, inf]", [math.inf], [0]),
        ("(-inf, inf)", [-5.0], [math.inf, math.nan]),
    ],
)
def test_an_interval_is_meant_as_it_is_written(interval, inside, outside):
    each_within(interval, shares=inside)
    for value in inside:
        within(interval, share=value)
    for value in outside:
        with pytest.raises(ValueError, match=r"^share must be in "):
            within(interval, share=value)
        with pytest.raises(ValueError, match=rf"^shares\[{len(inside)}\] must be in "):
            each_within(interval, shares=[*inside, value])


@pytest.mark.parametrize("value", ["0.5", None, [None], torch.zeros(1, 2), [0.5], [], {}, np.array([0.5])])
def test_what_is_no_number_is_refused_by_its_name(value):
    with pytest.raises(ValueError, match=r"^beta must be a number, got "):
        within("[0, 1)", alpha=0.5, beta=value)
    with pytest.raises(ValueError, match=r"^beta must be a number, got "):
        eq.RunningNorm(beta=value)


def test_whole_numbers_and_one_value_per_task():
    whole_number(1, steps=1, ramp=5)
    with pytest.raises(ValueError, match=r"^ramp must be a whole number, 1 or more, got 1.0"):
        whole_number(1, steps=1, ramp=1.0)
    one_per_task(2, weights=(1.0, None))
    with pytest.raises(ValueError, match=r"^weights must hold one value for each of 3 tasks, got \[1.0, None\]"):
        one_per_task(3, weights=(1.0, None))


@pytest.mark.parametrize("value", ["1.0", 1.0, None, torch.tensor(1.0), [], torch.ones(0), [[1.0]], torch.ones(1, 1)])
def test_what_is_no_sequence_of_numbers_is_refused_by_its_name(value):
    with pytest.raises(
        ValueError,
        match=r"^weights(\[0\])? must (be a sequence of numbers|hold a number for each task, got none|be a number)",
    ):
        each_within("(0, inf)", weights=value)


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("cagrad", "c", [0.5, 0.5]),
        ("dwa", "temperature", [2.0, 1.0]),
        ("gradnorm", "alpha", []),
        ("mean-norm", "beta", {}),
        ("krum", "byzantine", [1, 0]),
        ("krum", "byzantine", 0.5),
        ("pcgrad", "seed", [1, 2]),
        ("pcgrad", "seed", 1.5),
        ("amtl", "potential", []),
        ("nash-mtl", "preference", []),
        ("p-norm", "weights", []),
        ("graddrop", "leak", []),
        ("graddrop", "leak", "0.5"),
    ],
)
def test_a_method_refuses_what_its_argument_cannot_be_when_it_is_made(name, argument, value):
    with pytest.raises(ValueError, match=rf"^{argument} must "):
        eq.method(name, **{argument: value})


@pytest.mark.parametrize("make", [np.array, torch.tensor, tuple])
def test_numbers_of_each_task_come_in_any_sequence(make):
    for name in ("p-norm", "stch", "tchebycheff"):
        assert len(eq.method(name, weights=make([1.0, 2.0]), reference=make([0.0, 0.1])).weights) == 2
    assert eq.GradDrop(leak=make([0.0, 0.5])).leak == (0.0, 0.5)


def test_a_count_may_be_any_whole_number():
    assert eq.method("krum", byzantine=np.int64(1)).byzantine == 1
    assert eq.method("pcgrad", seed=np.int64(3)).seed == 3


@pytest.mark.parametrize("value", [-1, 2, 0.5, "0", None, [0]])
def test_an_index_is_of_one_of_the_tasks(value):
    task_index(2, main=0, primary=np.int64(1))
    with pytest.raises(ValueError, match=r"^main must be the index of one of 2 tasks, from 0 to 1, got "):
        task_index(2, main=value)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("grad-cosine", "main"),
        ("hard-priority", "primary"),
        ("lr-annealing", "residual"),
        ("meta-balance", "main"),
        ("pcd", "primary"),
        ("vqgan", "adversarial"),
    ],
)
def test_a_method_says_of_how_many_tasks_its_index_is(name, argument):
    with pytest.raises(ValueError, match=rf"^{argument} must be the index of one of 2 tasks, from 0 to 1, got 5"):
        eq.method(name, **{argument: 5}).bind(2)
    with pytest.raises(ValueError, match=rf"^{argument} must be a whole number, 0 or more, got 0.5"):
        eq.method(name, **{argument: 0.5})


def test_coba_names_the_limit_of_its_history():
    with pytest.raises(ValueError, match=r"^history must not be below warmup=5, got 3"):
        eq.CoBa(warmup=5, history=3)


@pytest.mark.parametrize(
    ("name", "argument"), [("igb", "base_epoch"), ("stch-mtl", "warmup"), ("excess-mtl", "warmup")]
)
def test_an_infinite_warmup_never_ends(name, argument):
    torch.manual_seed(0)
    net, data = torch.nn.Linear(4, 2), torch.randn(8, 4)
    balancer = eq.Balancer(eq.method(name, **{argument: math.inf}), net, tasks=["a", "b"])
    for _ in range(3):
        balancer(dict(zip("ab", net(data).square().mean(dim=0), strict=True))).backward()
        balancer.end_epoch()
    assert all(weight > 0 for weight in balancer.record.weights.values())
