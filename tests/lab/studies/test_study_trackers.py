import math

import pytest

from equipoise.lab.studies import Study, make_plan
from equipoise.lab.training.tracking import curve_name


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A study whose single-task runs are finished before anybody tracks, and the others run under trackers."""
    pytest.importorskip("tensorboard")
    folder = tmp_path_factory.mktemp("study")
    plan = make_plan("reviews", ["mgda"], [0], epochs=1)
    study = Study(plan, folder)
    events = study.run(jobs=1)
    for event in events:
        if event.kind == "finished":
            break
    events.close()
    list(Study(plan, folder).run(jobs=1, track=["tensorboard"]))
    return folder, Study(plan, folder)


def curves_of(folder, run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "trackers" / "tensorboard" / run.folder_name)).Reload()
    return {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in events.Tags()["scalars"] if "/" in tag}


@pytest.mark.slow
def test_every_run_is_in_the_tracker_with_all_its_curves(tracked):
    folder, study = tracked
    assert len(study.results) == 4
    for run, result in study.results.items():
        expected = {}
        for epoch, split, task, quantity, value in result.history:
            if math.isfinite(value):
                expected.setdefault(curve_name(split, task, quantity), {})[epoch] = pytest.approx(value, rel=1e-6)
        assert curves_of(folder, run) == expected
        assert f"{run.tasks[0]}/validation loss" in expected


@pytest.mark.slow
def test_a_run_is_taken_in_once(tracked):
    folder, study = tracked
    before = {path: path.stat().st_mtime_ns for path in (folder / "trackers").rglob("events*")}
    list(Study(study.plan, folder).run(jobs=1, track=["tensorboard"]))
    assert {path: path.stat().st_mtime_ns for path in (folder / "trackers").rglob("events*")} == before


def test_an_unknown_tracker_is_refused_before_anything_runs(tmp_path):
    study = Study(make_plan("reviews", ["sum"], [0], epochs=1), tmp_path)
    with pytest.raises(ValueError, match="no tracker 'comet'"):
        next(study.run(jobs=1, track=["comet"]))
    assert not (tmp_path / "study.json").exists()
