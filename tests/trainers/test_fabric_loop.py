"""Lightning Fabric; in its mixed precisions too, where gradients taken outside ``fabric.backward`` raise."""

import pytest
import torch
from by_hand import error, new_net, new_optimizer, train_by_hand, with_state
from problem import loader, make_tasks

import equipoise as eq

lightning = pytest.importorskip("lightning")
from fabric_loop import train_epoch  # noqa: E402
from lightning.fabric.plugins import MixedPrecision  # noqa: E402

FOREVER = float("inf")  # as max_norm: no clipping


def parts(method, **options):
    fabric = lightning.Fabric(accelerator="cpu", devices=1, **options)
    raw = new_net()
    balancer = eq.Balancer(method, raw, tasks=make_tasks())
    net, optimizer = fabric.setup(raw, new_optimizer(raw, balancer))
    return {"fabric": fabric, "net": net, "balancer": balancer, "optimizer": optimizer}


def fit(fabric, net, balancer, optimizer, epochs=1, **options):
    batches = fabric.setup_dataloaders(loader())
    for _ in range(epochs):
        train_epoch(fabric, net, make_tasks(), balancer, optimizer, batches, **options)
    return net


@pytest.mark.parametrize(("accumulation", "max_norm"), [(1, FOREVER), (2, FOREVER), (2, 0.3)])
def test_it_trains_as_by_hand(accumulation, max_norm):
    net = fit(**parts(eq.MGDA()), accumulation=accumulation, max_norm=max_norm)
    assert error(net, train_by_hand(accumulation=accumulation, max_norm=max_norm)) <= 1e-6


def test_bfloat16():
    net = fit(**parts(eq.MGDA(), precision="bf16-mixed"), max_norm=0.3)
    assert error(net, train_by_hand(dtype=torch.bfloat16, accumulation=2, max_norm=0.3)) <= 1e-6


def test_half_precision_with_a_scaler():
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    net = fit(**parts(eq.MGDA(), plugins=[MixedPrecision("16-mixed", "cpu", scaler)]), max_norm=0.3)
    assert error(net, train_by_hand(dtype=torch.float16, accumulation=2, max_norm=0.3)) <= 1e-3
    assert scaler.get_scale() == 2.0**10


def test_trap_gradients_taken_outside_fabric_backward_raise():
    """What a balancer that differentiates in its call would meet; ours differentiates inside ``fabric.backward``."""
    held = parts(eq.MGDA(), precision="bf16-mixed")
    loss = held["net"](next(iter(loader()))["x"])["price"].sum()
    with pytest.raises(RuntimeError, match=r"fabric\.backward"):
        torch.autograd.grad(loss, held["net"].module.trunk[0].weight)


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    whole = fit(**parts(with_state()), epochs=2)
    first = parts(with_state())
    fit(**first, epochs=1)
    first["fabric"].save("stopped.ckpt", {name: first[name] for name in ("net", "balancer", "optimizer")})
    second, forgetful = parts(with_state()), parts(with_state())
    second["fabric"].load("stopped.ckpt", {name: second[name] for name in ("net", "balancer", "optimizer")})
    forgetful["fabric"].load("stopped.ckpt", {name: forgetful[name] for name in ("net", "optimizer")}, strict=False)
    assert error(fit(**second), whole) == 0
    assert second["balancer"].record.step == 2 * 8
    assert error(fit(**forgetful), whole) > 1e-3  # the state matters
