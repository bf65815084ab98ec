import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from equipoise.lab.training.workers import Event, Workers, run_jobs

pytestmark = pytest.mark.slow  # each worker is a fresh interpreter that imports torch


def work(item, report):
    report("begun", os.getpid())
    if item == "hangs":
        threading.Event().wait()
    if item == "raises":
        raise ValueError("two\nlines")
    if item == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return (item.upper(), os.getpid())


def test_a_failure_costs_its_own_item_and_workers_live_on():
    others = set(multiprocessing.active_children())  # of other tests
    events = list(run_jobs(work, ["a", "raises", "b", "dies", "c"], jobs=1))
    kinds = [(event.kind, event.item) for event in events if event.kind != "progress"]
    assert kinds == [
        (kind, item)
        for item, end in (
            ("a", "finished"),
            ("raises", "failed"),
            ("b", "finished"),
            ("dies", "failed"),
            ("c", "finished"),
        )
        for kind in ("started", end)
    ]
    lines = {event.item: event.details[0] for event in events if event.kind == "failed"}
    assert lines["raises"] == "ValueError: two lines"
    assert "signal 9" in lines["dies"]
    traces = {event.item: event.details[1] for event in events if event.kind == "failed"}
    assert "in work" in traces["raises"]
    made = {event.item: event.details[0] for event in events if event.kind == "finished"}
    assert {item: value for item, (value, _) in made.items()} == {"a": "A", "b": "B", "c": "C"}
    assert Event("progress", "a", ("begun", made["a"][1])) in events
    assert made["a"][1] == made["b"][1] != made["c"][1]
    assert set(multiprocessing.active_children()) == others


def policy(item, report):
    return os.environ["OMP_WAIT_POLICY"]


@pytest.mark.parametrize(("given", "found"), [(None, "passive"), ("active", "active")])
def test_threads_of_workers_do_not_spin_unless_asked_to(given, found, monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    (_, finished) = run_jobs(policy, ["a"], jobs=1)
    assert finished.details == (found,)
    assert os.environ.get("OMP_WAIT_POLICY") == given


def gpus(item, report):
    if item == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def pretend_gpus(count, given, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)


@pytest.mark.parametrize(
    ("count", "given", "found"),
    [(2, "5,3", ["5", "3"]), (0, None, [None] * 2)],
)
def test_each_worker_sees_a_gpu_of_its_own_where_there_are_several(count, given, found, monkeypatch):
    pretend_gpus(count, given, monkeypatch)
    seen = {event.item: event.details[0] for event in run_jobs(gpus, ["a", "b"], jobs=2) if event.kind == "finished"}
    assert [seen["a"], seen["b"]] == found
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == given


def test_who_takes_the_place_of_a_dead_worker_takes_its_gpu(monkeypatch):
    pretend_gpus(2, None, monkeypatch)
    ends = [event.details[0] for event in run_jobs(gpus, ["dies", "a"], jobs=1) if event.kind != "started"]
    assert ends[1:] == ["0"]


def test_closing_kills_the_workers():
    others = set(multiprocessing.active_children())  # of other tests
    with closing(run_jobs(work, ["a", "b", "c"], jobs=2)) as events:
        assert next(events).kind == "started"
        assert next(events).kind == "started"
        assert len(set(multiprocessing.active_children()) - others) == 2
    assert set(multiprocessing.active_children()) == others


def double(item, report):
    return (2 * item, os.getpid())


def test_workers_go_on_with_other_work_and_end_when_closed():
    others = set(multiprocessing.active_children())  # of other tests
    with closing(Workers()) as workers:
        _, first = (event.details[0] for event in workers.run(work, ["a", "b"], 1) if event.kind == "finished")
        (second,) = (event.details[0] for event in workers.run(double, [3], 1) if event.kind == "finished")
        assert second == (6, first[1])
        with closing(workers.run(work, ["hangs"], 1)) as events:
            assert next(events).kind == "started"
        assert set(multiprocessing.active_children()) == others  # who was busy when nobody listened any more is gone
        (third,) = (event.details[0] for event in workers.run(double, [4], 1) if event.kind == "finished")
        assert third[0] == 8
    assert set(multiprocessing.active_children()) == others


def test_workers_die_with_a_parent_that_was_killed():
    code = (
        "from equipoise.lab.training.workers import run_jobs; from test_workers import work\n"
        "for event in run_jobs(work, ['hangs'], jobs=1): print(*event.details, flush=True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    )
    assert parent.stdout.readline() == "\n"  # started
    worker = int(parent.stdout.readline().split()[1])
    parent.kill()
    try:
        parent.communicate(timeout=30)  # the worker holds the pipe as long as it lives
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
