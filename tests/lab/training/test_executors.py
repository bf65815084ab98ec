"""Executors that are not ours: what they bring back is what worker processes do, and what they lose is said."""

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from equipoise.lab.training.executors import executing, submitting
from equipoise.lab.training.workers import Event


def work(item, report):
    report(1, 2, 0.1, {"a": float("inf")})
    if item == "raises":
        raise ValueError("two\nlines")
    report(2, 2, 1 / 3, {"a": 0.25})
    return item.upper()


def test_progress_comes_back_in_order_and_an_error_with_its_trace(tmp_path):
    with ThreadPoolExecutor(1) as pool, executing(pool, tmp_path) as execute:
        events = list(execute(work, ["a", "raises", "b"], 1))
    told = [
        Event("progress", "a", (1, 2, 0.1, {"a": float("inf")})),
        Event("progress", "a", (2, 2, 1 / 3, {"a": 0.25})),
    ]
    assert [event for event in events if event.item == "a"] == [
        Event("started", "a"),
        *told,
        Event("finished", "a", ("A",)),
    ]
    (failed,) = [event for event in events if event.kind == "failed"]
    assert failed.details[0] == "ValueError: two lines"
    assert "in work" in failed.details[1]
    assert [event.kind for event in events if event.item == "b"][-1] == "finished"
    assert list(tmp_path.iterdir()) == []  # what progress came through


class Never:
    """An executor that has no room."""

    def __init__(self):
        self.futures = []

    def submit(self, function, *arguments):
        self.futures.append(Future())
        return self.futures[-1]


def test_who_stops_listening_stops_the_calls(tmp_path):
    pool = Never()
    with executing(pool, tmp_path) as execute, closing(execute(work, ["a", "b", "c"], 2)) as events:
        assert [next(events).kind, next(events).kind] == ["started", "started"]
    assert [future.cancelled() for future in pool.futures] == [True, True]


def test_a_lost_host_fails_its_item_alone():
    def submit(function, work, item, reporter):
        future = Future()
        if item == "a":
            future.set_exception(ConnectionError("the host\nis gone"))
        else:
            future.set_result(function(work, item, reporter))
        return future

    _, lost, _, finished = submitting(submit)(work, ["a", "b"], 1)
    assert lost == Event("failed", "a", ("ConnectionError: the host is gone",) * 2)
    assert finished == Event("finished", "b", ("B",))


def test_a_host_that_does_not_see_the_folder_says_so(tmp_path):
    moved = threading.Event()

    class Elsewhere:
        def submit(self, function, *arguments):
            (place,) = (tmp_path / "study").iterdir()
            place.rename(tmp_path / "away")
            moved.set()
            future = Future()
            try:
                future.set_result(function(*arguments))
            except OSError as error:
                future.set_exception(error)
            return future

    (tmp_path / "study").mkdir()
    with executing(Elsewhere(), tmp_path / "study") as execute:
        _, failed = execute(work, ["a"], 1)
    assert moved.is_set()
    assert f"does not see {tmp_path / 'study'}" in failed.details[0]


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        ("dask", "no executor 'dask': ray, ray=ADDRESS, or"),
        ("ray", r'ray is missing: pip install "equipoise\[ray\]"'),
        (3, r"executor must be 'ray' or have submit\(function, \*arguments\), got 3"),
    ],
)
def test_what_is_no_executor(executor, message, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=message), executing(executor, tmp_path):
        pass
