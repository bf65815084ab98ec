"""Ignite's supervised trainer, with the balanced loss as its loss function."""

import pytest
import torch
from by_hand import error, new_net, new_optimizer, train_by_hand, with_state
from problem import loader, make_tasks

import equipoise as eq

pytest.importorskip("ignite")
from ignite.engine import Events
from ignite.handlers import Checkpoint, DiskSaver
from ignite_engine import make_engine

FOREVER = float("inf")  # as max_norm: no clipping


def parts(method, accumulation=1, max_norm=FOREVER):
    net = new_net()
    balancer = eq.Balancer(method, net, tasks=make_tasks())
    optimizer = new_optimizer(net, balancer)
    engine = make_engine(net, make_tasks(), balancer, optimizer, accumulation, max_norm)
    return {"engine": engine, "net": net, "balancer": balancer, "optimizer": optimizer}


def fit(held, epochs=1):
    held["engine"].run(loader(), max_epochs=epochs)
    return held["net"]


@pytest.mark.parametrize(("accumulation", "max_norm"), [(1, FOREVER), (2, FOREVER), (2, 0.3)])
def test_it_trains_as_by_hand(accumulation, max_norm):
    net = fit(parts(eq.MGDA(), accumulation, max_norm))
    assert error(net, train_by_hand(accumulation=accumulation, max_norm=max_norm)) <= 1e-6


def test_its_output_is_the_total_whatever_the_accumulation():
    held, shown = parts(eq.MGDA(), accumulation=2), []
    engine, balancer = held["engine"], held["balancer"]
    engine.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: shown.append((engine.state.output, balancer.record.total))
    )
    fit(held, epochs=1)
    for output, total in shown:
        assert output == pytest.approx(total)


def test_a_resumed_run_is_the_uninterrupted_one(folder):
    whole = fit(parts(with_state()), epochs=2)
    first = parts(with_state())
    first["engine"].add_event_handler(Events.COMPLETED, Checkpoint(first, DiskSaver("stopped")))
    fit(first, epochs=1)
    second = parts(with_state())
    (path,) = folder.glob("stopped/*")
    Checkpoint.load_objects(second, path)
    assert error(fit(second, epochs=2), whole) == 0
    assert second["balancer"].record.step == 2 * 8
    forgetful = parts(with_state())
    state = torch.load(path, weights_only=True)
    state["balancer"] = forgetful["balancer"].state_dict()
    Checkpoint.load_objects(forgetful, state)
    assert error(fit(forgetful, epochs=2), whole) > 1e-3  # the state matters
