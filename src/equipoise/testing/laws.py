"""The laws, one function each: called with what makes a method, silent or an AssertionError."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation import UnitNorm
from equipoise.chain import Chain
from equipoise.method import Aggregator, CoordinateAggregator, GroupAggregator, Method, Weighting
from equipoise.plain_sum import Sum
from equipoise.testing.network import NAMES, Network
from equipoise.testing.run import (
    BATCHES,
    NUM_TASKS,
    bound,
    gradient,
    require_close,
    require_equal,
    run,
    saved,
    situations,
)
from equipoise.weighting import Fixed

Make = Callable[[], Method]  # a new, unbound method at each call
Law = Callable[[Make], None]

_SCALES = (2.0**-66, 2.0**-33, 2.0**17, 2.0**50)  # 1e-20 to 1e15; powers of two, so that scaling rounds nothing
_ORDER = [3, 0, 4, 1, 2]
_STEADY, _PATIENCE = 3, 400  # steps in which equal gradients come again


def _named(law: Law) -> Law:
    """The law, with its name and the method's in the message of whatever it raises."""

    @wraps(law)
    def checked(make: Make) -> None:
        try:
            law(make)
        except Exception as error:
            raise AssertionError(f"{make()!r} breaks the law {law.__name__!r}: {error}") from error

    return checked


@_named
def stays_finite(make: Make) -> None:
    """Finite rows give a finite gradient, however they lie."""
    for situation, rows in situations().items():
        shown = BATCHES[0].with_rows(rows)
        for name, step in (
            (situation, shown),
            (f"{situation}, two tasks present", shown.only([0, 3])),
            (f"{situation}, one task present", shown.only([2])),
        ):
            method = bound(make())
            for _ in range(2):
                assert gradient(method, step).isfinite().all(), f"gradient is not finite for rows: {name}"


@_named
def is_homogeneous(make: Make) -> None:
    """All losses times s > 0 give the gradient times s, or the same gradient: one of the two for every s."""
    batches = [*BATCHES, *(shown.only([0, 3]) for shown in BATCHES)]
    plain = run(bound(make()), batches)
    broken = []
    for degree in (1, 0):
        try:
            for scale in _SCALES:
                scaled = run(bound(make()), [shown.scaled(scale) for shown in batches])
                for actual, expected in zip(scaled, plain, strict=True):
                    require_close(actual / scale**degree, expected, f"degree {degree}, losses times {scale:.0e}")
            return
        except AssertionError as error:
            broken.append(str(error))
    raise AssertionError("; ".join(broken))


@_named
def ignores_task_order(make: Make) -> None:
    """Tasks that exchange their roles leave the gradient as it is."""
    exchanged = run(bound(make()), [shown.in_order(_ORDER) for shown in BATCHES])
    for actual, expected in zip(exchanged, run(bound(make())), strict=True):
        require_close(actual, expected, f"tasks in the order {_ORDER}")


@_named
def agrees_with_engine(make: Make) -> None:
    """A balancer on a network delivers the gradient that the method gives for rows found by plain autograd."""
    network, alone = Network(make()), bound(make())
    alone.match_sum()
    for seed, incoming in enumerate((1.0, 2.0**-40, 2.0**40)):
        expected = gradient(alone, network.batch(seed))
        delivered = network.delivered(network.losses(seed), incoming)
        require_close(delivered / incoming, expected, f"step {seed}, incoming gradient {incoming:.0e}")


@_named
def delivers_sum(make: Make) -> None:
    """At the scale of the sum, equal gradients of equal losses give their sum, within ``_PATIENCE`` steps and for good.

    That is, ``sum_factor`` is right, which may be ``None``.
    """
    for present in (list(range(NUM_TASKS)), [0, 3]):
        for scale in (1.0, 2.0**7):
            method, shown = bound(make()), BATCHES[0].in_order([0] * NUM_TASKS).scaled(scale).only(present)
            declared = method.sum_factor(len(present))
            if declared is None:
                return
            method.match_sum()
            total = shown.rows.sum(dim=0)
            for step in range(_PATIENCE):
                found = gradient(method, shown)
                is_there = bool((found - total).norm() <= 1e-6 * total.norm())
                if is_there and step >= _STEADY:
                    break
            else:
                ratio = float(found @ total / (total @ total))
                raise AssertionError(
                    f"{len(present)} equal gradients of length {float(shown.rows[0].norm()):.3g} give {ratio:.6g} of "
                    f"their sum at sum_factor({len(present)}) = {declared:.6g}: let it return {declared / ratio:.6g} "
                    'for them, or write own_norm = "what it is" in the class if the norm of its steps is its own'
                )


@_named
def leaves_input(make: Make) -> None:
    """Rows, gramian, losses and tasks are read, not written."""
    method = bound(make())
    for shown in BATCHES:
        if isinstance(method, GroupAggregator):
            matrix = shown.gramians(method)
        else:
            matrix = shown.rows.clone() if isinstance(method, CoordinateAggregator) else shown.rows @ shown.rows.T
        given = [matrix, shown.losses.clone(), shown.tasks.clone()]
        before = [tensor.clone() for tensor in given]
        method(*given[1:]) if isinstance(method, Weighting) else method(*given)
        require_equal(given, before, "the input after the call")


