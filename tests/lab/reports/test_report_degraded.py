import csv
import json
import re

import pytest
from made_study import TASKS
from report_reading import Page, write_report

pytestmark = pytest.mark.usefixtures("blank_images")


@pytest.fixture(autouse=True)
def no_image_files(request, monkeypatch):
    """Image files take most of the time; poor studies as images are tested beside the figures."""
    if "figures" not in request.node.name:
        monkeypatch.setattr("equipoise.lab.reports.report.save", lambda chart, look, folder: ())


def drawn(page):
    return {name.rsplit("-", 1)[0] for name in page.figures["panels"]}


def test_without_single_task_networks_there_is_no_delta_m_and_a_sentence(make):
    study = make(single_task=False)
    page = Page(write_report(study.path))
    assert "No Δm" in page.words
    assert "Against single-task networks" not in page.tables
    assert len([name for name in page.figures["panels"] if name.startswith("differences")]) == len(TASKS)
    assert [cell[0] for cell in page.tables["Results"][0]][-2:] == ["Mean rank", "Seconds per step"]


def test_one_seed_has_differences_without_intervals(make):
    page = Page(write_report(make(seeds=(3,)).path))
    cell, numbers = page.row("Results", "uw")[1]
    assert "no interval" in cell
    assert len(numbers) == 1
    assert "better" not in cell
    assert "none could be tested" in page.words
    assert drawn(page) >= {"differences", "tradeoff", "losses"}


def test_without_sum_there_are_no_differences_to_it(make):
    page = Page(write_report(make(methods=("uw", "mgda"), single_task=False).path))
    assert "No differences to sum" in page.words
    assert "differences" not in drawn(page)
    assert "No differences: they need runs of sum" in page.words


def test_what_history_lacks_is_said_and_has_no_figures(make):
    study = make(cosines=False, norms=False)
    page = Page(write_report(study.path))
    assert drawn(page).isdisjoint({"cosines", "gradient_norms"})
    assert "No cosines" in page.words
    assert "No gradient norms" in page.words
    assert not (study.path / "figures" / "cosines.png").exists()
    assert "figures/cosines.png" not in page.addresses


def test_figures_of_an_earlier_state_do_not_stay_behind(make):
    study = make(cosines=False)
    (study.path / "figures").mkdir()
    (study.path / "figures" / "cosines.svg").write_text("old")
    write_report(study.path)
    assert not (study.path / "figures" / "cosines.svg").exists()


def test_one_task_has_no_trade_off(make):
    page = Page(write_report(make(tasks={"rating": ("mae", False)}, methods=("sum",)).path))
    assert "tradeoff" not in drawn(page)
    assert "at least two tasks" in page.words
    assert "· 1 task ·" in page.words


def test_an_unfinished_study_says_so_and_shows_what_there_is(make):
    study = make(complete=False)
    for name in ("runs.csv", "history.csv", "costs.csv"):
        with (study.path / name).open(newline="") as file:
            header, *rows = csv.reader(file)
        kept = [row for row in rows if row[0] in ("single-task", "sum", "uw") and row[:2] != ["uw", "2"]]
        with (study.path / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *kept])
    content = json.loads((study.path / "study.json").read_text())
    content["failed"] = {"dwa-all-seed0": "ValueError: broke <here>"}
    (study.path / "study.json").write_text(json.dumps(content))
    page = Page(write_report(study.path))
    assert "not finished" in page.words
    assert "dwa-all-seed0 failed: ValueError: broke <here>" in page.words
    assert set(page.figures["looks"]) == {"single-task", "sum", "uw"}


def test_values_that_are_not_finite_are_left_out_and_counted(make):
    study = make()
    text = (study.path / "history.csv").read_text()
    broken, times = re.subn(r"(?m)^(uw,1,[78],validation,rating,loss),.*$", r"\1,nan", text)
    assert times == 2
    (study.path / "history.csv").write_text(broken)
    runs = re.sub(r"(?m)^(mgda,0,test,rating,mae),.*$", r"\1,inf", (study.path / "runs.csv").read_text())
    (study.path / "runs.csv").write_text(runs)
    page = Page(write_report(study.path))
    assert "Not finite, and not drawn: 2 values of history.csv" in page.words
    assert not re.search(r"NaN|Infinity", json.dumps(page.figures))


def test_early_stopping_ends_the_mean_with_the_shortest_seed(make):
    study = make(methods=("sum",), single_task=False)
    text = (study.path / "history.csv").read_text()
    (study.path / "history.csv").write_text(re.sub(r"(?m)^sum,1,[678],.*\n", "", text))
    page = Page(write_report(study.path))
    seeds, mean = (t for t in page.figures["panels"]["losses-0"]["data"] if t.get("line", {}).get("dash") == "solid")
    assert mean["x"] == [1, 2, 3, 4, 5]
    assert [x for x in seeds["x"] if x is not None] == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8]


def test_many_panels_are_shown_one_at_a_time(make):
    tasks = {f"task{i}": ("auroc", True) for i in range(6)}
    page = Page(write_report(make(tasks=tasks, methods=("sum", "mgda"), single_task=False, epochs=3).path))
    assert len([name for name in page.figures["panels"] if name.startswith("cosines")]) == 15
    assert page.tags.count("select") == 4  # cosines, in parts, magnitude similarities and trade-offs
    assert page.tags.count("option") == 75


@pytest.mark.slow
def test_a_long_study_stays_below_six_megabytes(make):
    study = make(seeds=tuple(range(5)), epochs=300)
    page = Page(write_report(study.path))
    assert len(page.source.encode()) < 6_000_000
    assert re.search(r"curves show one epoch in [2-9]", page.words)
    ends = {t["x"][-1] for t in page.figures["panels"]["losses-0"]["data"] if t["mode"] != "markers" and t["x"][-1]}
    assert ends == {300}


@pytest.mark.parametrize("name", ["study.json", "runs.csv", "history.csv", "costs.csv"])
def test_a_folder_that_is_no_study_is_named(make, name):
    study = make()
    (study.path / name).unlink()
    with pytest.raises(ValueError, match=f"no {name}"):
        write_report(study.path)
    assert not (study.path / "report.html").exists()


def test_parts_of_a_mixture_have_a_figure_and_no_other_study_a_word_of_it(make):
    study = make(methods=("sum", "uw"), seeds=(0, 1), epochs=2)
    assert "parts" not in drawn(Page(write_report(study.path)))
    rows = [
        f"{method},{seed},{epoch},train,rating,part {name},{value + epoch}"
        for method in ("sum", "uw")
        for seed in (0, 1)
        for epoch in (1, 2)
        for name, value in (("l1", 0.5), ("l2 <b>", 2.0))
    ]
    with (study.path / "history.csv").open("a") as file:
        file.write("\n".join(rows) + "\n")
    page = Page(write_report(study.path))
    panels = [name for name in page.figures["panels"] if name.startswith("parts-")]
    assert len(panels) == 2
    means = [t for t in page.figures["panels"]["parts-1"]["data"] if t["opacity"] == 1.0]
    assert [t["y"] for t in means] == [[3.0, 4.0]] * 2
    assert "rating: l2 <b>" in page.words
