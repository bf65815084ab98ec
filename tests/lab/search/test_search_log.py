"""What a log hears of a search while it goes on."""

import os
from types import SimpleNamespace

from rich.console import Console

from equipoise.lab.api.tuning import watch_of
from equipoise.lab.search import Job
from equipoise.lab.studies import Event


def test_a_log_hears_of_an_epoch_only_after_a_minute_of_silence():
    now = 0.0
    console = Console(force_terminal=False, record=True, file=open(os.devnull, "w"), get_time=lambda: now)  # noqa: SIM115
    search = SimpleNamespace(trials={0: None}, changes={}, strategy=SimpleNamespace(num_trials=10))
    tuning = SimpleNamespace(search=search, evaluate=SimpleNamespace(settings=SimpleNamespace(epochs=8)))
    with watch_of(tuning, console) as watch:
        watch.show(Event("started", Job(1, {})))
        for epoch, now in enumerate((40.0, 80.0, 120.0, 160.0), start=1):  # noqa: B007
            watch.show(Event("progress", Job(1, {}), (epoch, 8, 0.5, {"rating": 0.67})))
    assert console.export_text().splitlines() == [
        "[1/10] trial 1: epoch 2/8, loss: rating 0.6700; about 0:46:40 left",
        "[1/10] trial 1: epoch 4/8, loss: rating 0.6700; about 0:45:20 left",
    ]