@_named
def resumes(make: Make) -> None:
    """A saved state loads into a new method, which continues bit for bit."""
    method, resumed = bound(make()), bound(make())
    run(method)
    resumed.load_state_dict(saved(method))
    require_equal(run(resumed), run(method), "gradients after resuming")
    require_equal(saved(resumed), saved(method), "state after resuming")


@_named
def leaves_absent_task(make: Make) -> None:
    """A step and an epoch without a task change nothing of its state, and ask nothing of its parameters."""
    method = make()
    network = Network(method)
    for seed in range(2):
        network.delivered(network.losses(seed))
        network.balancer.end_epoch()
    before = saved(method)
    method.zero_grad()
    network.delivered(network.losses(2, present=(0, 2, 3)))
    network.balancer.end_epoch()
    for name, value in saved(method).items():
        require_equal(_of_tasks(value, [1, 4]), _of_tasks(before[name], [1, 4]), f"{name} of absent tasks")
    for name, parameter in method.named_parameters():
        for part in [] if parameter.grad is None else _of_tasks(parameter.grad, [1, 4]):
            require_equal(part, torch.zeros_like(part), f"gradient of {name} of absent tasks")


@_named
def passes_non_finite(make: Make) -> None:
    """A gradient that is not finite reaches ``.grad``, and the backward pass moves no state.

    A loss weighting decides in the forward pass, so its state may have moved by then.
    """
    method = make()
    network = Network(method)
    for seed in range(2):
        network.delivered(network.losses(seed))
    kinds = Aggregator | GroupAggregator | CoordinateAggregator
    readers = [part for part in method.modules() if isinstance(part, kinds)]
    before = [saved(part) for part in readers if not isinstance(part, Chain)]
    losses = network.losses(2)
    value = losses[NAMES[1]]
    losses[NAMES[1]] = value + (value - value.detach()).square().sqrt()  # the same value; its gradient is NaN
    total = network.balancer(losses)
    forward = saved(method)
    network.trunk.grad = None
    total.backward()
    assert network.trunk.grad is not None, "the gradient did not reach .grad"
    assert not network.trunk.grad.isfinite().all(), "the gradient in .grad is finite"
    require_equal(saved(method), forward, "state after the backward pass")
    after = [saved(part) for part in readers if not isinstance(part, Chain)]
    require_equal(after, before, "state of the parts that see gradients")
    assert network.delivered(network.losses(3)).isfinite().all(), "the step after is not finite"


@_named
def chains(make: Make) -> None:
    """``Sum`` is the unit of ``Chain`` on either side, and a chain of chains is the chain of their steps."""
    alone = run(bound(make()))
    for chain in (Chain(make()), Chain(make(), Sum()), Chain(Sum(), make()), Chain(Sum(), Chain(make(), Sum()))):
        require_equal(run(bound(chain)), alone, "gradients in a chain with Sum")
    last = Sum() if isinstance(make(), GroupAggregator | CoordinateAggregator) else UnitNorm()
    first = Fixed([1.0 + k for k in range(NUM_TASKS)])
    flat = run(bound(Chain(first, make(), last)))
    require_equal(run(bound(Chain(Chain(first, make()), last))), flat, "gradients of (Fixed, method), UnitNorm")
    require_equal(run(bound(Chain(first, Chain(make(), last)))), flat, "gradients of Fixed, (method, UnitNorm)")


@_named
def prints_itself(make: Make) -> None:
    """``repr`` is the expression that makes the method again."""
    method = make()
    names = {kind.__name__: kind for part in method.modules() for kind in type(part).__mro__}
    again = eval(repr(method), names)
    assert type(again) is type(method), f"{method!r} makes a {type(again).__name__}"
    require_equal(run(bound(again)), run(bound(method)), "gradients of the method made again")


@_named
def draws_privately(make: Make) -> None:
    """The global random generators are neither used nor advanced."""
    runs = []
    with _global_generators_restored():
        for seed in (1, 2):
            torch.default_generator.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            before = _global_generators()
            runs.append(run(bound(make())))
            assert _global_generators() == before, "a global random generator has advanced"
    require_equal(runs[0], runs[1], "gradients under two global seeds")


@_named
def repeats(make: Make) -> None:
    """The same state and input give the same gradients, again and again."""
    method = bound(make())
    start = saved(method)
    first = run(method)
    for _ in range(2):
        method.load_state_dict(start)
        require_equal(run(method), first, "gradients from the same state")


LAWS: tuple[Law, ...] = (
    stays_finite,
    is_homogeneous,
    ignores_task_order,
    agrees_with_engine,
    delivers_sum,
    leaves_input,
    resumes,
    leaves_absent_task,
    passes_non_finite,
    chains,
    prints_itself,
    draws_privately,
    repeats,
)


def _of_tasks(state: Tensor, tasks: list[int]) -> list[Tensor]:
    """What of a state belongs to the given tasks: its slices along every dimension that counts tasks."""
    along = [dim for dim, size in enumerate(state.shape) if size == NUM_TASKS]
    return [state.index_select(dim, torch.tensor(tasks)) for dim in along]


def _global_generators() -> list[Any]:
    kind, keys, *rest = np.random.get_state()
    return [torch.get_rng_state().tolist(), random.getstate(), kind, list(keys), rest]


@contextmanager
def _global_generators_restored() -> Iterator[None]:
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
