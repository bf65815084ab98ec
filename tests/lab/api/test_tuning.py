"""A search is a value: run as the command runs it, its best trial read in many forms."""

import csv
from xml.etree import ElementTree

import pytest

from equipoise import lab
from equipoise.lab.search import Search
from equipoise.lab.training.workers import Event

TASKS = ("rating", "recommended", "department")


def evaluate(self, job, report):
    """As if trained: the more the first task weighs, the better it does, and the others worse."""
    weights = self.space.weights(job.point)
    return (1.0 / weights["rating"], 0.7 + 0.01 * weights["recommended"], 0.7 + 0.02 * weights["department"])


def direct(work, items, jobs):
    """As ``run_jobs``, in this process."""
    for item in items:
        yield Event("started", item)
        yield Event("finished", item, (work(item, lambda *details: None),))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    original = Search.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Search, "run", lambda self, work, jobs, _: original(self, work, jobs, execute=direct))
        patch.setattr("equipoise.lab.search.training.CaseTraining.__call__", evaluate)
        return lab.tune("reviews", trials=8, sampler="random", folder=tmp_path_factory.mktemp("search") / "a")


def test_the_best_trial_is_that_with_the_lowest_change_in_the_file(results):
    with (results.tuning.search.folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    best = min(rows, key=lambda row: float(row["delta_m"]))
    assert results.chosen == int(best["trial"])
    assert results.delta_m == pytest.approx(float(best["delta_m"]))
    assert results.weights == pytest.approx({task: float(best[f"weight {task}"]) for task in TASKS})
    assert f"eq.Fixed({ ({task: float(f'{weight:.4g}') for task, weight in results.weights.items()}) })" in results.code
    assert results.arguments == {}
    assert results.failures == {}
    assert results.complete


def test_the_frame_has_the_rows_of_the_file(results):
    frame = results.to_frame()
    assert list(frame["trial"]) == list(range(8))
    assert frame["delta_m"].min() == pytest.approx(results.delta_m)


def test_every_form_says_what_was_chosen(results, tmp_path):
    page = results.save_report(tmp_path / "search.html").read_text(encoding="utf-8")
    notebook = results._repr_html_()
    assert f"Trial {results.chosen} is chosen" in page
    for text in (notebook, page, repr(results)):
        assert str(results.chosen) in text
    assert results.headline in "".join(ElementTree.fromstring(f"<div>{notebook}</div>").itertext())
    assert len(results.headline.split()) <= 25
    assert [axes.get_title() for axes in results.plot("tradeoff").axes][-1] == "Δm by trial"
    with pytest.raises(ValueError, match="no figure 'losses': there are tradeoff"):
        results.plot("losses")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"choose": "best"}, "choose must be one of delta-m, knee, preference, got 'best'"),
        ({"choose": "preference"}, "choose 'preference' needs prefer, a number by task"),
        ({"prefer": {"rating": 2}}, "prefer needs choose 'preference'"),
        ({"choose": "preference", "prefer": {"ratng": 2}}, "preference names 'ratng'; did you mean 'rating'"),
        ({"choose": "preference", "prefer": {"rating": -2}}, "of task 'rating' must be positive and finite, got -2"),
        ({"sampler": "tpa"}, "unknown sampler 'tpa'; did you mean 'tpe'"),
        ({"search": ["weihgts"]}, "weihgts"),
    ],
)
def test_wrong_use_is_named_before_anything_runs(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        lab.tune("reviews", folder=tmp_path / "a", **arguments)
