"""Searches in processes that are killed: the outcome is that of a search that is left alone."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from planted import OBJECTIVES, SPACE, Planted, direct

from equipoise.lab.search import TPE, Random, Search, submitting

HERE = Path(__file__).parent


def points(search):
    return {number: (trial.job.point, trial.values, trial.reason) for number, trial in search.trials.items()}


def runs(folder):
    return {int(path.stem): len(path.read_text()) for path in folder.glob("*.ran")}


@pytest.fixture
def undisturbed(tmp_path):
    search = Search(TPE(SPACE, OBJECTIVES, 12), OBJECTIVES, tmp_path / "undisturbed")
    list(search.run(Planted(), execute=direct))
    return points(search)


@pytest.mark.slow
def test_workers_that_are_killed_change_nothing(tmp_path, undisturbed):
    search = Search(TPE(SPACE, OBJECTIVES, 12), OBJECTIVES, tmp_path)
    events = list(search.run(Planted(folder=tmp_path, deadly=(0, 5)), jobs=2))
    assert points(search) == undisturbed
    assert runs(tmp_path) == {number: 2 if number in (0, 5) else 1 for number in range(12)}
    assert sorted(e.item.number for e in events if e.kind == "failed") == [0, 5]


WORKER = """
import sys
from pathlib import Path
from planted import *
from equipoise.lab.search import *

folder, storage = Path(sys.argv[1]), sys.argv[2] or None

def patient(work, items, jobs):
    from equipoise.lab.studies import Event
    for item in items:
        if item is not None:
            yield Event("started", item)
            yield Event("finished", item, (work(item, lambda *details: None),))

print(flush=True)
sys.stdin.readline()
search = Search(TPE(SPACE, OBJECTIVES, 12), OBJECTIVES, folder, storage=storage)
list(search.run(Planted(folder=folder, deadly=(2,)), execute=patient))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_worker_that_is_killed_among_others_changes_nothing(kind, tmp_path, undisturbed):
    """All have imported everything and begin at once, where there is no storage yet."""
    storage = f"sqlite:///{tmp_path}/trials.db" if kind == "sqlite" else None
    words = [sys.executable, "-c", WORKER, str(tmp_path), storage or ""]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": HERE}
    workers = [subprocess.Popen(words, **pipes) for _ in range(3)]
    for worker in workers:
        worker.stdout.readline()
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=240)
    assert sorted(worker.returncode for worker in workers) == [-9, 0, 0]
    search = Search(TPE(SPACE, OBJECTIVES, 12), OBJECTIVES, tmp_path, storage=storage)
    assert points(search) == undisturbed
    assert runs(tmp_path) == {number: 2 if number == 2 else 1 for number in range(12)}


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("trials.db", "storage must be a URL such as sqlite:///trials.db, got 'trials.db'"),
        ("sqlite:////nowhere/at/all/trials.db", "storage sqlite:////nowhere/at/all/trials.db cannot be opened: "),
        ("nosuch://me:secret@host/trials", r"storage nosuch://me:\*\*\*@host/trials cannot be opened: "),
    ],
)
def test_a_storage_that_cannot_be_opened_is_a_line_without_its_password(storage, message, tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.lab.search.database.PAUSE", 0)
    with pytest.raises(ValueError, match=message) as caught:
        Search(Random(SPACE, 4), OBJECTIVES, tmp_path, storage=storage)
    assert "secret" not in str(caught.value)


def test_a_search_that_is_closed_goes_on(tmp_path, undisturbed):
    for _ in range(40):
        search = Search(TPE(SPACE, OBJECTIVES, 12), OBJECTIVES, tmp_path)
        if search.complete:
            break
        with closing(search.run(Planted(), execute=direct)) as events:
            for event in events:
                if event.kind == "finished" and event.item.number % 3 == 0:
                    break
    assert points(search) == undisturbed


def test_a_trial_that_fails_by_itself_fails_once(tmp_path):
    search = Search(Random(SPACE, 4), OBJECTIVES, tmp_path)
    events = list(search.run(Planted(folder=tmp_path, failing=(2,)), execute=direct))
    (failed,) = [event for event in events if event.kind == "failed"]
    assert failed.item.number == 2
    assert failed.details[0] == "ValueError: as planned"
    assert "in __call__" in failed.details[1]
    assert search.trials[2].reason == "ValueError: as planned"
    assert runs(tmp_path) == dict.fromkeys(range(4), 1)
    assert sorted(search.whole) == [0, 1, 3]
    assert search.complete


def nan(job, report):
    return [float("nan"), 1.0, 1.0]


def short(job, report):
    return [1.0]


@pytest.mark.parametrize(("evaluate", "reason"), [(nan, "error of a is nan"), (short, "3 objectives need as many")])
def test_values_that_are_none_are_a_failure(evaluate, reason, tmp_path):
    search = Search(Random(SPACE, 2), OBJECTIVES, tmp_path)
    list(search.run(evaluate, execute=direct))
    assert all(reason in trial.reason for trial in search.trials.values())


def test_any_executor_that_submits(tmp_path, undisturbed):
    from concurrent.futures import ThreadPoolExecutor

    search = Search(TPE(SPACE, OBJECTIVES, 12), OBJECTIVES, tmp_path)
    with ThreadPoolExecutor(3) as pool:
        list(search.run(Planted(), jobs=3, execute=submitting(pool.submit)))
    assert points(search) == undisturbed


def test_an_executor_that_loses_a_job_is_asked_again(tmp_path, undisturbed):
    from concurrent.futures import Future

    lost = []

    def submit(function, work, job, reporter):
        future = Future()
        if job.number in (1, 4) and job.number not in lost:
            lost.append(job.number)
            future.set_exception(ConnectionError("the node is gone"))
        else:
            future.set_result(function(work, job, reporter))
        return future

    search = Search(TPE(SPACE, OBJECTIVES, 12), OBJECTIVES, tmp_path)
    list(search.run(Planted(), jobs=2, execute=submitting(submit)))
    assert lost == [1, 4]
    assert points(search) == undisturbed
