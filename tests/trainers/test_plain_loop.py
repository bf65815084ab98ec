"""The plain loop trains as the definition says, in every precision, and goes on as if it had never stopped."""

import pytest
import torch
from by_hand import error, flat, mgda, new_net, new_optimizer, rows, train_by_hand, with_state
from plain_loop import train_epoch
from problem import loader, make_tasks

import equipoise as eq

FOREVER = float("inf")  # as max_norm: no clipping


def parts(method):
    net = new_net()
    balancer = eq.Balancer(method, net, tasks=make_tasks())
    return {
        "net": net,
        "balancer": balancer,
        "optimizer": new_optimizer(net, balancer),
        "scaler": torch.amp.GradScaler("cpu"),
    }


def fit(net, balancer, optimizer, scaler, epochs=1, **options):
    for _ in range(epochs):
        train_epoch(net, make_tasks(), balancer, optimizer, scaler, loader(), **options)
    return net


@pytest.mark.parametrize(("accumulation", "max_norm"), [(1, FOREVER), (1, 0.3), (2, FOREVER), (4, 0.3)])
def test_it_trains_as_by_hand(accumulation, max_norm):
    net = fit(**parts(eq.MGDA()), accumulation=accumulation, max_norm=max_norm)
    assert error(net, train_by_hand(accumulation=accumulation, max_norm=max_norm)) <= 1e-6


@pytest.mark.parametrize(("dtype", "noise"), [(torch.bfloat16, 1e-6), (torch.float16, 1e-3)])
def test_mixed_precision_under_a_scaler(dtype, noise):
    """By hand there is no scaler, so small gradients in half precision round; bfloat16 has float32's range."""
    net = fit(**parts(eq.MGDA()), dtype=dtype, max_norm=0.3)
    assert error(net, train_by_hand(dtype=dtype, accumulation=2, max_norm=0.3)) <= noise
    assert error(net, train_by_hand(accumulation=2, max_norm=0.3)) > 1e-5  # it was another precision


def test_the_balance_is_not_the_sum_and_not_one_task():
    """Otherwise the tests of this folder would show little."""
    net = new_net()
    for batch in loader():
        weight, _ = mgda(net, *rows(net, batch))
        assert 0.02 < weight < 1.98
    assert error(train_by_hand(), train_by_hand(lambda *_: (1.0, 1.0))) > 1e-2
    assert error(train_by_hand(accumulation=2), train_by_hand(batch_size=16)) > 1e-3  # micro-batches are balanced


def test_an_overflow_is_skipped_and_leaves_the_method_as_it_was():
    held = parts(with_state())
    held["scaler"] = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    before = flat(held["net"]).clone()
    state = {name: value.clone() for name, value in held["balancer"].method.state_dict().items()}
    train_epoch(batches=[next(iter(loader()))], tasks=make_tasks(), dtype=torch.float16, accumulation=1, **held)
    assert held["balancer"].record.skipped
    assert held["scaler"].get_scale() == 2.0**126
    torch.testing.assert_close(flat(held["net"]), before, rtol=0, atol=0)
    torch.testing.assert_close(held["balancer"].method.state_dict(), state, rtol=0, atol=0)


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    whole = fit(**parts(with_state()), epochs=2)
    first = parts(with_state())
    fit(**first, epochs=1)
    torch.save({name: part.state_dict() for name, part in first.items()}, "checkpoint.pt")
    second, forgetful = parts(with_state()), parts(with_state())
    for name, state in torch.load("checkpoint.pt").items():
        second[name].load_state_dict(state)
        if name != "balancer":
            forgetful[name].load_state_dict(state)
    assert error(fit(**second), whole) == 0
    assert second["balancer"].record.step == 2 * 8
    assert error(fit(**forgetful), whole) > 1e-3  # the state matters
