"""Accelerate, which divides a loss for accumulation and scales it inside ``accelerator.backward``."""

import pytest
import torch
from by_hand import error, new_net, new_optimizer, train_by_hand, with_state
from problem import loader, make_tasks

import equipoise as eq

accelerate = pytest.importorskip("accelerate")
from accelerate.state import AcceleratorState, GradientState, PartialState  # noqa: E402
from accelerate_loop import train_epoch  # noqa: E402

FOREVER = float("inf")  # as max_norm: no clipping


@pytest.fixture(autouse=True)
def _no_state_of_another_test():
    yield
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()


def parts(method, accumulation=1, scaler=None, **options):
    AcceleratorState._reset_state()
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulation, **options)
    accelerator.scaler = scaler  # on a CPU it makes none
    raw = new_net()
    balancer = eq.Balancer(method, raw, tasks=make_tasks())
    net, optimizer, batches = accelerator.prepare(raw, new_optimizer(raw, balancer), loader())
    accelerator.register_for_checkpointing(balancer)
    return {"accelerator": accelerator, "net": net, "balancer": balancer, "optimizer": optimizer, "batches": batches}


def fit(accelerator, net, balancer, optimizer, batches, epochs=1, max_norm=FOREVER):
    for _ in range(epochs):
        train_epoch(accelerator, net, make_tasks(), balancer, optimizer, batches, max_norm)
    return net


@pytest.mark.parametrize(("accumulation", "max_norm"), [(1, FOREVER), (2, FOREVER), (2, 0.3)])
def test_it_trains_as_by_hand(accumulation, max_norm):
    net = fit(**parts(eq.MGDA(), accumulation), max_norm=max_norm)
    assert error(net, train_by_hand(accumulation=accumulation, max_norm=max_norm)) <= 1e-6


def test_bfloat16():
    net = fit(**parts(eq.MGDA(), 2, mixed_precision="bf16"), max_norm=0.3)
    assert error(net, train_by_hand(dtype=torch.bfloat16, accumulation=2, max_norm=0.3)) <= 1e-6


def test_a_scaler(monkeypatch):
    held = parts(eq.MGDA(), 2, scaler := torch.amp.GradScaler("cpu", init_scale=2.0**10))
    monkeypatch.setattr(accelerate.Accelerator, "mixed_precision", "fp16")  # else it clips without unscaling
    held["accelerator"].native_amp = True
    net = fit(**held, max_norm=0.3)
    assert error(net, train_by_hand(accumulation=2, max_norm=0.3)) <= 1e-6
    assert scaler.get_scale() == 2.0**10


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    whole = fit(**parts(with_state()), epochs=2)
    first = parts(with_state())
    fit(**first, epochs=1)
    first["accelerator"].save_state("stopped")
    second = parts(with_state())
    second["accelerator"].load_state("stopped")
    assert error(fit(**second), whole) == 0
    assert second["balancer"].record.step == 2 * 8
    forgetful = parts(with_state())
    forgetful["accelerator"].load_state("stopped")
    forgetful["balancer"].load_state_dict(parts(with_state())["balancer"].state_dict())
    assert error(fit(**forgetful), whole) > 1e-3  # the state matters
