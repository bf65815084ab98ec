import csv
import re
from statistics import fmean, median, stdev

import pytest
from made_study import METHODS, TASKS
from report_reading import Page, write_report

pytestmark = pytest.mark.usefixtures("blank_images")

T_975_WITH_2_DEGREES = 4.302652729911275  # tables of Student's t


@pytest.fixture(scope="module")
def page(reported):
    return Page(reported.path / "report.html")


def values(study, method, task, metric):
    with (study.path / "runs.csv").open(newline="") as file:
        return {
            int(row["seed"]): float(row["value"])
            for row in csv.DictReader(file)
            if (row["method"], row["split"], row["task"], row["metric"]) == (method, "test", task, metric)
        }


def test_the_table_shows_means_and_paired_intervals_of_runs_csv(study, page):
    for method in METHODS:
        cells = page.row("Results", method)
        for place, (task, (metric, _)) in enumerate(TASKS.items()):
            mine, sums = values(study, method, task, metric), values(study, "sum", task, metric)
            assert cells[2 * place][1] == [pytest.approx(fmean(mine.values()), abs=1e-12)]
            assert cells[2 * place][0] == f"{fmean(mine.values()):.4f}"
            if method == "sum":
                assert cells[2 * place + 1][0] == "reference"
                continue
            differences = [mine[seed] - sums[seed] for seed in mine]
            mean, reach = fmean(differences), T_975_WITH_2_DEGREES * stdev(differences) / 3**0.5
            assert cells[2 * place + 1][1] == [pytest.approx(v, abs=1e-9) for v in (mean, mean - reach, mean + reach)]
            assert re.search(r"better|worse|no significant difference", cells[2 * place + 1][0])
            written = [f"{v:+.4f}".replace("-", "\N{MINUS SIGN}") for v in (mean, mean - reach, mean + reach)]
            assert cells[2 * place + 1][0].startswith("{}[{}, {}]".format(*written))
            marks = page.figures["panels"][f"differences-{place}"]["data"]
            mark = next(trace for trace in marks if trace["meta"]["method"] == method)
            assert mark["x"] == [pytest.approx(mean, rel=1e-5)]
            assert mark["error_x"]["array"] == mark["error_x"]["arrayminus"] == [pytest.approx(reach, rel=1e-4)]
            assert mark["meta"]["hollow"] == ("no significant difference" in cells[2 * place + 1][0])


def test_the_table_shows_delta_m_against_single_task_networks(study, page):
    for method in METHODS:
        of_seed = []
        for seed in (0, 1, 2):
            parts = []
            for task, (metric, higher) in TASKS.items():
                mine, alone = (values(study, name, task, metric)[seed] for name in (method, "single-task"))
                parts.append((-1 if higher else 1) * (mine - alone) / alone)
            of_seed.append(100 * fmean(parts))
        assert page.row("Results", method)[6][1][0] == pytest.approx(fmean(of_seed), abs=1e-9)


def test_single_task_is_compared_in_its_own_table(study, page):
    for method in METHODS:
        for cell, (task, (metric, _)) in zip(
            page.row("Against single-task networks", method), TASKS.items(), strict=True
        ):
            mine, alone = values(study, method, task, metric), values(study, "single-task", task, metric)
            assert cell[1][0] == pytest.approx(fmean(mine[s] - alone[s] for s in mine), abs=1e-12)


def test_costs_are_those_of_costs_csv_and_of_all_single_task_networks(study, page):
    with (study.path / "costs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for method in ("single-task", *METHODS):
        seconds = [
            sum(float(r["seconds_per_step"]) for r in rows if (r["method"], r["seed"]) == (method, s)) for s in "012"
        ]
        cells = page.row("Costs", method)
        assert cells[0][1] == [pytest.approx(median(seconds), abs=1e-15)]
        assert page.row("Results", method)[-1][1] == [pytest.approx(median(seconds), abs=1e-15)]
        assert cells[1][1] == [3.0 if method in ("single-task", "pcgrad", "mgda", "nash-mtl") else 1.0]


def test_every_method_is_in_every_figure_it_has_numbers_for(page):
    panels = page.figures["panels"]
    assert {name.rsplit("-", 1)[0] for name in panels} == {
        "differences", "ranks", "tradeoff", "losses", "weights", "gradient_norms", "cosines", "part_cosines",
        "magnitude_similarity", "condition_number", "costs",
    }  # fmt: skip
    for name, panel in panels.items():
        methods = {trace["meta"]["method"] for trace in panel["data"]}
        kind = name.rsplit("-", 1)[0]
        if kind in ("tradeoff", "losses", "costs"):
            assert methods == {"single-task", *METHODS}
        elif kind in ("weights", "ranks"):
            assert methods == set(METHODS)
        elif kind in ("cosines", "part_cosines", "magnitude_similarity", "condition_number"):
            assert methods == {"pcgrad", "mgda", "nash-mtl"}
    assert len([name for name in panels if name.startswith("cosines")]) == 3


def test_a_reader_finds_verdict_advice_definitions_and_settings(study, page):
    from equipoise.lab.evaluation import FORMULA, Summary

    summary = Summary.from_folder(study.path)
    for text in (
        summary.headline,
        summary.advice.text("page"),
        FORMULA,
        "Holm",
        "paired-t",
        "0.002",
        "2.13.0",
        "9f86d081884c7d65",
    ):
        assert text in page.words, text
    for task in TASKS:
        assert task in page.words


def test_the_page_is_one_small_file_that_loads_nothing(study, page):
    assert len(page.source.encode()) < 6_000_000
    assert {"link", "img", "iframe", "object", "embed"}.isdisjoint(page.tags)
    outside = [address for address in page.addresses if re.match(r"[a-z]+:|//", address)]
    assert outside == []
    style = re.search(r"<style>(.*?)</style>", page.source, re.S).group(1)
    assert "@import" not in style
    assert "url(" not in style
    assert "default-src 'none'" in page.source
    beside = {address for address in page.addresses if not address.startswith("#")}
    assert all((study.path / address).is_file() for address in beside)
    assert sorted(p.name for p in study.path.iterdir()) == [
        "costs.csv", "figures", "history.csv", "report.html", "runs.csv", "study.json", "tables",
    ]  # fmt: skip


def test_names_are_text_and_never_markup(make):
    evil = "lib/</script><img src=x onerror=alert(1)>&\"'.py:New$Method$"
    task = 'a<b> & "c"'
    study = make(methods=("sum", evil), tasks={task: ("m<ae>", False), "plain": ("auroc", True)})
    page = Page(write_report(study.path))
    assert "img" not in page.tags
    assert page.tags.count("script") == 3
    assert "b" not in page.tags
    assert page.row("Results", evil)
    assert task in page.words
    assert evil in page.figures["looks"]
    for panel in page.figures["panels"].values():
        for text in [t for trace in panel["data"] for t in trace["hovertext"]] + panel["layout"]["yaxis"].get(
            "ticktext", []
        ):
            assert not re.search(r"<(?!br>)", text)
