"""``--executor`` of a study and a search: the same bytes as in worker processes, by way of whatever submits."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from equipoise import lab
from equipoise.cli import main
from equipoise.lab.search.watch import Watch
from equipoise.lab.studies import Study, make_plan
from equipoise.lab.training.executors import executing
from equipoise.lab.training.workers import Event

CASE = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"


ADDRESSES = []


class Cluster:
    """In place of Ray: threads of this process."""

    def __init__(self, address):
        ADDRESSES.append(address)
        self._pool = ThreadPoolExecutor(1)
        self.submit, self.close = self._pool.submit, self._pool.shutdown


def in_this_process(work, items, jobs):
    for item in items:
        yield Event("started", item)
        yield Event("finished", item, (work(item, lambda *details: None),))


@pytest.fixture
def asked(monkeypatch, tmp_path, blank_images):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.lab.training.executors.RayCluster", Cluster)
    monkeypatch.setattr("equipoise.lab.training.workers.Workers.run", lambda self, *jobs: in_this_process(*jobs))
    monkeypatch.setattr("equipoise.lab.search.search.run_jobs", in_this_process)
    ADDRESSES.clear()
    return ADDRESSES


def test_what_an_executor_does_is_what_processes_do(asked, monkeypatch):
    shown = []
    show = Watch.show
    monkeypatch.setattr(Watch, "show", lambda self, event: (shown.append(event.kind), show(self, event)))
    options = {"methods": ["sum"], "seeds": 1, "tuned_trials": 1, "epochs": 1, "jobs": 1, "sklearn": False}
    lab.compare(CASE, **options, folder="here")
    assert "progress" not in shown
    with ThreadPoolExecutor(1) as pool:
        lab.compare(CASE, **options, folder="there", executor=pool)
    assert "progress" in shown
    for name in ("runs.csv", "history.csv", "tuned.json"):
        assert Path("there", name).read_bytes() == Path("here", name).read_bytes()


def test_the_command_line_takes_a_cluster_by_its_address(asked):
    words = ["tune", CASE, "--trials=1", "--epochs=1", "--jobs=1", "--out=there"]
    assert main([*words, "--executor=ray=head:6379"]) == 0
    assert asked == ["head:6379"]


@pytest.mark.slow
def test_a_pool_of_spawned_processes_ends_in_the_bytes_of_one_process(tmp_path):
    plan = make_plan(CASE, ["pcgrad", "frozen-pcgrad"], [0], tuned_trials=2, sklearn=False)
    studies = Study(plan, tmp_path / "here"), Study(plan, tmp_path / "there")
    for study in studies:
        study.threads = 1
    list(studies[0].run(jobs=1, execute=in_this_process))
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
        executing(pool, studies[1].folder) as execute,
    ):
        list(studies[1].run(jobs=2, execute=execute))
    for name in ("runs.csv", "history.csv", "tuned.json", "tuned/trials.csv"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_result_that_the_disk_does_not_show_fails_its_run(tmp_path):
    def lose(work, items, jobs):
        for item in items:
            yield Event("finished", item, ([],))

    study = Study(make_plan(CASE, ["sum"], [0]), tmp_path)
    assert {event.kind for event in study.run(jobs=1, execute=lose)} == {"failed"}
    assert set(study.failures) == set(study.missing)
