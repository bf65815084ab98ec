"""What a person sees of a study while it runs."""

import os
from types import SimpleNamespace

import pytest
from rich.console import Console

from equipoise.lab.arms import parse_arm
from equipoise.lab.search import Job
from equipoise.lab.studies import Event, Watch
from equipoise.lab.studies.plan import Run

LOSSES = {"rating": 0.671234, "recommended": 0.2, "department": 1.25}
RUN = Run(parse_arm("nash-mtl"), tuple(LOSSES), 3)


@pytest.fixture
def study():
    runs = (Run(parse_arm("sum"), tuple(LOSSES), 3), RUN)
    settings = SimpleNamespace(epochs=8)
    plan = SimpleNamespace(settings=settings, runs=runs, tuned_trials=0)
    return SimpleNamespace(plan=plan, results={runs[0]: None}, missing=runs[1:], tunes=False)


def shown(study, width, *events, terminal=True):
    console = Console(force_terminal=terminal, width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with Watch(console, study) as watch:
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
    with Watch(console, study) as watch:
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
    events = [Event("started", RUN), Event("progress", RUN, (2, 8, 0.5, LOSSES)), Event("finished", RUN, (["odd"],))]
    text = shown(study, 80, *events, terminal=False)
    assert text.splitlines() == ["[2/2] nash-mtl, seed 3: done", "Warning from nash-mtl, seed 3: odd"]


def test_trials_of_the_search_for_weights_come_in_the_same_stream(study):
    study.plan.tuned_trials, study.tunes = 3, True
    trial = Job(1, {})
    begun = Event("started", trial), Event("progress", trial, (2, 8, 0.5, LOSSES))
    assert "tuned weights" in (text := shown(study, 100, *begun))
    assert "trial 1" in text
    ended = *begun, Event("finished", trial, ((0.5,),)), Event("started", RUN), Event("finished", RUN, ([],))
    lines = shown(study, 80, *ended, terminal=False).splitlines()
    assert lines == ["[1/3] trial 1: done", "[2/2] nash-mtl, seed 3: done"]
