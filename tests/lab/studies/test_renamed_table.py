"""A study goes by the content of its table: under another name of the file it is resumed."""

from dataclasses import replace

import pytest

from equipoise.lab.api.comparing import _default_folder
from equipoise.lab.cases import TableCase, Target, table_network
from equipoise.lab.settings import RUNS
from equipoise.lab.studies import Study, make_plan
from equipoise.lab.studies.plan import run_name
from equipoise.lab.training import RunResult

TARGETS = (Target("price", "regression"), Target("liked", "binary"))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A table in the working directory, as a recipe."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{i % 7},{i % 2}\n" for i in range(60))
    (tmp_path / "shop.csv").write_text(f"x,price,liked\n{rows}")
    return TableCase("shop.csv", TARGETS, number=("x",))


@pytest.fixture
def study(shop):
    """One run of it is finished, in the folder of its name."""
    plan = make_plan(shop, ["sum"], [0], epochs=1)
    study = Study(plan, RUNS / "shop")
    study.write()
    run = plan.runs[-1]
    scores = [("test", task, plan.case.made_metrics[task][0].name, 0.5) for task in run.tasks]
    of = f"{run_name(run, plan.identity_hash)}: made"
    (study.folder / "runs" / run.folder_name).mkdir(parents=True)
    result = RunResult(scores, [(1, "train", "price", "loss", 0.3)], 1, 1, 1, 1.0, 0.1, 1.0, 3.0, False, 0, 0, run=of)
    result.write(study.folder / "runs" / run.folder_name / "result.json")
    return study


def test_a_study_of_another_network_is_refused(shop, tmp_path, monkeypatch):
    """What study.json does not have, as before there were members, is a single one."""
    before, now = {}, {}
    text = replace(shop, text=("x",), number=())
    for members, plans in ((1, before), (4, now)):
        monkeypatch.setattr(table_network, "MEMBERS", members)
        plans.update(numbers=plan_of(shop), text=plan_of(text))
    assert before["text"].identity == now["text"].identity
    for plans, other, words in ((before, now, "is None, now 4 members"), (now, before, "is 4 members, now None")):
        folder = tmp_path / words[:6]
        Study(plans["numbers"], folder).write()
        with pytest.raises(ValueError, match=rf"other settings \(options.network {words}\): choose another folder"):
            Study(other["numbers"], folder)


def plan_of(recipe):
    return make_plan(recipe, ["sum"], [0], epochs=1)


def test_a_table_of_another_name_is_the_same_study(study, shop, tmp_path):
    renamed = replace(shop, path=str((tmp_path / "shop.csv").rename(tmp_path / "goods.csv")))
    plan = plan_of(renamed)
    assert plan.identity != study.plan.identity
    assert _default_folder(plan) == study.folder
    again = Study(plan, study.folder)
    assert again.plan.identity == study.plan.identity
    assert len(again.results) == 1
    again.write()
    assert Study(plan, study.folder).plan.identity == study.plan.identity


@pytest.mark.parametrize("change", ["content", "targets"])
def test_another_table_or_question_is_not(study, shop, tmp_path, change):
    (tmp_path / "shop.csv").rename(tmp_path / "goods.csv")
    other = replace(shop, path="goods.csv")
    if change == "content":
        with (tmp_path / "goods.csv").open("a") as file:
            file.write("60,1,1\n")
    else:
        other = replace(other, targets=TARGETS[::-1])
    plan = plan_of(other)
    assert _default_folder(plan) == RUNS / "goods"
    with pytest.raises(ValueError, match="was made with other settings"):
        Study(plan, study.folder)
