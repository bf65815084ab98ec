"""What a person sees of a study while it runs."""

import os
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from equipoise.lab.arms import parse_arm
from equipoise.lab.search import Job
from equipoise.lab.studies import Event, Run, Study, make_plan, run_plan
from equipoise.lab.studies.progress import announce, watch_of
from equipoise.lab.training.workers import Workers

CASE = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"
LOSSES = {"rating": 0.671234, "recommended": 0.2, "department": 1.25}
RUN = Run(parse_arm("nash-mtl"), tuple(LOSSES), 3)


def direct(work, items, jobs):
    """As ``run_jobs``, in this process."""
    for item in items:
        yield Event("started", item)
        yield Event("finished", item, (work(item, lambda *details: None),))


@pytest.fixture
def study():
    runs = (Run(parse_arm("sum"), tuple(LOSSES), 3), RUN)
    settings = SimpleNamespace(epochs=8)
    plan = SimpleNamespace(settings=settings, runs=runs, tuned_trials=0, steps_per_epoch=34)
    return SimpleNamespace(plan=plan, results={runs[0]: None}, failures={}, tunes=False, tried=0)


@pytest.mark.parametrize(("tuned", "line"), [(False, "Tuned weights: 1 trial\n"), (True, "")])
def test_tuning_is_announced_where_there_is_any(study, tuned, line, capsys):
    study.plan.tuned_trials, study.plan.runs, study.lacks_baselines = 1, study.plan.runs[1:], False
    study.tunes, study.tuned, study.left_out, study.folder, study.results = True, tuned, (), "here", {}
    announce(study, Console())
    assert capsys.readouterr().out == f"Starting: 1 run in here\nA run is at most 8 epochs of 34 steps.\n{line}"


def shown(study, width, *events, terminal=True):
    console = Console(force_terminal=terminal, width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with watch_of(study, console) as watch:
        for event in events:
            watch.show(event)
        if terminal:
            console.print(watch._bars.get_renderable())
    return console.export_text()


def test_a_terminal_shows_the_epoch_the_skill_each_tasks_loss_and_the_time_left(study):
    text = shown(study, 100, Event("started", RUN), Event("progress", RUN, (2, 8, 0.5, LOSSES)))
    assert "nash-mtl, seed 3" in text
    assert "epoch 2/8  skill 0.500" in text
    assert "loss: rating 0.6712, recommended 0.2000, department 1.2500" in text
    assert "1/2" in text
    assert "-:--:--" in text  # two moments are not enough to tell


def test_of_many_tasks_the_first_are_shown(study):
    losses = {f"task {number}": float(number) for number in range(12)}
    text = shown(study, 100, Event("started", RUN), Event("progress", RUN, (1, 8, 0.5, losses)))
    assert "task 2 2.0000, …" in text
    assert "task 3" not in text


def test_a_log_hears_of_an_epoch_only_after_a_minute_of_silence(study):
    now = 0.0
    console = Console(force_terminal=False, record=True, file=open(os.devnull, "w"), get_time=lambda: now)  # noqa: SIM115
    with watch_of(study, console) as watch:
        watch.show(Event("started", RUN))
        for epoch, now in enumerate((40.0, 80.0, 120.0, 160.0, 200.0), start=1):  # noqa: B007
            watch.show(Event("progress", RUN, (epoch, 8, 0.5, LOSSES)))
    assert console.export_text().splitlines() == [
        "[1/2] nash-mtl, seed 3: epoch 2/8, loss: rating 0.6712, recommended 0.2000, department 1.2500; "
        "about 0:04:00 left",
        "[1/2] nash-mtl, seed 3: epoch 4/8, loss: rating 0.6712, recommended 0.2000, department 1.2500; "
        "about 0:02:40 left",
    ]


def test_elsewhere_a_line_for_each_finished_run(study):
    study.results[RUN] = None
    events = [Event("started", RUN), Event("progress", RUN, (2, 8, 0.5, LOSSES)), Event("finished", RUN, (["odd"],))]
    assert shown(study, 80, *events, terminal=False).splitlines() == ["[2/2] nash-mtl, seed 3: done"]


def test_a_warning_of_several_runs_is_said_once(tmp_path, monkeypatch):
    def run(self, jobs, track, execute):
        for run in self.missing:
            yield Event("started", run)
            self.results[run] = None
            yield Event("finished", run, (["odd"],))

    monkeypatch.setattr(Study, "run", run)
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    run_plan(make_plan(CASE, ["sum"], [0]), tmp_path, console, jobs=1)
    _, longest, minutes, *lines = console.export_text().splitlines()
    assert longest == "A run is at most 3 epochs of 6 steps."
    assert minutes == "3 runs take less than a minute on 1 process."
    assert lines == [
        "[1/3] single-task a, seed 0: done",
        "Warning from single-task a, seed 0: odd",
        "[2/3] single-task b, seed 0: done",
        "[3/3] sum, seed 0: done",
    ]


def test_a_search_that_is_resumed_counts_on(tmp_path, monkeypatch):
    plan = make_plan(CASE, ["sum"], [0], tuned_trials=3)
    with closing(Study(plan, tmp_path).run(1, execute=direct)) as events:
        while next(events).kind != "finished":
            pass
    monkeypatch.setattr(Workers, "run", lambda self, work, items, jobs: direct(work, items, jobs))
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    run_plan(plan, tmp_path, console, jobs=1)
    lines = [line for line in console.export_text().splitlines() if "trial " in line]
    assert lines == ["[2/3] trial 1: done", "[3/3] trial 2: done"]


def test_trials_of_the_search_for_weights_come_in_the_same_stream(study):
    study.plan.tuned_trials, study.tunes = 3, True
    study.tried, study.results[RUN] = 1, None
    trial = Job(1, {})
    begun = Event("started", trial), Event("progress", trial, (2, 8, 0.5, LOSSES))
    assert "tuned weights" in (text := shown(study, 100, *begun))
    assert "trial 1" in text
    ended = *begun, Event("finished", trial, ((0.5,),)), Event("started", RUN), Event("finished", RUN, ([],))
    lines = shown(study, 80, *ended, terminal=False).splitlines()
    assert lines == ["[1/3] trial 1: done", "[2/2] nash-mtl, seed 3: done"]
